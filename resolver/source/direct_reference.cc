#include "resolver/source/direct_reference.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/hash.h"
#include "base/http.h"
#include "base/strings.h"
#include "resolver/standards/direct_url.h"
#include "resolver/standards/names.h"

namespace dae::resolver {
namespace {

constexpr size_t kMaxBytes = 8192;

std::string without_fragment(std::string_view text) {
  return std::string(text.substr(0, text.find('#')));
}

// Refuses what no address has and what would end up as another argument, line or terminal command.
void check_text(std::string_view text) {
  if (text.empty()) throw Error(ErrorKind::bad_input, "an empty address");
  if (text.size() > kMaxBytes) throw Error(ErrorKind::bad_input, "the address is too long");
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      throw Error(ErrorKind::bad_input, "control characters in an address");
    }
  }
  if (text.front() == '-') throw Error(ErrorKind::bad_input, "an address cannot begin with `-`", std::string(text));
}

// "name[extra] @ rest": the name, and `text` becomes the rest. An address has no blank before its first '@'.
std::string take_name(std::string_view& text) {
  const size_t at = text.find('@');
  if (at == std::string_view::npos) return "";
  std::string_view before = trim(text.substr(0, at));
  const size_t bracket = before.find('[');
  if (bracket != std::string_view::npos && before.ends_with(']')) before = trim(before.substr(0, bracket));
  std::string_view rest = trim(text.substr(at + 1));
  const bool blank_around = (at > 0 && text[at - 1] == ' ') || (at + 1 < text.size() && text[at + 1] == ' ');
  const bool address = rest.find("://") != std::string_view::npos || rest.starts_with("file:");
  if (!is_valid_name(before) || (!blank_around && !address)) return "";
  text = rest;
  return normalize_name(before);
}

void read_fragment(std::string_view fragment, DirectReference& out) {
  for (const std::string& pair : split(fragment, '&')) {
    const size_t equals = pair.find('=');
    if (equals == std::string::npos) continue;
    const std::string key = lower(pair.substr(0, equals)), value = percent_decode(pair.substr(equals + 1));
    if (key == "egg") {
      const std::string name = value.substr(0, value.find('['));
      if (!is_valid_name(name)) throw Error(ErrorKind::bad_input, "`#egg=` is not followed by a name", out.label);
      if (out.name.empty()) out.name = normalize_name(name);
    } else if (key == "subdirectory") {
      out.subdirectory = checked_subdirectory(value, out.label);
    } else if (key == "sha256") {
      if (!Digest::is_valid(value)) throw Error(ErrorKind::bad_input, "`#sha256=` is not followed by one", out.label);
      out.sha256 = Digest::parse(value).hex();
    } else if (key == "md5" || key == "blake2b" || key.starts_with("sha")) {
      throw Error(ErrorKind::bad_input, fmt::format("a digest of kind `{}` cannot be checked", key), out.label,
                  "state its `sha256`");
    }
  }
}

struct Split {
  std::string scheme, authority, rest;  // rest: path and query
};

Split split_address(std::string_view text) {
  const size_t mark = text.find("://");
  const size_t start = mark + 3;
  const size_t end = std::min(text.find_first_of("/?#", start), text.size());
  return {lower(text.substr(0, mark)), std::string(text.substr(start, end - start)), std::string(text.substr(end))};
}

std::string local_path(const Split& parts, const std::string& label) {
  if (!parts.authority.empty() && parts.authority != "localhost") {
    throw Error(ErrorKind::bad_input, fmt::format("a file of another machine (`{}`)", parts.authority), label,
                "a local path takes three slashes: `file:///path`");
  }
  const std::string path = percent_decode(parts.rest);
  if (path.empty() || path.find('\0') != std::string::npos) throw Error(ErrorKind::bad_input, "not a path", label);
  return path;
}

void set_path(DirectReference& out, std::string written, const Path& base_dir) {
  // "./dir[extra]": whoever reads requirements has taken note of the extras.
  if (written.ends_with(']') && written.find('[') != std::string::npos) written.erase(written.rfind('['));
  if (written.empty()) throw Error(ErrorKind::bad_input, "an empty path", out.label);
  out.kind = DirectReference::Kind::path;
  out.written_path = written;
  const Path start = base_dir.empty() ? std::filesystem::current_path() : std::filesystem::absolute(base_dir);
  out.path = (start / written).lexically_normal();
  if (!out.path.has_filename()) out.path = out.path.parent_path();
}

void check_revision(const std::string& revision, const std::string& label) {
  const bool odd = std::ranges::any_of(revision, [](char c) {
    return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f ||
           std::string_view("~^:?*[\\").find(c) != std::string::npos;
  });
  if (odd || revision.starts_with('-') || revision.find("..") != std::string::npos || revision.size() > 250) {
    throw Error(ErrorKind::bad_input, fmt::format("`{}` cannot be a revision", revision), label);
  }
}

void check_vcs_scheme(const std::string& vcs, const Split& parts, const std::string& label) {
  static constexpr std::array kSchemes{"https", "ssh", "http", "file"};
  if (std::ranges::find(kSchemes, parts.scheme) == kSchemes.end()) {
    throw Error(ErrorKind::refused, fmt::format("`{}+{}` is not a protocol that is used", vcs, parts.scheme), label,
                parts.scheme == "git" ? "it neither encrypts nor tells who answers: use `git+https`"
                                      : "use https, ssh, http or file");
  }
  if (parts.scheme == "file") {
    local_path(parts, label);
  }
  const std::string host = parts.authority.substr(parts.authority.rfind('@') + 1);
  if (parts.scheme != "file" && (host.empty() || host.starts_with(':'))) {
    throw Error(ErrorKind::bad_input, "the address has no host", label);
  }
  // ssh would take such a host or user for an option of its own.
  if (host.starts_with('-') || parts.authority.starts_with('-')) {
    throw Error(ErrorKind::bad_input, "a host cannot begin with `-`", label);
  }
  const size_t colon = host.starts_with('[') ? host.find(':', host.find(']')) : host.find(':');
  if (colon == std::string::npos || colon + 1 == host.size() || parse_int(host.substr(colon + 1))) return;
  throw Error(
      ErrorKind::bad_input, fmt::format("`{}` is not a port", host.substr(colon + 1)), label,
      fmt::format("write `{}://{}/{}{}`", parts.scheme, host.substr(0, colon), host.substr(colon + 1), parts.rest));
}

void read_vcs(std::string_view text, DirectReference& out) {
  const size_t plus = text.find('+');
  out.kind = DirectReference::Kind::vcs;
  out.vcs = lower(text.substr(0, plus));
  if (out.vcs != "git" && out.vcs != "hg") {
    throw Error(ErrorKind::refused, fmt::format("repositories of `{}` are not supported", out.vcs), out.label,
                "git and Mercurial are");
  }
  Split parts = split_address(text.substr(plus + 1));
  if (const size_t at = parts.rest.rfind('@'); at != std::string::npos) {
    out.revision = percent_decode(parts.rest.substr(at + 1));
    parts.rest.erase(at);
    if (out.revision.empty()) throw Error(ErrorKind::bad_input, "`@` is not followed by a revision", out.label);
    check_revision(out.revision, out.label);
  }
  check_vcs_scheme(out.vcs, parts, out.label);
  if (!parts.rest.starts_with('/') || parts.rest == "/")
    throw Error(ErrorKind::bad_input, "the address has no path", out.label);
  out.url = parts.scheme + "://" + parts.authority + parts.rest;
}

void read_address(std::string_view text, const Path& base_dir, DirectReference& out) {
  const std::string address = without_fragment(text);
  if (address.find('+') < address.find("://")) return read_vcs(address, out);
  const Split parts = split_address(address);
  if (parts.scheme == "file") return set_path(out, local_path(parts, out.label), base_dir);
  if (parts.scheme != "https" && parts.scheme != "http") {
    const bool repository = parts.scheme == "ssh" || parts.scheme == "git";
    throw Error(ErrorKind::refused, fmt::format("`{}` is not a protocol that is used", parts.scheme), out.label,
                repository ? "a repository is written `git+ssh://…`" : "use https, or a path of this machine");
  }
  parse_url(address);  // refuses what is not one
  out.url = address;
}

}  // namespace

std::string shareable_url(const std::string& url, const std::string& vcs) {
  if (!url.starts_with("ssh://")) return strip_url_credentials(url, vcs);
  const size_t end = std::min(url.find('/', 6), url.size()), at = url.substr(0, end).rfind('@');
  const size_t colon = url.find(':', 6);
  return at != std::string::npos && colon < at ? url.substr(0, colon) + url.substr(at) : url;
}

std::optional<std::string> long_ssh_form(std::string_view text) {
  text = text.substr(0, text.find('#'));
  if (text.find("://") != std::string_view::npos || text.find_first_of(" \t") != std::string_view::npos) return {};
  const std::string vcs = text.starts_with("hg+") ? "hg+" : "git+";
  if (text.starts_with(vcs)) text.remove_prefix(vcs.size());
  const size_t at = text.find('@'), colon = text.find(':');
  if (at == std::string_view::npos || colon == std::string_view::npos || at == 0 || colon < at) return {};
  if (text.find('/') < colon) return {};
  return vcs + "ssh://" + std::string(text.substr(0, colon)) + "/" + std::string(text.substr(colon + 1));
}

std::string checked_subdirectory(std::string_view text, const std::string& subject) {
  std::vector<std::string> kept;
  for (const std::string& part : split(text, '/')) {
    if (part.empty() || part == ".") continue;
    const bool odd = part.find('\\') != std::string::npos || part.find('\0') != std::string::npos;
    if (part == ".." || odd || iequals(part, ".git") || iequals(part, ".hg")) {
      throw Error(ErrorKind::bad_input, fmt::format("`{}` is not a folder below the project's top", text), subject);
    }
    kept.push_back(part);
  }
  if (text.starts_with('/')) {
    throw Error(ErrorKind::bad_input, fmt::format("the subdirectory `{}` has to be relative", text), subject);
  }
  return join(kept, "/");
}

bool is_archive_name(std::string_view file_name) {
  static constexpr std::array kEnds{".tar.gz", ".tgz", ".zip", ".tar.bz2", ".tbz", ".tar.xz", ".txz", ".tar"};
  const std::string name = lower(file_name);
  return std::ranges::any_of(kEnds,
                             [&](std::string_view end) { return name.size() > end.size() && name.ends_with(end); });
}

DirectReference parse_direct_reference(std::string_view text, const Path& base_dir) {
  text = trim(text);
  check_text(text);
  DirectReference out;
  out.name = take_name(text);
  check_text(text);
  const std::string address = without_fragment(text);
  if (const auto long_form = long_ssh_form(address)) {
    throw Error(ErrorKind::bad_input, "the short form of ssh addresses is not understood", address,
                "write `" + *long_form + "`");
  }
  out.label = strip_url_credentials(address, address.starts_with("git+") ? "git" : "");
  if (const size_t hash = text.find('#'); hash != std::string_view::npos) read_fragment(text.substr(hash + 1), out);
  if (address.find("://") != std::string::npos) {
    read_address(text, base_dir, out);
  } else if (lower(text.substr(0, 5)) == "file:") {
    set_path(out, percent_decode(address.substr(5)), base_dir);
  } else if (text.find('+') < text.find_first_of("/.") && text.find(':') != std::string_view::npos) {
    throw Error(ErrorKind::bad_input, "not an address", out.label, "write `git+https://host/path`");
  } else {
    set_path(out, address, base_dir);
  }
  return out;
}

}  // namespace dae::resolver
