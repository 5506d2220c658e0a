#pragma once
// Small text helpers that several rooms need.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dae {

std::vector<std::string> split(std::string_view text, char separator);  // keeps empty parts
std::vector<std::string> split_lines(std::string_view text);            // "\n" or "\r\n"
std::string join(const std::vector<std::string>& parts, std::string_view separator);
std::string_view trim(std::string_view text);  // ASCII white space
std::string lower(std::string_view text);      // ASCII
bool iequals(std::string_view a, std::string_view b);
std::optional<int64_t> parse_int(std::string_view text);  // whole text, decimal
std::string replace_all(std::string text, std::string_view from, std::string_view to);
bool glob_match(std::string_view pattern,
                std::string_view path);  // * ? [..] within a segment, ** across; '/' separated
std::string html_escape(std::string_view text);

}  // namespace dae
