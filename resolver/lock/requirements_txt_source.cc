#include "resolver/lock/requirements_txt_source.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/http.h"
#include "base/strings.h"
#include "resolver/lock/requirements_txt_options.h"
#include "resolver/source/direct_reference.h"
#include "resolver/standards/names.h"
#include "resolver/standards/scanner.h"

namespace dae::resolver {
namespace {

constexpr size_t npos = std::string_view::npos;

// Runs `parse` on a part of the line; a fault in it is told with the column of the line.
template <typename Parse>
auto shifted(size_t by, const Parse& parse) {
  try {
    return parse();
  } catch (const Error& error) {
    const LineFault fault = line_fault(error);
    fail_at(fault.offset + by, fault.message, fault.hint);
  }
}

// "name @ …", "name[extra]@…".
bool is_named_reference(std::string_view text) {
  size_t at = 0;
  while (at < text.size() && is_name_char(text[at])) ++at;
  if (!is_valid_name(text.substr(0, at))) return false;
  const auto skip = [&] {
    while (at < text.size() && (text[at] == ' ' || text[at] == '\t')) ++at;
  };
  skip();
  if (at < text.size() && text[at] == '[') at = std::min(text.find(']', at), text.size() - 1) + 1;
  skip();
  return at < text.size() && text[at] == '@';
}

// "https://", "git+ssh://", "file:": a scheme in front.
bool is_address(std::string_view text) {
  const size_t colon = text.find(':');
  if (colon == npos || colon == 0) return false;
  const bool scheme = std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(colon),
                                  [](char c) { return c == '+' || (is_name_char(c) && c != '_'); });
  return scheme && (text.substr(colon).starts_with("://") || iequals(text.substr(0, colon), "file"));
}

bool is_repository(std::string_view url) {
  return url.substr(0, url.find(':')).find('+') != npos;
}

bool looks_like_path(std::string_view text) {
  if (text.starts_with('.') || text.find('/') != npos) return true;
  return text.find_first_of("<>=!~ \t") == npos && has_distribution_ending(lower(text));
}

std::vector<std::string> parse_extras(std::string_view bracketed) {
  return Requirement::parse("x" + std::string(bracketed)).extras;
}

// Takes "[extra]" off the end.
void take_extras(std::string& text, Requirement& out) {
  const size_t open = text.rfind('[');
  if (!text.ends_with(']') || open == npos || open == 0) return;
  out.extras = shifted(open > 0 ? open - 1 : 0, [&] { return parse_extras(std::string_view(text).substr(open)); });
  text.resize(open);
  text.resize(trim(text).size());
}

void set_name(Requirement& out, const std::string& name) {
  out.name = name;
  out.key = normalize_name(name);
}

// "#egg=name[extra]" of an address; the file name of a wheel.
void find_name(Requirement& out) {
  const size_t hash = out.url.find('#');
  if (hash != npos) {
    for (const std::string& part : split(std::string_view(out.url).substr(hash + 1), '&')) {
      if (!part.starts_with("egg=")) continue;
      const std::string egg = percent_decode(std::string_view(part).substr(4));
      const std::string name = egg.substr(0, egg.find('['));
      if (!is_valid_name(name)) fail_at(hash, "`#egg=` is not followed by a name", "write `name @ address`");
      set_name(out, name);
      if (name.size() < egg.size()) out.extras = shifted(hash, [&] { return parse_extras(egg.substr(name.size())); });
    }
  }
  const std::string path = out.url.substr(0, std::min(out.url.find_first_of("?#"), out.url.size()));
  if (!out.name.empty() || is_repository(out.url) || !path.ends_with(".whl")) return;
  const std::string file_name = percent_decode(path.substr(path.rfind('/') + 1));
  const auto wheel = parse_wheel_name(file_name);
  if (!wheel) fail_at(0, fmt::format("`{}` is not the file name of a wheel", file_name));
  set_name(out, wheel->distribution);
}

void check_address(std::string_view url) {
  if (url.find_first_of(" \t") != npos) fail_at(url.find_first_of(" \t"), "a blank in an address");
  const size_t plus = url.substr(0, url.find(':')).find('+');
  const std::string vcs = plus == npos ? "" : lower(url.substr(0, plus));
  if (plus != npos && vcs != "git" && vcs != "hg") {
    fail_at(0, fmt::format("repositories of `{}` are not supported", vcs), "git and Mercurial are");
  }
}

void check_short_form(std::string_view text) {
  if (const auto long_form = long_ssh_form(text)) {
    fail_at(0, "the short form of ssh addresses is not understood", "write `" + *long_form + "`");
  }
}

Requirement address(std::string_view text, const PathPlaces& places) {
  check_address(text);
  Requirement out;
  out.url = text;
  if (lower(text.substr(0, 5)) == "file:") {
    take_extras(out.url, out);
    const std::string rest = out.url.substr(5);
    // "file:./dir" is no URL of RFC 8089, but pip takes it.
    if (!rest.starts_with('/')) out.url = local_reference(percent_decode(rest), places);
  }
  find_name(out);
  return out;
}

Requirement path_requirement(std::string_view text, const PathPlaces& places) {
  Requirement out;
  std::string path(text);
  take_extras(path, out);
  out.url = local_reference(path, places);
  find_name(out);
  return out;
}

void add_marker(Requirement& out, std::string_view line, size_t separator) {
  if (separator == npos) return;
  const std::string_view text = line.substr(separator + 1);
  if (trim(text).empty()) return;
  out.marker = shifted(separator + 1, [&] { return Marker::parse(text); });
}

bool is_there(const Path& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

bool is_folder(const Path& dir, const Path& path) {
  std::error_code ignored;
  return !dir.empty() && std::filesystem::is_directory(dir / path, ignored);
}

Requirement plain(std::string_view text) {
  try {
    return Requirement::parse(text);
  } catch (const Error& error) {
    const LineFault fault = line_fault(error);
    const bool one_equals = text.find('=') != npos && text.find_first_of("<>!~") == npos && text.find("==") == npos;
    std::string hint = fault.hint;
    if (hint.empty() && one_equals) hint = "`==` asks for one version";
    if (hint.empty() && text.ends_with('\\')) hint = "a blank follows the `\\` that was to continue the line";
    fail_at(fault.offset, fault.message, hint);
  }
}

Requirement named(std::string_view text, const PathPlaces& places) {
  Requirement out = plain(text);
  if (out.url.empty() || is_address(out.url)) {
    if (!out.url.empty()) shifted(text.find('@') + 1, [&] { check_address(out.url); });
    return out;
  }
  out.url = local_reference(out.url, places);
  return out;
}

}  // namespace

std::string local_reference(std::string_view path, const PathPlaces& places) {
  const Path given(path);
  Path out = given;
  if (given.is_relative() && !places.app_dir.empty() && !places.file_dir.empty()) {
    const std::string without_fragment(path.substr(0, path.find('#')));
    const Path beside = (places.file_dir / without_fragment).lexically_normal();
    if (!is_there(places.app_dir / without_fragment) && is_there(beside)) {
      out = beside.lexically_relative(places.app_dir.lexically_normal());
      if (out.empty()) out = std::filesystem::absolute(beside);
      if (without_fragment.size() < path.size()) out += path.substr(without_fragment.size());
    }
  }
  const std::string text = out.string();
  return text == "." || text == ".." || text.starts_with("./") || text.starts_with("../") || out.is_absolute()
             ? text
             : "./" + text;
}

Requirement requirement_of_line(std::string_view text, const PathPlaces& places) {
  check_short_form(text);
  if (is_named_reference(text)) return named(text, places);
  if (is_address(text)) {
    // A ';' may be part of an address: only one with a blank at its side ends it.
    size_t separator = std::min(text.find("; "), text.find(" ;"));
    if (separator != npos && text[separator] == ' ') ++separator;
    Requirement out = address(trim(text.substr(0, separator)), places);
    add_marker(out, text, separator);
    return out;
  }
  const size_t separator = text.find(';');
  const std::string_view before = trim(text.substr(0, separator));
  if (!looks_like_path(before)) return plain(text);
  Requirement out = path_requirement(before, places);
  add_marker(out, text, separator);
  return out;
}

Requirement editable_requirement(std::string_view value, const PathPlaces& places) {
  check_short_form(value);
  if (is_named_reference(value)) {
    Requirement out = named(value, places);
    const bool local = !is_address(out.url) || lower(out.url.substr(0, 5)) == "file:";
    if (!local && !is_repository(out.url)) fail_at(0, "an editable must be a directory or a repository");
    return out;
  }
  for (const std::string_view vcs : {"git", "hg"}) {  // pip's own short form: "git:…" is "git+git:…"
    if (lower(value.substr(0, vcs.size() + 1)) == std::string(vcs) + ":") {
      return address(std::string(vcs) + "+" + std::string(value), places);
    }
  }
  if (is_address(value)) {
    if (!is_repository(value) && lower(value.substr(0, 5)) != "file:") {
      fail_at(0, "an editable must be a directory or a repository", "leave `-e` out to install the file");
    }
    return address(value, places);
  }
  const Path given(value.substr(0, value.find('[')));
  const bool there = is_folder(places.app_dir, given) || is_folder(places.file_dir, given);
  if (!there && (!value.starts_with('.') && value.find('/') == npos)) {
    fail_at(0, fmt::format("`{}` is neither a directory nor the address of a repository", value.substr(0, 100)));
  }
  return path_requirement(value, places);
}

}  // namespace dae::resolver
