// Writing JSON: one canonical form whose bytes are hashed, one for people.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/value_text.h"

namespace dae {

namespace {

void append_escape(std::string& out, unsigned char c) {
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\b':
      out += "\\b";
      return;
    case '\f':
      out += "\\f";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
  }
}

void append_string(std::string& out, std::string_view text) {
  out += '"';
  size_t good = text.size();
  while (!text.empty()) {
    good = value_detail::first_invalid_utf8(text).value_or(text.size());
    for (const char c : text.substr(0, good)) {
      const auto byte = static_cast<unsigned char>(c);
      if (byte < 0x20 || c == '"' || c == '\\') {
        append_escape(out, byte);
      } else {
        out += c;
      }
    }
    text.remove_prefix(good);
    if (text.empty()) break;
    // JSON between systems is UTF-8 (RFC 8259 section 8.1); a program's output may be anything.
    out += "\xEF\xBF\xBD";
    text.remove_prefix(1);
  }
  out += '"';
}

void append_real(std::string& out, double real) {
  if (!std::isfinite(real)) throw Error(ErrorKind::failed, "JSON cannot hold a number that is not finite");
  char buffer[40];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, real).ptr;
  out.append(buffer, end);
}

class JsonWriter {
 public:
  explicit JsonWriter(bool pretty) : pretty_(pretty) {}

  std::string write(const Value& value) {
    node(value, 0);
    if (pretty_) out_ += '\n';
    return std::move(out_);
  }

 private:
  void node(const Value& value, int depth) {
    if (depth > value_detail::kMaxDepth) throw Error(ErrorKind::failed, "a value is nested too deeply for JSON");
    switch (value.type()) {
      case Value::Type::null:
        out_ += "null";
        break;
      case Value::Type::boolean:
        out_ += value.as_bool() ? "true" : "false";
        break;
      case Value::Type::integer:
        out_ += fmt::format("{}", value.as_integer());
        break;
      case Value::Type::real:
        append_real(out_, value.as_real());
        break;
      case Value::Type::string:
        append_string(out_, value.as_string());
        break;
      case Value::Type::array:
        array(value.as_array(), depth);
        break;
      case Value::Type::object:
        object(value.as_object(), depth);
        break;
    }
  }

  void array(const Value::Array& items, int depth) {
    out_ += '[';
    for (const Value& item : items) {
      separate(&item == &items.front(), depth + 1);
      node(item, depth + 1);
    }
    close(items.empty(), depth);
    out_ += ']';
  }

  void object(const Value::Object& members, int depth) {
    std::vector<const Value::Member*> order;
    for (const auto& member : members) order.push_back(&member);
    if (!pretty_) {
      std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) { return a->first < b->first; });
    }
    out_ += '{';
    for (const auto* member : order) {
      separate(member == order.front(), depth + 1);
      append_string(out_, member->first);
      out_ += pretty_ ? ": " : ":";
      node(member->second, depth + 1);
    }
    close(members.empty(), depth);
    out_ += '}';
  }

  void separate(bool first, int depth) {
    if (!first) out_ += ',';
    if (pretty_) line(depth);
  }
  void close(bool empty, int depth) {
    if (pretty_ && !empty) line(depth);
  }
  void line(int depth) {
    out_ += '\n';
    out_.append(static_cast<size_t>(depth) * 2, ' ');
  }

  bool pretty_;
  std::string out_;
};

}  // namespace

std::string canonical_json(const Value& value) {
  return JsonWriter(false).write(value);
}
std::string pretty_json(const Value& value) {
  return JsonWriter(true).write(value);
}

std::string json_string(std::string_view text) {
  std::string out;
  append_string(out, text);
  return out;
}

}  // namespace dae
