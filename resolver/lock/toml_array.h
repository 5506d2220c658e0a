#pragma once
// Where an array of strings stands in a TOML text, byte by byte, so that it can be edited without touching anything
// else. The text is known to be valid TOML.
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

// Behind the last key of `[table]`, where another may be added: the start of a line. nullopt without such a header.
std::optional<size_t> end_of_toml_table(std::string_view text, std::string_view table);

// In the quotes that need no escaping, `preferred` if both do.
std::string toml_quote(std::string_view text, char preferred = '"');

}  // namespace dae::resolver
