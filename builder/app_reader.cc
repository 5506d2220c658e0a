#include "builder/app_reader.h"

#include <fmt/format.h>

#include "base/process.h"

namespace dae::builder::app_reader {

void require(const Reader& reader, const Value& node, bool (*test)(std::string_view), const std::string& text,
             const std::string& what, const std::string& hint) {
  if (!test(text)) throw reader.error_at(node, fmt::format("`{}` is not {}", text, what), hint);
}

Value at_key(const Value& value) {
  Value out;
  out.position = value.key_position;
  return out;
}

std::string dotted(const Reader& reader, std::string_view key) {
  return reader.where().empty() ? std::string(key) : fmt::format("{}.{}", reader.where(), key);
}

void refuse_unsupported(Reader& reader, std::initializer_list<std::string_view> keys) {
  for (const std::string_view key : keys) {
    const Value* found = reader.optional(key);
    if (!found) continue;
    throw reader.error_at(at_key(*found), fmt::format("`{}` is not supported yet", dotted(reader, key)),
                          "remove the key: it would have no effect");
  }
}

void require_command(const Reader& reader, const Value& node, const std::string& command) {
  try {
    if (!split_command(command).empty()) return;
  } catch (const Error& error) {
    throw reader.error_at(node, error.message());
  }
  throw reader.error_at(node, "the command is empty");
}

std::vector<std::string> commands(Reader& reader, std::string_view key) {
  const std::vector<std::string> out = reader.strings(key);
  const Value* list = reader.value().find(key);
  for (size_t i = 0; i < out.size(); ++i) {
    require_command(reader, list->is_array() ? list->as_array()[i] : *list, out[i]);
  }
  return out;
}

}  // namespace dae::builder::app_reader
