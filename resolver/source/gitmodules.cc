#include "resolver/source/gitmodules.h"

#include <algorithm>

#include "base/error.h"
#include "base/strings.h"

namespace dae::resolver::git {
namespace {

// The value of a "key = value" line: quotes and escapes resolved, a comment dropped.
std::string config_value(std::string_view text) {
  std::string out;
  size_t kept = 0;  // white space at the end counts only within quotes
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '"') {
      quoted = !quoted;
      kept = out.size();
      continue;
    }
    if (!quoted && (c == '#' || c == ';')) break;
    if (c == '\\' && i + 1 < text.size()) {
      c = text[++i];
      if (c == 'n') c = '\n';
      if (c == 't') c = '\t';
      out += c;
      kept = out.size();
      continue;
    }
    out += c;
    if (quoted || (c != ' ' && c != '\t')) kept = out.size();
  }
  out.resize(kept);
  return out;
}

}  // namespace

std::map<std::string, std::string> parse_gitmodules(std::string_view text) {
  std::map<std::string, std::string> out;
  std::string path, url;
  const auto end_section = [&] {
    if (!path.empty() && !url.empty()) out.emplace(path, url);
    path.clear();
    url.clear();
  };
  for (const std::string& raw : split_lines(text)) {
    const std::string_view line = trim(raw);
    if (line.starts_with('[')) {
      end_section();
      continue;
    }
    const size_t equals = line.find('=');
    if (equals == std::string_view::npos || line.starts_with('#') || line.starts_with(';')) continue;
    const std::string key = lower(trim(line.substr(0, equals)));
    const std::string value = config_value(trim(line.substr(equals + 1)));
    if (key == "path") path = value;
    if (key == "url") url = value;
  }
  end_section();
  return out;
}

std::string submodule_url(const std::string& parent, const std::string& url) {
  if (!url.starts_with("./") && !url.starts_with("../")) {
    const size_t at = url.find('@'), colon = url.find(':');
    const bool scp_like = url.find("://") == std::string::npos && at != std::string::npos && at < colon &&
                          colon < std::min(url.find('/'), url.size());
    return scp_like ? "ssh://" + url.substr(0, colon) + "/" + url.substr(colon + 1) : url;
  }
  std::string base = parent;
  while (base.ends_with('/')) base.pop_back();
  std::string_view rest = url;
  const size_t host_end = std::min(base.find('/', base.find("://") + 3), base.size());
  while (rest.starts_with("./") || rest.starts_with("../")) {
    if (rest.starts_with("./")) {
      rest.remove_prefix(2);
      continue;
    }
    rest.remove_prefix(3);
    const size_t slash = base.rfind('/');
    if (slash == std::string::npos || slash < host_end) {
      throw Error(ErrorKind::bad_input, "a submodule's address leads above the host (`" + url + "`)");
    }
    base.resize(slash);
  }
  return base + "/" + std::string(rest);
}

}  // namespace dae::resolver::git
