#pragma once
// Where an array of strings stands in a TOML text, byte by byte, so that it can be edited without touching anything
// else. The text is known to be valid TOML.
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dae::resolver {

struct TomlArray {
  struct Item {
    size_t begin = 0, end = 0;  // of the value, quotes included
    size_t comma = std::string_view::npos;
    std::string text;  // of a string; "" for other values
    bool is_string = false;
  };
  size_t open = 0, close = 0;  // of '[' and ']'
  std::vector<Item> items;
};

// The array at table.key ("[project]" + "dependencies", or "project.dependencies" at the top).
std::optional<TomlArray> find_toml_array(std::string_view text, std::string_view table, std::string_view key);
// The first array of that table whose key (dotted, quotes taken off) is one that is asked for. In an inline table too.
std::optional<TomlArray> find_toml_array(std::string_view text, std::string_view table,
                                         const std::function<bool(std::string_view key)>& is_key);

// How a table is written: not at all, with a header of its own, as keys with dots ("table.x = …"), in one value.
enum class TomlTableForm { absent, header, dotted, inline_value };
TomlTableForm toml_table_form(std::string_view text, std::string_view table);

// Behind the last key of `[table]`, where another may be added: the start of a line. nullopt without such a header.
std::optional<size_t> end_of_toml_table(std::string_view text, std::string_view table);

// "name", or quoted where a bare key cannot be.
std::string toml_key(std::string_view name);

// In the quotes that need no escaping, `preferred` if both do.
std::string toml_quote(std::string_view text, char preferred = '"');

}  // namespace dae::resolver
