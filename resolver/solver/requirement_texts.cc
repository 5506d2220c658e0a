#include "resolver/solver/requirement_texts.h"

#include <algorithm>

#include "base/error.h"
#include "resolver/standards/names.h"

namespace dae::resolver {

namespace {

std::vector<std::string> literals(std::string_view text) {
  std::vector<std::string> out;
  size_t at = 0;
  while ((at = text.find_first_of("'\"", at)) != text.npos) {
    const size_t end = text.find(text[at], at + 1);
    if (end == text.npos) break;
    out.push_back(normalize_name(text.substr(at + 1, end - at - 1)));
    at = end + 1;
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

}  // namespace

const MarkerReading& RequirementTexts::marker(std::string_view text) {
  const auto known = markers_.find(text);
  if (known != markers_.end()) return known->second;
  MarkerReading& made = markers_[std::string(text)];
  if (text.empty()) {
    made.holds = true;
    return made;
  }
  try {
    made.marker = Marker::parse(text);
  } catch (const Error& error) {
    made.error = error.message();
    return made;
  }
  made.holds = made.marker.evaluate(environment_);
  if (made.holds || !made.marker.mentions_extra()) return made;
  // An extra that the marker does not name compares as no extra does. Two things escape that: the comparison with ""
  // and `in`, which looks for a part of the literal.
  const std::vector<std::string> named = literals(text);
  made.any_extra = (!named.empty() && named.front().empty()) || made.marker.text().find(" in ") != std::string::npos;
  if (made.any_extra) return made;
  for (const std::string& extra : named) {
    if (made.marker.evaluate(environment_, {extra})) made.extras.push_back(extra);
  }
  return made;
}

bool RequirementTexts::holds_with(const MarkerReading& marker, const std::string& extra) const {
  if (marker.holds) return false;
  if (marker.any_extra) return marker.marker.evaluate(environment_, {extra});
  return std::find(marker.extras.begin(), marker.extras.end(), extra) != marker.extras.end();
}

const SpecifierReading& RequirementTexts::specifier(std::string_view text) {
  const auto known = specifiers_.find(text);
  if (known != specifiers_.end()) return known->second;
  SpecifierReading& made = specifiers_[std::string(text)];
  made.id = static_cast<uint32_t>(specifiers_.size());
  try {
    made.set = SpecifierSet::parse(text);
  } catch (const Error& error) {
    made.error = error.message();
  }
  return made;
}

}  // namespace dae::resolver
