// Edits of a requirements file: everything outside the lines concerned stays byte for byte.
#include <fmt/format.h>

#include "base/error.h"
#include "base/strings.h"
#include "resolver/lock/requirements_txt.h"
#include "resolver/lock/requirements_txt_lines.h"
#include "resolver/lock/requirements_txt_options.h"
#include "resolver/lock/requirements_txt_source.h"
#include "resolver/standards/names.h"

namespace dae::resolver {

namespace {

constexpr const char* kFile = "the requirements file";

std::string line_break(std::string_view text) {
  return text.find("\r\n") == std::string_view::npos ? "\n" : "\r\n";
}

// What a line requires; nullopt for other options and what is not understood.
std::optional<Requirement> requirement_of(std::string_view text) {
  if (text.empty()) return std::nullopt;
  try {
    const SplitLine split = split_line(text);
    if (!split.requirement.empty()) return requirement_of_line(split.requirement, {});
    if (split.options.size() == 1 && split.options[0].name == "--editable") {
      return editable_requirement(split.options[0].value, {});
    }
  } catch (const Error&) {
  }
  return std::nullopt;
}

Requirement wanted_requirement(const std::string& text) {
  try {
    const SplitLine split = split_line(text);
    if (!split.requirement.empty()) return requirement_of_line(split.requirement, {});
    if (split.options.size() == 1 && split.options[0].name == "--editable") {
      return editable_requirement(split.options[0].value, {});
    }
    fail_at(0, "expected a requirement");
  } catch (const Error& error) {
    const LineFault fault = line_fault(error);
    throw Error(ErrorKind::bad_input, fault.message, text, fault.hint);
  }
}

// By name, or where there is none by the address itself.
bool is_same_package(const Requirement& a, const Requirement& b) {
  return a.key.empty() || b.key.empty() ? a.key == b.key && a.url == b.url : a.key == b.key;
}

// Where the comment of the line's last part starts, blanks before it included; the end of the line without one.
size_t comment_start(std::string_view line) {
  size_t at = 0;
  while (at < line.size() && !(line[at] == '#' && (at == 0 || line[at - 1] == ' ' || line[at - 1] == '\t'))) ++at;
  if (at == line.size()) return at;
  while (at > 0 && (line[at - 1] == ' ' || line[at - 1] == '\t')) --at;
  return at;
}

// The new requirement, and the comment of the line it replaces.
std::string replacement(std::string_view old_lines, const std::string& requirement) {
  const size_t first_break = old_lines.find_first_of("\r\n");
  const std::string_view line = old_lines.substr(0, first_break);
  std::string out = requirement + std::string(line.substr(comment_start(line)));
  return out + (first_break == std::string_view::npos ? "" : line_break(old_lines));
}

void append_line(std::string& text, const std::string& requirement) {
  const std::string end = line_break(text);
  if (!text.empty() && !text.ends_with('\n')) text += end;
  // A last line that wants to go on must not swallow the new one.
  if (text.ends_with("\\\n") || text.ends_with("\\\r\n")) text += end;
  text += requirement + end;
}

void add_line(std::string& text, const std::string& requirement) {
  const Requirement wanted = wanted_requirement(requirement);
  const std::vector<LogicalLine> lines = logical_lines(text);
  std::vector<size_t> same;
  std::vector<Requirement> present;
  for (size_t i = 0; i < lines.size(); ++i) {
    const auto here = requirement_of(lines[i].text);
    if (!here || !is_same_package(*here, wanted)) continue;
    same.push_back(i);
    present.push_back(*here);
  }
  if (same.empty()) return append_line(text, requirement);
  const EditPlan plan = plan_edit(present, wanted);
  for (size_t i = same.size(); i-- > 0;) {
    const LogicalLine& line = lines[same[i]];
    const std::string_view old = std::string_view(text).substr(line.begin, line.end - line.begin);
    if (plan.replace == i) text.replace(line.begin, line.end - line.begin, replacement(old, requirement));
    if (plan.erase[i]) text.erase(line.begin, line.end - line.begin);
  }
}

bool erase_lines(std::string& text, const std::string& name) {
  bool done = false;
  const std::vector<LogicalLine> lines = logical_lines(text);
  const std::string key = normalize_name(name);
  for (size_t i = lines.size(); i-- > 0;) {
    const auto here = requirement_of(lines[i].text);
    if (!here || (here->key.empty() ? here->url != name : here->key != key)) continue;
    text.erase(lines[i].begin, lines[i].end - lines[i].begin);
    done = true;
  }
  return done;
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

std::string requirements_txt_with(const std::string& bytes, const std::vector<std::string>& requirements) {
  const DecodedFile file = decode_requirements_file(bytes, kFile);
  std::string text = file.text;
  for (const std::string& requirement : requirements) add_line(text, requirement);
  return text == file.text ? bytes : encode_requirements_file(file, text);
}

std::string requirements_txt_without(const std::string& bytes, const std::vector<std::string>& names) {
  const DecodedFile file = decode_requirements_file(bytes, kFile);
  std::string text = file.text;
  for (const std::string& name : names) {
    if (erase_lines(text, name)) continue;
    throw Error(ErrorKind::not_found, fmt::format("`{}` is not among the requirements of this file", name));
  }
  return encode_requirements_file(file, text);
}

}  // namespace dae::resolver
