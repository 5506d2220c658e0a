#include "base/archive_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "base/value_text.h"

namespace dae::archive_detail {

namespace {

constexpr size_t kLongestName = 4095;      // PATH_MAX without its NUL
constexpr size_t kLongestComponent = 255;  // NAME_MAX
constexpr size_t kLongestShown = 200;

// ASCII's and, in UTF-8, Unicode's second set (U+0080 to U+009F): a terminal acts on both.
bool is_control(std::string_view text, size_t at) {
  const auto byte = static_cast<unsigned char>(text[at]);
  if (byte == 0xC2 && at + 1 < text.size()) return static_cast<unsigned char>(text[at + 1]) < 0xA0;
  return byte < 0x20 || byte == 0x7F;
}

bool has_odd_character(std::string_view name) {
  for (size_t at = 0; at < name.size(); ++at) {
    if (name[at] == '\\' || is_control(name, at)) return true;
  }
  return false;
}

}  // namespace

std::optional<std::string> safe_name(std::string_view name) {
  if (name.empty() || name.front() == '/' || name.size() > kLongestName || has_odd_character(name)) return std::nullopt;
  if (value_detail::first_invalid_utf8(name)) return std::nullopt;
  std::string out;
  for (const std::string& part : split(name, '/')) {
    if (part.empty() || part == ".") continue;
    if (part == ".." || part.size() > kLongestComponent) return std::nullopt;
    if (!out.empty()) out += '/';
    out += part;
  }
  return out;
}

std::string shown(std::string_view name) {
  const bool utf8 = !value_detail::first_invalid_utf8(name);
  std::string out;
  for (size_t at = 0; at < name.size(); ++at) {
    const auto byte = static_cast<unsigned char>(name[at]);
    if (out.size() > kLongestShown && (!utf8 || (byte & 0xC0) != 0x80)) return out + "…";
    if (is_control(name, at) || (byte >= 0x80 && !utf8)) {
      out += fmt::format("\\x{:02x}", byte);
      // The second byte of a control character is none by itself.
      if (byte == 0xC2 && utf8) out += fmt::format("\\x{:02x}", static_cast<unsigned char>(name[++at]));
    } else {
      out += name[at];
    }
  }
  return out;
}

std::string strip_components(const std::string& name, int count) {
  size_t at = 0;
  for (int i = 0; i < count; ++i) {
    const size_t slash = name.find('/', at);
    if (slash == std::string::npos) return "";
    at = slash + 1;
  }
  return name.substr(at);
}

void NameGuard::refuse(const std::string& message) const {
  throw Error(ErrorKind::bad_input, message, archive_.string());
}

NameGuard::Seen* NameGuard::find(const std::string& name) {
  const auto found = seen_.find(lower(name));
  if (found == seen_.end()) return nullptr;
  if (found->second.name != name) {
    refuse(fmt::format("the names `{}` and `{}` differ only in case", found->second.name, name));
  }
  return &found->second;
}

void NameGuard::accept_parents(const std::string& name) {
  const size_t last = name.rfind('/');
  if (last == std::string::npos || name.compare(0, last, parent_) == 0) return;
  for (size_t slash = name.find('/'); slash != std::string::npos; slash = name.find('/', slash + 1)) {
    const std::string parent = name.substr(0, slash);
    const Seen* seen = find(parent);
    if (!seen) {
      seen_.emplace(lower(parent), Seen{parent, EntryKind::directory, false});
    } else if (seen->kind == EntryKind::link) {
      refuse(fmt::format("`{}` would be written through the link `{}`", name, parent));
    } else if (seen->kind == EntryKind::file) {
      refuse(fmt::format("`{}` is a file and a directory", parent));
    }
  }
  parent_ = name.substr(0, last);
}

// `..` only in front: after a name that may itself be a link, `..` does not lead back to where the text says.
void NameGuard::check_link(const std::string& name, std::string_view target) const {
  const auto escapes = [&] {
    refuse(fmt::format("the link `{}` leaves the archive (`{}`)", shown(name), shown(target)));
  };
  if (target.empty() || target.front() == '/' || target.size() > kLongestName || has_odd_character(target)) escapes();
  auto depth = std::count(name.begin(), name.end(), '/');
  bool descending = false;
  for (const std::string& part : split(target, '/')) {
    if (part.empty() || part == ".") continue;
    if (part != "..") {
      descending = true;
    } else if (descending || --depth < 0) {
      escapes();
    }
  }
}

bool NameGuard::accept(const std::string& name, EntryKind kind, std::string_view link_target) {
  accept_parents(name);
  if (Seen* seen = find(name)) {
    if (seen->kind == EntryKind::directory && kind == EntryKind::directory) return !std::exchange(seen->listed, true);
    if (seen->kind != kind && seen->kind != EntryKind::link && kind != EntryKind::link) {
      refuse(fmt::format("`{}` is a file and a directory", name));
    }
    refuse(fmt::format("`{}` is in it twice", name));
  }
  if (kind == EntryKind::link) check_link(name, link_target);
  seen_.emplace(lower(name), Seen{name, kind, true});
  return true;
}

}  // namespace dae::archive_detail
