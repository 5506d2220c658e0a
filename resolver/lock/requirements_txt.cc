#include "resolver/lock/requirements_txt.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/strings.h"
#include "resolver/standards/names.h"

namespace dae::resolver {

namespace {

constexpr int kMaxDepth = 10;
constexpr uint64_t kMaxBytes = 4ull << 20;

// A comment starts at the beginning of a line or after white space.
std::string_view without_comment(std::string_view line) {
  for (size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '#' && (i == 0 || line[i - 1] == ' ' || line[i - 1] == '\t')) return line.substr(0, i);
  }
  return line;
}

// "-r x", "-rx", "--requirement x", "--requirement=x": the x. nullopt when it is another option.
std::optional<std::string> option_value(std::string_view line, std::string_view short_form,
                                        std::string_view long_form) {
  std::string_view rest;
  if (line.starts_with(long_form)) {
    rest = line.substr(long_form.size());
    if (rest.empty() || (rest[0] != '=' && rest[0] != ' ' && rest[0] != '\t')) return std::nullopt;
    rest.remove_prefix(1);
  } else if (line.starts_with(short_form) && !line.starts_with("--")) {
    rest = line.substr(short_form.size());
  } else {
    return std::nullopt;
  }
  return std::string(trim(rest));
}

class RequirementsReader {
 public:
  explicit RequirementsReader(ProjectFile& out) : out_(out) {}

  void read(const Path& path, const std::string& label, std::string_view text, bool constraints, int depth) {
    if (depth > kMaxDepth) throw Error(ErrorKind::bad_input, "-r and -c nest too deeply, or in a circle", label);
    for (const LogicalLine& line : logical_lines(text)) {
      if (line.text.empty()) continue;
      const std::string origin = fmt::format("{}:{}", label, line.number);
      if (line.text[0] == '-') {
        option(path, label, line.text, origin, constraints, depth);
      } else {
        (constraints ? out_.constraints : out_.requirements).push_back({requirement(line.text, origin), origin});
      }
    }
  }

 private:
  void option(const Path& path, const std::string& label, const std::string& line, const std::string& origin,
              bool constraints, int depth) {
    if (const auto file = option_value(line, "-r", "--requirement")) {
      include(path, label, *file, origin, constraints, depth);
    } else if (const auto limits = option_value(line, "-c", "--constraint")) {
      include(path, label, *limits, origin, true, depth);
    } else if (line.starts_with("--require-hashes")) {
      return;  // the lock always has them
    } else if (line.starts_with("-e") || line.starts_with("--editable")) {
      throw Error(ErrorKind::bad_input, "editable and version control requirements are not supported yet", origin,
                  line);
    } else if (is_index_option(line)) {
      throw Error(ErrorKind::bad_input, "an index is not chosen in this file", origin,
                  "name it with `--index`, or in pip's own configuration");
    } else {
      throw Error(ErrorKind::bad_input,
                  fmt::format("option `{}` is not supported", line.substr(0, line.find_first_of(" =\t"))), origin);
    }
  }

  static bool is_index_option(std::string_view line) {
    for (const std::string_view option : {"-i", "-f", "--index-url", "--extra-index-url", "--find-links", "--no-index",
                                          "--trusted-host", "--pypi-url"}) {
      if (!line.starts_with(option)) continue;
      if (option.size() == 2 || line.size() == option.size() || line[option.size()] == ' ' ||
          line[option.size()] == '=') {
        return true;
      }
    }
    return false;
  }

  void include(const Path& path, const std::string& label, const std::string& file, const std::string& origin,
               bool constraints, int depth) {
    if (file.empty() || file.find("://") != std::string::npos) {
      throw Error(ErrorKind::bad_input, "only a file beside this one can be included", origin);
    }
    const Path next = path.parent_path() / file;
    const auto text = read_file_if_exists(next, kMaxBytes);
    if (!text) throw Error(ErrorKind::not_found, fmt::format("`{}` does not exist", file), origin);
    read(next, (Path(label).parent_path() / file).lexically_normal().string(), *text, constraints, depth + 1);
  }

  static Requirement requirement(const std::string& line, const std::string& origin) {
    const std::string text = requirement_part(line);
    const size_t scheme = text.find("+");
    if (scheme != std::string::npos && text.find("://", scheme) != std::string::npos &&
        text.substr(0, scheme).find_first_of("<>=!~;[") == std::string::npos) {
      throw Error(ErrorKind::bad_input, "version control requirements are not supported yet", origin, line);
    }
    if (text.starts_with(".") || text.starts_with("/") || text.find("://") < text.find_first_of(" @")) {
      throw Error(ErrorKind::bad_input, "paths and bare addresses are not supported", origin, "write `name @ address`");
    }
    try {
      return Requirement::parse(text);
    } catch (const Error& error) {
      throw Error(ErrorKind::bad_input, error.message(), origin, error.hint());
    }
  }

  ProjectFile& out_;
};

std::string line_break(std::string_view text) {
  return text.find("\r\n") == std::string_view::npos ? "\n" : "\r\n";
}

std::string key_of(const LogicalLine& line) {
  if (line.text.empty() || line.text[0] == '-') return "";
  try {
    return Requirement::parse(requirement_part(line.text)).key;
  } catch (const Error&) {
    return "";
  }
}

// The new requirement, and the comment of the line it replaces.
std::string replacement(std::string_view old_lines, const std::string& requirement) {
  const size_t first_break = old_lines.find('\n');
  std::string_view line = old_lines.substr(0, first_break);
  if (line.ends_with('\r')) line.remove_suffix(1);
  std::string_view code = without_comment(line);
  const std::string_view comment = line.substr(code.size());
  while (!code.empty() && (code.back() == ' ' || code.back() == '\t')) code.remove_suffix(1);
  std::string out = requirement;
  if (!comment.empty())
    out += std::string(line.substr(code.size(), line.size() - comment.size() - code.size())) + std::string(comment);
  return out + (first_break == std::string_view::npos ? "" : line_break(old_lines));
}

}  // namespace

EditPlan plan_edit(const std::vector<Requirement>& present, const Requirement& wanted) {
  EditPlan plan;
  plan.erase.resize(present.size());
  if (present.empty()) return plan;
  // A bare name asks for the package, not for forgetting what is said about it.
  const bool bare = wanted.extras.empty() && wanted.specifiers.empty() && wanted.url.empty() && wanted.marker.always();
  if (bare) return plan;
  for (size_t i = 0; i < present.size(); ++i) {
    if (present[i].text() == wanted.text()) return plan;
  }
  for (size_t i = 0; i < present.size(); ++i) {
    if (present[i].marker.text() != wanted.marker.text()) continue;
    plan.replace = i;
    return plan;
  }
  plan.replace = 0;
  for (size_t i = 1; i < present.size(); ++i) plan.erase[i] = true;
  return plan;
}

std::vector<LogicalLine> logical_lines(std::string_view text) {
  std::vector<LogicalLine> out;
  size_t number = 0;
  bool continues = false;
  for (size_t begin = 0; begin < text.size();) {
    const size_t stop = text.find('\n', begin);
    const size_t end = stop == std::string_view::npos ? text.size() : stop + 1;
    std::string_view line = text.substr(begin, end - begin);
    while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.remove_suffix(1);
    ++number;
    if (!continues) out.push_back({begin, end, number, ""});
    out.back().end = end;
    const bool comment_only = trim(line).starts_with("#");
    continues = !comment_only && line.ends_with('\\');
    if (continues) line.remove_suffix(1);
    out.back().text += without_comment(line);
    begin = end;
  }
  for (LogicalLine& line : out) line.text = std::string(trim(line.text));
  return out;
}

std::string requirement_part(const std::string& line) {
  if (line.empty() || line[0] == '-') return "";
  const size_t options = line.find(" --");
  const std::string_view rest = options == std::string::npos ? "" : std::string_view(line).substr(options);
  size_t at = rest.find("--");
  while (at != std::string_view::npos) {
    if (!rest.substr(at).starts_with("--hash")) {
      throw Error(ErrorKind::bad_input, "only --hash may follow a requirement", line);
    }
    at = rest.find(" --", at + 2);
    if (at != std::string_view::npos) ++at;
  }
  return std::string(trim(std::string_view(line).substr(0, options)));
}

void read_requirements_txt(const Path& path, const std::string& label, std::string_view text, ProjectFile& out) {
  RequirementsReader(out).read(path, label, text, false, 0);
}

std::string requirements_txt_with(const std::string& text, const std::vector<std::string>& requirements) {
  std::string out = text;
  for (const std::string& requirement : requirements) {
    const Requirement wanted = Requirement::parse(requirement);
    const std::vector<LogicalLine> lines = logical_lines(out);
    std::vector<size_t> same;
    std::vector<Requirement> present;
    for (size_t i = 0; i < lines.size(); ++i) {
      if (key_of(lines[i]) != wanted.key) continue;
      same.push_back(i);
      present.push_back(Requirement::parse(requirement_part(lines[i].text)));
    }
    const EditPlan plan = plan_edit(present, wanted);
    for (size_t i = same.size(); i-- > 0;) {
      const LogicalLine& line = lines[same[i]];
      const std::string_view old = std::string_view(out).substr(line.begin, line.end - line.begin);
      if (plan.replace == i) out.replace(line.begin, line.end - line.begin, replacement(old, requirement));
      if (plan.erase[i]) out.erase(line.begin, line.end - line.begin);
    }
    if (!same.empty()) continue;
    if (!out.empty() && !out.ends_with('\n')) out += line_break(out);
    // A last line that wants to go on must not swallow the new one.
    if (out.ends_with("\\\n") || out.ends_with("\\\r\n")) out += line_break(out);
    out += requirement + line_break(out);
  }
  return out;
}

std::string requirements_txt_without(const std::string& text, const std::vector<std::string>& names) {
  std::string out = text;
  for (const std::string& name : names) {
    bool done = false;
    std::vector<LogicalLine> lines = logical_lines(out);
    for (size_t i = lines.size(); i-- > 0;) {
      if (key_of(lines[i]) != normalize_name(name)) continue;
      out.erase(lines[i].begin, lines[i].end - lines[i].begin);
      done = true;
    }
    if (!done) throw Error(ErrorKind::not_found, fmt::format("`{}` is not among the requirements of this file", name));
  }
  return out;
}

}  // namespace dae::resolver
