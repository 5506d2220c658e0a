// Specifiers as they stand in metadata published before anybody checked it. The shapes are those that pip once let pass
// or that other resolvers repair today; whatever else is wrong stays refused.
#include <algorithm>

#include "base/strings.h"
#include "resolver/standards/specifier.h"

namespace dae::resolver {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_sign(char c) {
  return c == '=' || c == '!' || c == '<' || c == '>' || c == '~';
}
bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

// "9.0.0a1.0" -> "9.0.0a1": a zero after the number of a suffix.
void drop_zero_after_suffix(std::string& operand) {
  if (!operand.ends_with(".0")) return;
  const std::string head = operand.substr(0, operand.size() - 2);
  const size_t letters = head.find_first_not_of("0123456789.");
  if (letters == std::string::npos || letters == 0) return;
  size_t end = letters;
  while (end < head.size() && !is_digit(head[end])) ++end;
  const std::string word = head.substr(letters, end - letters);
  const bool known = word == "a" || word == "b" || word == "rc" || word == "post" || word == "dev";
  if (known && end < head.size() &&
      std::all_of(head.begin() + static_cast<std::ptrdiff_t>(end), head.end(), is_digit)) {
    operand = head;
  }
}

std::optional<Specifier> repaired(std::string sign, std::string operand) {
  while (operand.ends_with(".*.*")) operand.resize(operand.size() - 2);
  if (sign == "!=~") {
    sign = "!=";
    operand += ".*";
  }
  const size_t size = operand.size();
  if (size > 3 && operand.back() == '*' && is_digit(operand[size - 2]) && operand.find('.') != operand.npos) {
    operand.insert(size - 1, ".");  // "3.0*"; not "3*", which may mean 30 as well
  }
  const bool ordered = sign == "<" || sign == "<=" || sign == ">" || sign == ">=";
  if (ordered && operand.ends_with(".*")) operand.resize(operand.size() - 2);
  if (sign == ">" && operand == "dev") operand = "0.0.0dev";
  drop_zero_after_suffix(operand);
  return Specifier::try_parse(sign + operand);
}

}  // namespace

std::optional<SpecifierSet> SpecifierSet::try_parse_legacy(std::string_view text) {
  if (auto strict = try_parse(text)) return strict;
  std::string clean(trim(text));
  std::erase_if(clean, [](char c) { return c == '\'' || c == '"'; });
  std::vector<Specifier> parts;
  size_t at = 0;
  const auto take = [&](auto&& wanted) {
    const size_t from = at;
    while (at < clean.size() && wanted(clean[at])) ++at;
    return clean.substr(from, at - from);
  };
  while (true) {
    take([](char c) { return is_blank(c) || c == ','; });
    if (at >= clean.size()) return SpecifierSet(std::move(parts));
    std::string sign = take(is_sign);
    take(is_blank);
    std::string operand = take([](char c) { return !is_blank(c) && !is_sign(c) && c != ','; });
    auto part = repaired(std::move(sign), std::move(operand));
    if (!part) return std::nullopt;
    parts.push_back(*std::move(part));
  }
}

}  // namespace dae::resolver
