#include "resolver/audit/cvss.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "base/strings.h"

namespace dae::resolver {
namespace {

constexpr std::array<std::string_view, 6> kNames = {"unknown", "none", "low", "medium", "high", "critical"};

using Metrics = std::map<std::string, std::string, std::less<>>;

// nullopt when a metric comes twice or is no "NAME:VALUE".
std::optional<Metrics> metrics_of(std::string_view vector) {
  Metrics out;
  for (const std::string& part : split(vector, '/')) {
    const size_t colon = part.find(':');
    if (colon == std::string::npos || colon == 0 || colon + 1 == part.size()) return std::nullopt;
    if (!out.emplace(part.substr(0, colon), part.substr(colon + 1)).second) return std::nullopt;
  }
  return out;
}

struct Weight {
  char value;
  double weight;
};

std::optional<double> weight_of(const Metrics& metrics, std::string_view name, std::initializer_list<Weight> weights) {
  const auto found = metrics.find(name);
  if (found == metrics.end() || found->second.size() != 1) return std::nullopt;
  for (const Weight& one : weights) {
    if (one.value == found->second[0]) return one.weight;
  }
  return std::nullopt;
}

// Appendix A of the specification: up to one decimal, safe from the noise of floating point.
double round_up(double score) {
  const auto scaled = static_cast<int64_t>(std::llround(score * 100'000));
  return scaled % 10'000 == 0 ? static_cast<double>(scaled) / 100'000 : static_cast<double>(scaled / 10'000 + 1) / 10;
}

}  // namespace

std::string_view severity_name(Severity severity) {
  return kNames[static_cast<size_t>(severity)];
}

Severity severity_from_word(std::string_view word) {
  const std::string text = lower(trim(word));
  if (text == "moderate") return Severity::medium;
  const auto found = std::find(kNames.begin(), kNames.end(), text);
  return found == kNames.end() ? Severity::unknown : static_cast<Severity>(found - kNames.begin());
}

Severity severity_from_score(double score) {
  if (score >= 9.0) return Severity::critical;
  if (score >= 7.0) return Severity::high;
  if (score >= 4.0) return Severity::medium;
  return score > 0.0 ? Severity::low : Severity::none;
}

std::optional<double> cvss3_base_score(std::string_view vector) {
  if (!vector.starts_with("CVSS:3.0/") && !vector.starts_with("CVSS:3.1/")) return std::nullopt;
  const auto metrics = metrics_of(vector);
  if (!metrics) return std::nullopt;
  const auto scope = weight_of(*metrics, "S", {{'U', 0}, {'C', 1}});
  if (!scope) return std::nullopt;
  const bool changed = *scope != 0;
  const auto attack = weight_of(*metrics, "AV", {{'N', 0.85}, {'A', 0.62}, {'L', 0.55}, {'P', 0.2}});
  const auto complexity = weight_of(*metrics, "AC", {{'L', 0.77}, {'H', 0.44}});
  const auto privileges =
      weight_of(*metrics, "PR", {{'N', 0.85}, {'L', changed ? 0.68 : 0.62}, {'H', changed ? 0.5 : 0.27}});
  const auto interaction = weight_of(*metrics, "UI", {{'N', 0.85}, {'R', 0.62}});
  double left = 1;
  for (const char* name : {"C", "I", "A"}) {
    const auto impact = weight_of(*metrics, name, {{'H', 0.56}, {'L', 0.22}, {'N', 0}});
    if (!impact) return std::nullopt;
    left *= 1 - *impact;
  }
  if (!attack || !complexity || !privileges || !interaction) return std::nullopt;
  const double base = 1 - left;
  const double impact = changed ? 7.52 * (base - 0.029) - 3.25 * std::pow(base - 0.02, 15) : 6.42 * base;
  if (impact <= 0) return 0.0;
  const double exploitability = 8.22 * *attack * *complexity * *privileges * *interaction;
  return round_up(std::min(changed ? 1.08 * (impact + exploitability) : impact + exploitability, 10.0));
}

}  // namespace dae::resolver
