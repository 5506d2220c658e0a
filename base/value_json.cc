// Reading JSON (RFC 8259). simdjson finds the structure and unescapes strings; numbers and literals are checked here on
// their raw text, because on-demand parsing would round large integers and accepts nothing we could place in a column.
#include <fmt/format.h>
#include <simdjson.h>

#include <charconv>
#include <cmath>

#include "base/value_text.h"

namespace dae {

namespace {

namespace json = simdjson::ondemand;
using value_detail::kMaxDepth;

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// RFC 8259 section 6. Returns 0 when it is no number, 'i' for an integer, 'r' for one with fraction or exponent.
char number_form(std::string_view text) {
  size_t at = 0;
  char form = 'i';
  const auto digits = [&] {
    const size_t start = at;
    while (at < text.size() && is_digit(text[at])) ++at;
    return at - start;
  };
  if (at < text.size() && text[at] == '-') ++at;
  const size_t first = at;
  const size_t whole = digits();
  if (whole == 0 || (whole > 1 && text[first] == '0')) return 0;
  if (at < text.size() && text[at] == '.') {
    ++at;
    form = 'r';
    if (digits() == 0) return 0;
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    form = 'r';
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    if (digits() == 0) return 0;
  }
  return at == text.size() ? form : '\0';
}

class JsonReader {
 public:
  JsonReader(std::string_view text, const std::string& name) : padded_(text), name_(name), positions_(padded_) {}

  Value read() {
    const size_t start = first_token();
    auto begun = parser_.iterate(padded_);
    if (begun.error()) fail_early(begun.error());
    json::document document = std::move(begun).value_unsafe();
    document_ = &document;
    const char first = padded_.data()[start];
    if (first != '{' && first != '[' && first != '"') return read_root_literal(start);
    Value root = first == '"' ? read_scalar(take(document.raw_json_token()), [&] { return document.get_string(); })
                              : read_node(take(document.get_value()), 1);
    const auto rest = document.current_location();
    if (!rest.error()) fail(offset_of(rest.value_unsafe()), "more text after the end of the document");
    return root;
  }

 private:
  size_t first_token() const {
    const std::string_view text = padded_;
    size_t at = 0;
    while (at < text.size() && is_space(text[at])) ++at;
    if (at == text.size()) throw value_detail::error_at(name_, {1, 1}, "the document is empty");
    return at;
  }

  [[noreturn]] void fail(size_t offset, std::string message, std::string hint = "") {
    throw value_detail::error_at(name_, positions_.at(offset), std::move(message), std::move(hint));
  }

  // Faults of the structure as a whole, for which simdjson tells no place.
  [[noreturn]] void fail_early(simdjson::error_code code) {
    const std::string_view text = padded_;
    value_detail::require_utf8(text, name_);
    size_t open = std::string_view::npos;
    for (size_t at = 0; at < text.size(); ++at) {
      if (open == std::string_view::npos) {
        if (text[at] == '"') open = at;
      } else if (text[at] == '\\') {
        ++at;
      } else if (text[at] == '"') {
        open = std::string_view::npos;
      } else if (static_cast<unsigned char>(text[at]) < 0x20) {
        fail(at, "a control character in a string", "write it as an escape, or close the string");
      }
    }
    if (open != std::string_view::npos) fail(open, "a string is not closed");
    fail(text.size(), describe(code));
  }

  static std::string describe(simdjson::error_code code) {
    switch (code) {
      case simdjson::INCOMPLETE_ARRAY_OR_OBJECT:
        return "a list or mapping is not closed";
      case simdjson::STRING_ERROR:
        return "invalid escape in a string";
      case simdjson::TAPE_ERROR:
        return "expected `,`, `:` or a closing bracket";
      default:
        return fmt::format("invalid JSON ({})", simdjson::error_message(code));
    }
  }

  template <typename T>
  T take(simdjson::simdjson_result<T> result) {
    if (result.error()) {
      size_t offset = last_;
      const auto place = document_->current_location();
      if (!place.error() && result.error() != simdjson::STRING_ERROR) offset = offset_of(place.value_unsafe());
      fail(offset, describe(result.error()));
    }
    return std::forward<simdjson::simdjson_result<T>>(result).value_unsafe();
  }

  size_t offset_of(const char* place) const {
    const auto offset = place - padded_.data();
    return offset < 0 ? 0 : std::min(static_cast<size_t>(offset), padded_.size());
  }

  Value read_node(json::value node, int depth) {
    const std::string_view token = node.raw_json_token();
    last_ = offset_of(token.data());
    const char first = token.empty() ? '\0' : token.front();
    if (first != '{' && first != '[') return read_scalar(token, [&] { return node.get_string(); });
    if (depth > kMaxDepth) fail(last_, fmt::format("nested deeper than {} levels", kMaxDepth));
    const Position position = positions_.at(last_);
    Value out = first == '{' ? read_object(take(node.get_object()), depth) : read_array(take(node.get_array()), depth);
    out.position = position;
    return out;
  }

  Value read_array(json::array items, int depth) {
    Value::Array out;
    for (auto item : items) out.push_back(read_node(take(item), depth + 1));
    return Value(std::move(out));
  }

  Value read_object(json::object fields, int depth) {
    Value::Object out;
    for (auto item : fields) {
      auto field = take(std::move(item));
      last_ = offset_of(field.key().raw()) - 1;
      const Position position = positions_.at(last_);
      std::string key(take(field.unescaped_key()));
      out.emplace_back(std::move(key), read_node(field.value(), depth + 1));
      out.back().second.key_position = position;
    }
    value_detail::refuse_duplicate_keys(out, name_);
    return Value::from_members(std::move(out));
  }

  template <typename GetString>
  Value read_scalar(std::string_view token, const GetString& get_string) {
    last_ = offset_of(token.data());
    while (!token.empty() && is_space(token.back())) token.remove_suffix(1);
    const Position position = positions_.at(last_);
    Value out = !token.empty() && token.front() == '"' ? Value(std::string_view(take(get_string()))) : literal(token);
    out.position = position;
    return out;
  }

  Value literal(std::string_view token) {
    if (token == "null") return Value();
    if (token == "true" || token == "false") return Value(token == "true");
    return number(token);
  }

  // A document may be one bare number or word (RFC 8259 section 2).
  Value read_root_literal(size_t start) {
    std::string_view token = std::string_view(padded_).substr(start);
    while (is_space(token.back())) token.remove_suffix(1);
    last_ = start;
    Value out = literal(token);
    out.position = positions_.at(start);
    return out;
  }

  Value number(std::string_view token) {
    const char form = number_form(token);
    if (form == 0) fail(last_, fmt::format("expected a value, found `{}`", token.substr(0, 40)));
    const char* end = token.data() + token.size();
    if (form == 'i') {
      int64_t whole = 0;
      if (std::from_chars(token.data(), end, whole).ec == std::errc()) return Value(whole);
      fail(last_, "the integer does not fit into 64 bits", "write it as a string");
    }
    double real = 0;
    if (std::from_chars(token.data(), end, real).ec != std::errc() || !std::isfinite(real)) {
      fail(last_, "the number is out of range");
    }
    return Value(real);
  }

  simdjson::padded_string padded_;
  const std::string& name_;
  value_detail::PositionFinder positions_;
  json::parser parser_;
  json::document* document_ = nullptr;
  size_t last_ = 0;  // offset of the token being read, for faults that tell no place
};

}  // namespace

Document parse_json(std::string_view text, std::string name) {
  Document out{std::move(name), {}};
  out.root = JsonReader(text, out.name).read();
  return out;
}

Document read_json_file(const Path& path) {
  return parse_json(read_file(path), path.string());
}

}  // namespace dae
