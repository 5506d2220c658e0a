#include "mirror/policy/lookalikes.h"

#include <algorithm>

namespace dae::mirror {
namespace {

constexpr size_t kShortestForEdits = 4;

std::string without_separators(std::string_view name) {
  std::string out;
  std::ranges::copy_if(name, std::back_inserter(out), [](char c) { return c != '-' && c != '_' && c != '.'; });
  return out;
}

// Characters that look the same in one font or another become one of them.
std::string skeleton(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c == '-' || c == '_' || c == '.') continue;
    switch (c) {
      case 'o':
        out += '0';
        break;
      case 'i':
      case 'l':
        out += '1';
        break;
      case 's':
        out += '5';
        break;
      case 'z':
        out += '2';
        break;
      case 'n':
        if (!out.empty() && out.back() == 'r') {
          out.back() = 'm';
        } else {
          out += c;
        }
        break;
      case 'v':
        if (!out.empty() && out.back() == 'v') {
          out.back() = 'w';
        } else {
          out += c;
        }
        break;
      default:
        out += c;
    }
  }
  return out;
}

size_t common_prefix(std::string_view a, std::string_view b) {
  return static_cast<size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
}

// Damerau and Levenshtein's distance, when it is 1; else empty.
std::string one_edit(std::string_view name, std::string_view other) {
  const std::string_view shorter = name.size() < other.size() ? name : other;
  const std::string_view longer = name.size() < other.size() ? other : name;
  if (longer.size() - shorter.size() > 1) return "";
  const size_t at = common_prefix(shorter, longer);
  const std::string_view rest = shorter.substr(at), long_rest = longer.substr(at);
  if (shorter.size() < longer.size()) {
    if (rest != long_rest.substr(1)) return "";
    return name.size() > other.size() ? "one character more" : "one character less";
  }
  if (rest.empty()) return "";
  if (rest.substr(1) == long_rest.substr(1)) return "one character differs";
  const bool swapped = rest.size() > 1 && rest[0] == long_rest[1] && rest[1] == long_rest[0];
  return swapped && rest.substr(2) == long_rest.substr(2) ? "two characters are swapped" : "";
}

}  // namespace

std::vector<Lookalike> lookalikes(std::string_view name, const std::vector<std::string>& known) {
  std::vector<Lookalike> found;
  const std::string joined = without_separators(name), bones = skeleton(name);
  for (const std::string& other : known) {
    if (other == name) continue;
    // Nothing below maps names of such different lengths to one another.
    if (other.size() > 2 * name.size() + 2 || name.size() > 2 * other.size() + 2) continue;
    if (without_separators(other) == joined) {
      found.push_back({other, "differs in separators only"});
    } else if (skeleton(other) == bones) {
      found.push_back({other, "differs in characters that look alike"});
    } else if (std::min(name.size(), other.size()) >= kShortestForEdits) {
      if (std::string why = one_edit(name, other); !why.empty()) found.push_back({other, std::move(why)});
    }
  }
  return found;
}

}  // namespace dae::mirror
