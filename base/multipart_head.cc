#include "base/multipart_head.h"

#include <algorithm>

#include "base/error.h"
#include "base/strings.h"

namespace dae::multipart_detail {
namespace {

constexpr size_t kMaxNameBytes = 256;

bool is_token_char(char c) {
  return c > ' ' && c < 0x7f && std::string_view("()<>@,;:\\\"/[]?=").find(c) == std::string_view::npos;
}

bool is_plain(std::string_view text) {
  return std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

std::string_view take_blanks(std::string_view text) {
  return text.substr(std::min(text.find_first_not_of(" \t"), text.size()));
}

// A token or a quoted string off the front of `text`.
std::optional<std::string> take_word(std::string_view& text) {
  std::string word;
  if (!text.starts_with('"')) {
    const auto end = std::ranges::find_if_not(text, is_token_char);
    word.assign(text.begin(), end);
    text.remove_prefix(word.size());
    return word.empty() ? std::nullopt : std::optional(word);
  }
  for (size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '"') {
      text.remove_prefix(i + 1);
      return word;
    }
    // Only these two are ever escaped: old browsers send paths with bare backslashes.
    const bool escapes = text[i] == '\\' && i + 1 < text.size() && (text[i + 1] == '"' || text[i + 1] == '\\');
    word += text[escapes ? ++i : i];
  }
  return std::nullopt;
}

void set_disposition(PartHead& head, std::string_view text) {
  const auto field = parse_field(text);
  if (!field || field->value != "form-data") throw Error(ErrorKind::bad_input, "a part that is no `form-data`");
  if (field->find("filename*") != nullptr) {
    throw Error(ErrorKind::bad_input, "a part with `filename*`, which forms must not use (RFC 7578)");
  }
  const std::string* name = field->find("name");
  if (name == nullptr || name->empty() || name->size() > kMaxNameBytes || !is_plain(*name)) {
    throw Error(ErrorKind::bad_input, "a part without a usable name");
  }
  head.name = *name;
  if (const std::string* file = field->find("filename")) {
    if (file->size() > kMaxNameBytes || !is_plain(*file)) {
      throw Error(ErrorKind::bad_input, "a part with an unusable file name", head.name);
    }
    head.file_name = *file;
  }
}

}  // namespace

const std::string* Field::find(std::string_view name) const {
  const auto found = std::ranges::find(parameters, name, &std::pair<std::string, std::string>::first);
  return found == parameters.end() ? nullptr : &found->second;
}

std::optional<Field> parse_field(std::string_view text) {
  Field field;
  field.value = lower(trim(text.substr(0, text.find(';'))));
  if (field.value.empty() || !is_plain(field.value)) return std::nullopt;
  text.remove_prefix(std::min(text.find(';'), text.size()));
  while (!text.empty()) {
    if (text.front() != ';') return std::nullopt;
    text = take_blanks(text.substr(1));
    if (text.empty()) break;
    auto name = text.front() == '"' ? std::nullopt : take_word(text);
    if (!name || !text.starts_with('=')) return std::nullopt;
    text.remove_prefix(1);
    auto value = take_word(text);
    if (!value) return std::nullopt;
    *name = lower(*name);
    if (field.find(*name) != nullptr) return std::nullopt;
    field.parameters.emplace_back(std::move(*name), std::move(*value));
    text = take_blanks(text);
  }
  return field;
}

PartHead parse_head(std::string_view lines) {
  PartHead head;
  bool disposed = false;
  while (!lines.empty()) {
    const size_t end = std::min(lines.find("\r\n"), lines.size());
    const std::string_view line = lines.substr(0, end);
    lines.remove_prefix(std::min(end + 2, lines.size()));
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos || !std::ranges::all_of(line.substr(0, colon), is_token_char)) {
      throw Error(ErrorKind::bad_input, "a part with a line in its header that is no field");
    }
    const std::string_view value = trim(line.substr(colon + 1));
    if (iequals(line.substr(0, colon), "Content-Disposition")) {
      if (disposed) throw Error(ErrorKind::bad_input, "a part with two dispositions");
      disposed = true;
      set_disposition(head, value);
    } else if (iequals(line.substr(0, colon), "Content-Type")) {
      head.content_type = value;
    } else if (iequals(line.substr(0, colon), "Content-Transfer-Encoding") && !iequals(value, "binary") &&
               !iequals(value, "8bit") && !iequals(value, "7bit")) {
      throw Error(ErrorKind::bad_input, "a part in a transfer encoding, which forms must not use (RFC 7578)");
    }
  }
  if (!disposed) throw Error(ErrorKind::bad_input, "a part without `Content-Disposition`");
  return head;
}

}  // namespace dae::multipart_detail
