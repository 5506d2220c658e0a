#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "base/clock.h"
#include "base/strings.h"
#include "base/value_text.h"

namespace dae {

namespace {

std::string dotted(const std::string& where, std::string_view key) {
  return where.empty() ? std::string(key) : fmt::format("{}.{}", where, key);
}

// `python: 3.10` is the number 3.1 in YAML, and `version: 1` an integer: the classic slip.
std::string quote_hint(const Value& value, Value::Type wanted) {
  const bool scalar = value.is_integer() || value.is_bool() || value.type() == Value::Type::real;
  return wanted == Value::Type::string && scalar ? "put it in quotes" : "";
}

const Value& require_type(const Reader& reader, const Value& value, const std::string& what, Value::Type wanted,
                          std::string_view wanted_name) {
  if (value.type() == wanted) return value;
  throw reader.error_at(value, fmt::format("`{}` must be {}, found {}", what, wanted_name, value.type_name()),
                        quote_hint(value, wanted));
}

const std::string& require_string(const Reader& reader, const Value& value, const std::string& what) {
  return require_type(reader, value, what, Value::Type::string, "a string").as_string();
}

}  // namespace

Reader::Reader(const Document& document) : Reader(document.name, document.root, "") {}

Reader::Reader(const std::string& file, const Value& object, std::string where)
    : file_(&file), value_(&object), where_(std::move(where)) {
  if (object.is_object()) return;
  if (where_.empty() && object.is_null()) throw error_at(object, "the file is empty, expected a mapping");
  const std::string subject = where_.empty() ? "the file" : "`" + where_ + "`";
  throw error_at(object, fmt::format("{} must be a mapping, found {}", subject, object.type_name()));
}

bool Reader::has(std::string_view key) const {
  const Value* found = value_->find(key);
  return found && !found->is_null();
}

const Value* Reader::optional(std::string_view key) {
  known_.emplace_back(key);
  const Value* found = value_->find(key);
  return found && !found->is_null() ? found : nullptr;
}

const Value& Reader::required(std::string_view key) {
  if (const Value* found = optional(key)) return *found;
  const Value* empty = value_->find(key);
  if (empty) throw error_at(*empty, fmt::format("`{}` has no value", dotted(where_, key)));
  // A misspelt key is named where it stands, rather than the one that it was meant to be as missing.
  for (const auto& [name, value] : value_->as_object())
    if (nearest_name(name, {std::string(key)}) == key) throw unknown_key(name, value, std::string(key));
  throw error_at(*value_, where_.empty() ? fmt::format("missing key `{}`", key)
                                         : fmt::format("missing key `{}` in `{}`", key, where_));
}

std::string Reader::required_string(std::string_view key) {
  const Value& value = required(key);
  const std::string& text = require_string(*this, value, dotted(where_, key));
  if (text.empty()) throw error_at(value, fmt::format("`{}` must not be empty", dotted(where_, key)));
  return text;
}

std::string Reader::string(std::string_view key, std::string_view fallback) {
  const Value* value = optional(key);
  return value ? require_string(*this, *value, dotted(where_, key)) : std::string(fallback);
}

int64_t Reader::integer(std::string_view key, int64_t fallback, int64_t min, int64_t max) {
  const Value* value = optional(key);
  if (!value) return fallback;
  const std::string what = dotted(where_, key);
  const int64_t number = require_type(*this, *value, what, Value::Type::integer, "an integer").as_integer();
  if (number >= min && number <= max) return number;
  if (max == INT64_MAX) throw error_at(*value, fmt::format("`{}` must be at least {}", what, min));
  if (min == INT64_MIN) throw error_at(*value, fmt::format("`{}` must be at most {}", what, max));
  throw error_at(*value, fmt::format("`{}` must be between {} and {}", what, min, max));
}

bool Reader::boolean(std::string_view key, bool fallback) {
  const Value* value = optional(key);
  if (!value) return fallback;
  return require_type(*this, *value, dotted(where_, key), Value::Type::boolean, "true or false").as_bool();
}

int64_t Reader::duration_ms(std::string_view key, int64_t fallback_ms) {
  const Value* value = optional(key);
  if (!value) return fallback_ms;
  const std::string what = dotted(where_, key);
  if (!value->is_string()) {
    throw error_at(*value, fmt::format("`{}` must be a duration, found {}", what, value->type_name()),
                   "write a number with a unit: `250ms`, `30s`, `2m`, `7d`");
  }
  try {
    return parse_duration_ms(value->as_string());
  } catch (const Error&) {
    throw error_at(*value, fmt::format("`{}` must be a duration, found `{}`", what, value->as_string()),
                   "write a number with a unit: `250ms`, `30s`, `2m`, `7d`");
  }
}

std::vector<std::string> Reader::strings(std::string_view key) {
  const Value* value = optional(key);
  if (!value) return {};
  if (value->is_string()) return {value->as_string()};
  const std::string what = dotted(where_, key);
  std::vector<std::string> out;
  for (const Value& item : require_type(*this, *value, what, Value::Type::array, "a list of strings").as_array()) {
    out.push_back(require_string(*this, item, fmt::format("{}[{}]", what, out.size())));
  }
  return out;
}

std::map<std::string, std::string> Reader::string_map(std::string_view key) {
  const Value* value = optional(key);
  if (!value) return {};
  const std::string what = dotted(where_, key);
  std::map<std::string, std::string> out;
  for (const auto& [name, item] : require_type(*this, *value, what, Value::Type::object, "a mapping").as_object()) {
    out[name] = require_string(*this, item, dotted(what, name));
  }
  return out;
}

std::optional<Reader> Reader::object(std::string_view key) {
  const Value* value = optional(key);
  if (!value) return std::nullopt;
  return Reader(*file_, *value, dotted(where_, key));
}

void Reader::finish() const {
  for (const auto& [key, value] : value_->as_object())
    if (std::find(known_.begin(), known_.end(), key) == known_.end())
      throw unknown_key(key, value, nearest_name(key, known_));
}

Error Reader::unknown_key(const std::string& key, const Value& value, const std::string& nearest) const {
  Value place;
  place.position = value.key_position.line != 0 ? value.key_position : value.position;
  return error_at(
      place,
      where_.empty() ? fmt::format("unknown key `{}`", key) : fmt::format("unknown key `{}` in `{}`", key, where_),
      nearest.empty() ? fmt::format("known keys: {}", join(known_, ", ")) : fmt::format("did you mean `{}`?", nearest));
}

Error Reader::error_at(const Value& node, std::string message, std::string hint) const {
  return value_detail::error_at(*file_, node.position, std::move(message), std::move(hint));
}

namespace {

// Edits with transposition of neighbours (optimal string alignment): `instnaces` is one slip away.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> before_last(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  std::iota(last.begin(), last.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
    before_last.swap(last);
    last.swap(row);
  }
  return last[b.size()];
}

}  // namespace

std::string nearest_name(std::string_view name, const std::vector<std::string>& candidates) {
  constexpr size_t kLongestName = 100;  // the distance costs the product of both lengths
  if (name.size() > kLongestName) return "";
  const std::string wanted = lower(name);
  std::string best;
  size_t best_distance = std::max<size_t>(1, name.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    if (candidate.size() > kLongestName) continue;
    const size_t distance = edit_distance(wanted, lower(candidate));
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

}  // namespace dae
