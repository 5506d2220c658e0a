#pragma once
// Helpers shared by the readers of model documents: lists and mappings of objects with a limit on their number.
#include <cstddef>
#include <string>
#include <string_view>

#include "base/value.h"

namespace dae::deployer {

inline constexpr size_t kMaxListLength = 100'000;

// Calls `visit(Reader&)` for each object of the list under `key`; absent counts as empty.
template <typename Visit>
void each_object(Reader& reader, std::string_view key, Visit visit) {
  const Value* list = reader.optional(key);
  if (list == nullptr) return;
  if (!list->is_array() || list->size() > kMaxListLength) {
    throw reader.error_at(*list, "expected a list of at most 100000 in `" + std::string(key) + "`");
  }
  for (const Value& item : list->as_array()) {
    Reader inner(reader.file(), item, reader.where() + std::string(key) + "[]");
    visit(inner);
  }
}

// Calls `visit(name, Reader&)` for each member of the mapping under `key`; absent counts as empty.
template <typename Visit>
void each_member(Reader& reader, std::string_view key, Visit visit) {
  const Value* object = reader.optional(key);
  if (object == nullptr) return;
  if (!object->is_object() || object->size() > kMaxListLength) {
    throw reader.error_at(*object, "expected a mapping of at most 100000 in `" + std::string(key) + "`");
  }
  for (const auto& [name, value] : object->as_object()) {
    Reader inner(reader.file(), value, reader.where() + std::string(key) + "." + name);
    visit(name, inner);
  }
}

// The entry of `names` that `text` spells, as an enumerator.
template <typename Enum, size_t kCount>
Enum read_enum(Reader& reader, std::string_view key, const std::string_view (&names)[kCount]) {
  const Value& value = reader.required(key);
  for (size_t i = 0; i < kCount; ++i) {
    if (value.is_string() && value.as_string() == names[i]) return static_cast<Enum>(i);
  }
  throw reader.error_at(value, "unknown `" + std::string(key) + "`");
}

}  // namespace dae::deployer
