// The parts of an explanation that need some thinking about versions.
#include <fmt/format.h>

#include <algorithm>
#include <climits>

#include "base/strings.h"
#include "resolver/solver/explain.h"
#include "resolver/solver/range_select.h"

namespace dae::resolver {

namespace {

constexpr size_t kMostRuns = 4;
constexpr size_t kMostRangesShown = 3;  // of one package's needs of another

// Steps from the roots to each package, along the facts.
std::map<PackageId, int> depths(const Universe& universe, const std::vector<uint32_t>& facts) {
  std::map<PackageId, int> out;
  for (const uint32_t number : facts) {
    const Fact& f = universe.facts()[number];
    if (f.kind == FactKind::root) out[f.target] = 0;
  }
  for (bool grown = true; grown;) {
    grown = false;
    for (const uint32_t number : facts) {
      const Fact& f = universe.facts()[number];
      if (f.kind != FactKind::dependency || out.count(f.package) == 0) continue;
      grown = out.emplace(f.target, out[f.package] + 1).second || grown;
    }
  }
  return out;
}

bool all_disjoint(const std::vector<Demands::Range>& a, const std::vector<Demands::Range>& b) {
  return std::all_of(a.begin(), a.end(), [&](const Demands::Range& x) {
    return std::all_of(b.begin(), b.end(), [&](const Demands::Range& y) {
      VersionSet both = x.inside;
      return (both &= y.inside).empty();
    });
  });
}

// "`>=2.5` or `>=3`"; "" when there are too many.
std::string alternatives(const std::vector<Demands::Range>& ranges) {
  if (ranges.size() > kMostRangesShown) return "";
  std::vector<std::string> quoted;
  for (const auto& range : ranges) quoted.push_back("`" + range.text + "`");
  return join(quoted, " or ");
}

}  // namespace

std::vector<Fact> told_dependencies(const Universe& universe, const std::vector<uint32_t>& facts) {
  std::map<std::pair<PackageId, PackageId>, size_t> ranges;
  const auto pair_of = [](const Fact& f) { return std::pair(f.package, f.target); };
  std::vector<const Fact*> dependencies;
  for (const uint32_t number : facts) {
    const Fact& f = universe.facts()[number];
    if (f.kind != FactKind::dependency) continue;
    dependencies.push_back(&f);
    ++ranges[pair_of(f)];
  }
  std::map<PackageId, int> depth = depths(universe, facts);
  const auto depth_of = [&](const Fact* f) { return depth.try_emplace(f->package, INT_MAX).first->second; };
  std::stable_sort(dependencies.begin(), dependencies.end(),
                   [&](const Fact* a, const Fact* b) { return depth_of(a) < depth_of(b); });
  std::vector<Fact> out;
  for (const Fact* f : dependencies) {
    const auto same = [&](const Fact& other) { return pair_of(other) == pair_of(*f); };
    const size_t count = ranges[pair_of(*f)];
    const auto told = std::find_if(out.begin(), out.end(), same);
    if (count <= kMostRangesShown || told == out.end()) {
      out.push_back(*f);
      if (count > kMostRangesShown) out.back().reason = fmt::format(" and so on: {} different ranges", count);
    } else {
      told->versions |= f->versions;
    }
  }
  return out;
}

std::string version_runs(const std::vector<Candidate>& candidates, const VersionSet& versions) {
  struct Run {
    uint32_t newest, oldest;
  };
  const auto count = static_cast<uint32_t>(candidates.size());
  const auto bridged = [&](uint32_t from, uint32_t to) {
    for (uint32_t v = from + 1; v < to; ++v) {
      if (!candidates[v].yanked && !candidates[v].version.is_prerelease()) return false;
    }
    return true;
  };
  std::vector<Run> runs;
  for (uint32_t v = versions.next(0); v < count; v = versions.next(v + 1)) {
    if (!runs.empty() && bridged(runs.back().oldest, v)) {
      runs.back().oldest = v;
    } else {
      runs.push_back({v, v});
    }
  }
  std::vector<std::string> parts;
  for (size_t i = 0; i < runs.size() && i < kMostRuns; ++i) {
    const std::string newest = candidates[runs[i].newest].version.text();
    const std::string oldest = candidates[runs[i].oldest].version.text();
    parts.push_back(newest == oldest ? newest : fmt::format("{} – {}", oldest, newest));
  }
  std::reverse(parts.begin(), parts.end());
  const std::string text = join(parts, ", ");
  return runs.size() > kMostRuns ? fmt::format("{} and {} older runs", text, runs.size() - kMostRuns) : text;
}

Demands demands_on(const Universe& universe, const std::vector<uint32_t>& facts, PackageId base) {
  Demands out;
  const PackageInfo& info = universe.info(base);
  const auto bits = static_cast<uint32_t>(info.candidates.size() + 1);
  for (const uint32_t number : facts) {
    const Fact& fact = universe.facts()[number];
    const bool constraint = fact.kind == FactKind::constraint;
    if (!constraint && fact.kind != FactKind::root && fact.kind != FactKind::dependency) continue;
    if ((constraint ? fact.package : universe.info(fact.target).base) != base) continue;
    out.any_url = out.any_url || !fact.need.url.empty();
    out.any_unmatched = out.any_unmatched || fact.matches_none;
    const SpecifierSet& specifiers = fact.need.specifier->set;
    if (specifiers.empty()) continue;
    Demands::Range range{specifiers.text(), select_range(info.candidates, info.from_index, bits, specifiers),
                         &specifiers};
    const bool is_fixed = fact.kind != FactKind::dependency;
    auto& list = is_fixed ? out.fixed.emplace_back() : out.of_packages[universe.label(fact.package)];
    const auto same =
        std::find_if(list.begin(), list.end(), [&](const Demands::Range& r) { return r.text == range.text; });
    if (same == list.end()) list.push_back(std::move(range));
  }
  out.contradict = out.any_unmatched || !no_common_version(out).empty();
  return out;
}

bool Demands::accept(const Version& version) const {
  const auto inside = [&](const Range& range) { return range.specifiers->contains(version); };
  for (const auto& list : fixed) {
    if (!std::all_of(list.begin(), list.end(), inside)) return false;
  }
  return std::all_of(of_packages.begin(), of_packages.end(),
                     [&](const auto& entry) { return std::any_of(entry.second.begin(), entry.second.end(), inside); });
}

std::string no_common_version(const Demands& demands) {
  if (demands.any_url || demands.any_unmatched) return "";
  std::vector<std::pair<std::string, const std::vector<Demands::Range>*>> parties;
  for (const auto& list : demands.fixed) parties.emplace_back("", &list);
  for (const auto& [who, list] : demands.of_packages) parties.emplace_back(who, &list);
  for (size_t i = 0; i < parties.size(); ++i) {
    for (size_t k = i + 1; k < parties.size(); ++k) {
      const auto& [a_name, a] = parties[i];
      const auto& [b_name, b] = parties[k];
      if (!all_disjoint(*a, *b)) continue;
      const std::string left = alternatives(*a), right = alternatives(*b);
      if (a->size() == 1 && b->size() == 1) return fmt::format("has no version in both {} and {}", left, right);
      if (!left.empty() && !right.empty()) return fmt::format("has no version in {} and also in {}", left, right);
      if (!left.empty()) return fmt::format("has no version in {} that `{}` accepts", left, b_name);
      return fmt::format("has no version that `{}` and `{}` both accept", a_name, b_name);
    }
  }
  std::vector<std::string> texts;
  std::optional<VersionSet> left;
  for (const auto& [who, list] : parties) {
    if (list->size() != 1) return "";
    texts.push_back("`" + list->front().text + "`");
    if (!left) left = list->front().inside;
    *left &= list->front().inside;
  }
  if (!left || !left->empty() || texts.size() > kMostRangesShown + 1) return "";
  const std::string last = texts.back();
  texts.pop_back();
  return fmt::format("has no version in all of {} and {}", join(texts, ", "), last);
}

std::optional<PackageId> refused_by(const Engine& engine, const Universe& universe, PackageId base) {
  for (const Fact& fact : universe.facts()) {
    if (fact.kind != FactKind::dependency || universe.info(fact.package).base != base) continue;
    const PackageInfo& target = universe.base_of(fact.target);
    if (!fact.need.url.empty() || !target.loaded || target.base == base) continue;
    const auto bits = static_cast<uint32_t>(target.candidates.size() + 1);
    const VersionSet inside = select_range(target.candidates, target.from_index, bits, fact.need.specifier->set);
    if (inside.disjoint(engine.allowed(target.base))) return target.base;
  }
  return std::nullopt;
}

std::string why_unusable(const Universe& universe, PackageId base) {
  const Fact* most = nullptr;
  for (const Fact& fact : universe.facts()) {
    if (fact.kind != FactKind::unusable || fact.package != base) continue;
    if (most == nullptr || fact.versions.count() > most->versions.count()) most = &fact;
  }
  if (most == nullptr) return "";
  return fmt::format("`{} {}` {}", universe.label(base), version_runs(universe.info(base).candidates, most->versions),
                     most->reason);
}

std::string asked_now(const Engine& engine, const Universe& universe, PackageId base) {
  constexpr size_t kMostAskers = 4;
  std::vector<std::string> out;
  const auto note = [&](const std::string& who, const Need& need) {
    if (need.target == base) out.push_back(fmt::format("{} needs {}", who, requirement_label(need)));
  };
  for (size_t i = 0; i < universe.active_roots().size(); ++i) {
    for (const Need& need : universe.root_needs(i)) note(universe.active_roots()[i]->origin, need);
  }
  for (PackageId p = 0; p < universe.size() && out.size() <= kMostAskers; ++p) {
    const auto decided = engine.decision(p);
    const PackageInfo& info = universe.base_of(p);
    if (!decided || *decided >= info.candidates.size() || !info.needs[*decided]) continue;
    const std::string who = fmt::format("`{} {}`", universe.label(p), info.candidates[*decided].version.text());
    for (const Need& need : universe.needs(p, *decided)) note(who, need);
  }
  // Nobody as things stand: then whoever did at some time.
  for (size_t i = 0; i < universe.facts().size() && out.empty(); ++i) {
    const Fact& fact = universe.facts()[i];
    if (fact.kind == FactKind::dependency) note("`" + universe.label(fact.package) + "`", fact.need);
  }
  const bool more = out.size() > kMostAskers;
  if (more) out.resize(kMostAskers);
  return join(out, ", ") + (more ? " and so on" : "");
}

}  // namespace dae::resolver
