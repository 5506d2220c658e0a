#pragma once
// How bad an advisory is: CVSS vectors and the words that databases use.
#include <optional>
#include <string>
#include <string_view>

namespace dae::resolver {

enum class Severity { unknown, none, low, medium, high, critical };

struct SeverityScore {
  Severity rating = Severity::unknown;
  std::optional<double> score;  // 0.0 to 10.0, one decimal
  std::string vector;           // "CVSS:3.1/AV:N/…", or ""
};

std::string_view severity_name(Severity severity);
// "HIGH", "Moderate", …; unknown for words that are none of the ratings.
Severity severity_from_word(std::string_view word);
// The qualitative severity rating scale (CVSS v3.1 section 5; v4.0 section 6 is the same).
Severity severity_from_score(double score);

// The base score of a vector of CVSS 3.0 or 3.1 (v3.1 section 7.1); nullopt for other versions and for broken vectors.
// Temporal and environmental metrics are read and do not count.
std::optional<double> cvss3_base_score(std::string_view vector);

}  // namespace dae::resolver
