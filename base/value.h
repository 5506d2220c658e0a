#pragma once
// One small tree for JSON, YAML and TOML alike, where every node knows the line and column it was read from, so that
// a wrong key or type is answered with file:line:column and the nearest known key.
// Values are plain data: copy, compare, build in code with `Value::object({...})`, write as canonical JSON.
#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.h"
#include "base/fs.h"

namespace dae {

struct Position {
  uint32_t line = 0;    // from 1; 0: made in code
  uint32_t column = 0;  // from 1, in bytes
};

class Value {
 public:
  enum class Type { null, boolean, integer, real, string, array, object };
  using Array = std::vector<Value>;
  // Keys in order of appearance; duplicate keys are refused while reading.
  using Member = std::pair<std::string, Value>;
  using Object = std::vector<Member>;

  Value() = default;
  Value(std::nullptr_t) {}
  Value(bool value) : data_(value) {}
  Value(int value) : data_(static_cast<int64_t>(value)) {}
  Value(unsigned value) : data_(static_cast<int64_t>(value)) {}
  Value(long value) : data_(static_cast<int64_t>(value)) {}
  Value(long long value) : data_(static_cast<int64_t>(value)) {}
  Value(unsigned long value) : data_(static_cast<int64_t>(value)) {}
  Value(unsigned long long value) : data_(static_cast<int64_t>(value)) {}
  Value(double value) : data_(value) {}
  Value(const char* value) : data_(std::string(value)) {}
  Value(std::string_view value) : data_(std::string(value)) {}
  Value(std::string value) : data_(std::move(value)) {}
  Value(Array value) : data_(std::move(value)) {}
  static Value array() { return Value(Array{}); }
  static Value object(std::initializer_list<Member> members = {});
  static Value from_members(Object members);  // the keys must differ
  template <typename Strings>
  static Value strings(const Strings& items) {
    Array out;
    for (const auto& item : items) out.emplace_back(std::string_view(item));
    return Value(std::move(out));
  }

  Type type() const { return static_cast<Type>(data_.index()); }
  std::string_view type_name() const;  // "a string", "a list", "a mapping", …: for messages
  bool is_null() const { return type() == Type::null; }
  bool is_string() const { return type() == Type::string; }
  bool is_array() const { return type() == Type::array; }
  bool is_object() const { return type() == Type::object; }
  bool is_integer() const { return type() == Type::integer; }
  bool is_bool() const { return type() == Type::boolean; }

  // Checked access: a wrong type throws Error bad_input with the position ("3:7: expected a string, found a list").
  // Readers of documents normally use `Reader` below, which also knows the file.
  const std::string& as_string() const;
  int64_t as_integer() const;
  double as_real() const;  // integers too
  bool as_bool() const;
  const Array& as_array() const;
  const Object& as_object() const;

  // Object access. `find` returns nullptr when absent or when this is no object; `at` throws not_found.
  const Value* find(std::string_view key) const;
  const Value& at(std::string_view key) const;
  Value& set(std::string key, Value value);  // replaces or appends; returns *this for chaining
  bool erase(std::string_view key);
  void push_back(Value value);  // null becomes an array
  size_t size() const;          // of an array or object, else 0

  // Absent or null gives the fallback; a wrong type throws.
  std::string get_string(std::string_view key, std::string_view fallback = "") const;
  int64_t get_integer(std::string_view key, int64_t fallback = 0) const;
  bool get_bool(std::string_view key, bool fallback = false) const;
  std::vector<std::string> get_strings(std::string_view key) const;  // list of strings, else empty

  Position position;
  Position key_position;  // of the key that names this value in its mapping
  // Positions and key order do not count; 1 equals 1.0, because JSON cannot tell them apart.
  bool operator==(const Value& other) const;

 private:
  std::variant<std::monostate, bool, int64_t, double, std::string, Array, Object> data_;
};

// A parsed file: the tree and the name to print before its positions.
struct Document {
  std::string name;
  Value root;
};

// Each throws Error bad_input "NAME:LINE:COLUMN: …". `name` is a path or a URL, used in messages only.
// Depth is limited to 200 and input size by the caller.
Document parse_json(std::string_view text, std::string name);
Document parse_yaml(std::string_view text, std::string name);  // YAML 1.2 core schema scalars; anchors refused
Document parse_toml(std::string_view text, std::string name);  // dates become strings in RFC 3339 form
Document read_yaml_file(const Path& path);
Document read_json_file(const Path& path);

// Canonical: keys sorted bytewise, no white space, UTF-8, shortest number form, "\u00xx" only where required.
std::string canonical_json(const Value& value);
// For people and for files under version control: two-space indent, keys in the order they have.
std::string pretty_json(const Value& value);
std::string json_string(std::string_view text);  // quoted and escaped

// Reads one mapping of a document strictly: every key must be asked for, else `finish()` names the stray one with
// its position and the nearest known key.
//   Reader r(document);  auto name = r.required_string("name");  ...  r.finish();
class Reader {
 public:
  explicit Reader(const Document& document);
  Reader(const std::string& file, const Value& object, std::string where);  // `where`: "instances.web"

  bool has(std::string_view key) const;
  const Value* optional(std::string_view key);  // marks the key as known; null counts as absent
  const Value& required(std::string_view key);
  std::string required_string(std::string_view key);
  std::string string(std::string_view key, std::string_view fallback = "");
  int64_t integer(std::string_view key, int64_t fallback, int64_t min = INT64_MIN, int64_t max = INT64_MAX);
  bool boolean(std::string_view key, bool fallback);
  int64_t duration_ms(std::string_view key, int64_t fallback_ms);
  std::vector<std::string> strings(std::string_view key);  // a string counts as a list of one
  std::map<std::string, std::string> string_map(std::string_view key);
  std::optional<Reader> object(std::string_view key);
  void finish() const;  // throws on unknown keys

  const std::string& file() const { return *file_; }
  const Value& value() const { return *value_; }
  const std::string& where() const { return where_; }
  // An Error bad_input at the position of `node`: "app.yaml:3:5: message".
  Error error_at(const Value& node, std::string message, std::string hint = "") const;

 private:
  Error unknown_key(const std::string& key, const Value& value, const std::string& nearest) const;
  const std::string* file_;
  const Value* value_;
  std::string where_;
  std::vector<std::string> known_;
};

// The candidate with the smallest edit distance, when it is near enough to be a typing slip; else empty.
std::string nearest_name(std::string_view name, const std::vector<std::string>& candidates);

}  // namespace dae
