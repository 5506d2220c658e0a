#include "resolver/solver/suggest_changes.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/clock.h"
#include "base/strings.h"

namespace dae::resolver {

namespace {

constexpr int kOldestPython = 8, kNewestPython = 15;  // 3.x that are looked at
constexpr int64_t kDayMs = 86'400'000;

enum Rank : int { cutoff, prerelease, upper_bound, constraint, pin, override, lower_bound, python, removal };

std::string written(const Requirement& r) {
  const std::string extras = r.extras.empty() ? "" : "[" + join(r.extras, ",") + "]";
  return r.key + extras + (r.url.empty() ? r.specifiers.text() : " @ " + r.url);
}

std::string gives(const Resolution& resolution, const std::string& name) {
  for (const Pin& pin : resolution.pins) {
    if (pin.name == name) return fmt::format(" (gives {} {})", name, pin.version.text());
  }
  return "";
}

std::optional<Version> version_in(const Resolution& resolution, const std::string& name) {
  for (const Pin& pin : resolution.pins) {
    if (pin.name == name) return pin.version;
  }
  return std::nullopt;
}

class Finder {
 public:
  Finder(Trials& trials, const World& world, const Explanation& conflict)
      : trials_(trials), world_(world), conflict_(conflict) {}

  std::vector<Change> run(size_t most) {
    const auto all_lines = [&](auto list, const std::vector<size_t>& indices) {
      std::set<size_t> done;
      for (const size_t index : indices) {
        if (done.contains(index) || found_.size() >= most + 2) continue;
        widen(list, index);
        for (const size_t twin : twins_of(world_.request.*list, index)) done.insert(twin);
      }
    };
    later_cutoff();
    allow_prereleases();
    all_lines(&SolveRequest::roots, conflict_.conflict.roots);
    all_lines(&SolveRequest::constraints, conflict_.clues.constraints);
    for (const size_t index : conflict_.clues.constraints) drop(&SolveRequest::constraints, index, "constraint");
    for (const size_t index : conflict_.clues.overrides) drop(&SolveRequest::overrides, index, "override");
    other_python();
    if (found_.empty()) drop_a_root();
    std::stable_sort(found_.begin(), found_.end(), [](const Change& a, const Change& b) { return a.rank < b.rank; });
    if (found_.size() > most) found_.resize(most);
    return std::move(found_);
  }

 private:
  using List = std::vector<RootRequirement> SolveRequest::*;

  std::optional<Resolution> offer(World changed, Rank rank, const std::string& origin, std::string text,
                                  const std::string& package = "") {
    auto outcome = trials_.works(changed);
    if (!outcome) return std::nullopt;
    if (!package.empty()) text += gives(*outcome, package);
    found_.push_back({{origin, std::move(text)}, std::move(changed), rank});
    return outcome;
  }

  World with(List list, size_t index, const SpecifierSet& specifiers) const {
    World changed = world_;
    for (const size_t twin : twins_of(world_.request.*list, index)) {
      (changed.request.*list)[twin].requirement.specifiers = specifiers;
    }
    return changed;
  }

  // First what would be chosen if the line asked for nothing, then how little of it has to give way for that.
  void widen(List list, size_t index) {
    const RootRequirement& line = (world_.request.*list)[index];
    const Requirement& r = line.requirement;
    if (r.specifiers.empty() || !r.url.empty()) return;
    const SpecifierSet near = around_pin(r.specifiers);
    std::optional<Resolution> free;
    if (!near.empty()) free = trials_.works(with(list, index, near));
    if (!free) free = trials_.works(with(list, index, {}));
    const auto wanted = free ? version_in(*free, r.key) : std::nullopt;
    if (!wanted) return;
    const Relaxation relaxation = relax(r.specifiers, *wanted);
    const bool is_constraint = list == &SolveRequest::constraints;
    const Rank rank = is_constraint                                         ? constraint
                      : relaxation.widening == Widening::raises_upper_bound ? upper_bound
                      : relaxation.widening == Widening::moves_pin          ? pin
                                                                            : lower_bound;
    const std::string origin = places_of(world_.request.*list, twins_of(world_.request.*list, index));
    const char* verb = relaxation.widening == Widening::moves_pin ? "change" : "relax";
    for (const SpecifierSet& option : relaxation.options) {
      World changed = with(list, index, option);
      const std::string text = fmt::format("{} {}`{}` to `{}`", verb, is_constraint ? "the constraint " : "",
                                           written(r), written((changed.request.*list)[index].requirement));
      const bool is_pin = relaxation.widening == Widening::moves_pin;
      if (offer(std::move(changed), rank, origin, text, is_pin ? "" : r.key)) return;
    }
  }

  void drop(List list, size_t index, const char* what) {
    const RootRequirement line = (world_.request.*list)[index];
    const auto told = [&](const Change& c) { return c.suggestion.origin == line.origin; };
    if (!found_.empty() && std::any_of(found_.begin(), found_.end(), told)) return;
    World changed = world_;
    // Taken away by a range that lets everything in, so that the indices of the others stay.
    if (list == &SolveRequest::constraints) {
      (changed.request.*list)[index].requirement.specifiers = {};
      (changed.request.*list)[index].requirement.url.clear();
    } else {
      auto& lines = changed.request.*list;
      lines.erase(lines.begin() + static_cast<ptrdiff_t>(index));
    }
    offer(std::move(changed), list == &SolveRequest::constraints ? constraint : override, line.origin,
          fmt::format("remove the {} `{}`", what, written(line.requirement)), line.requirement.key);
  }

  void drop_a_root() {
    std::set<size_t> done;
    for (const size_t index : conflict_.conflict.roots) {
      if (done.contains(index)) continue;
      const std::vector<size_t> twins = twins_of(world_.request.roots, index);
      done.insert(twins.begin(), twins.end());
      if (twins.size() == conflict_.conflict.roots.size()) continue;
      World changed = world_;
      changed.without.insert(twins.begin(), twins.end());
      offer(std::move(changed), removal, places_of(world_.request.roots, twins),
            fmt::format("remove `{}`", written(world_.request.roots[index].requirement)));
    }
  }

  void allow_prereleases() {
    if (conflict_.clues.prereleases.empty() || world_.request.prereleases != PrereleaseMode::disallow) return;
    World changed = world_;
    changed.request.prereleases = PrereleaseMode::if_necessary;
    offer(std::move(changed), prerelease, "", "allow pre-releases with `prereleases = \"if-necessary\"`",
          *conflict_.clues.prereleases.begin());
  }

  void later_cutoff() {
    if (conflict_.clues.hidden.empty() || !world_.request.other_provider) return;
    std::string last;
    int64_t needed_ms = INT64_MIN;
    for (const auto& [name, hidden] : conflict_.clues.hidden) {
      if (hidden.second <= needed_ms) continue;
      needed_ms = hidden.second;
      last = fmt::format("{} {}", name, hidden.first.text());
    }
    World changed = world_;
    changed.cutoff_ms = (needed_ms / kDayMs + 1) * kDayMs;
    changed.elsewhere = true;
    // A day as a cutoff includes that day.
    const std::string text =
        fmt::format("move the cutoff to {} ({} is of that day)", format_utc(needed_ms).substr(0, 10), last);
    offer(std::move(changed), cutoff, "", text);
  }

  // The next newer python that all want, else the next older one.
  void other_python() {
    const Target& now = world_.request.target;
    if (conflict_.clues.requires_pythons.empty() || !world_.request.other_provider) return;
    if (now.implementation != "cpython" || !now.python_version.starts_with("3.")) return;
    const int minor = std::atoi(now.python_version.c_str() + 2);
    std::vector<int> order;
    for (int m = minor + 1; m <= kNewestPython; ++m) order.push_back(m);
    for (int m = minor - 1; m >= kOldestPython; --m) order.push_back(m);
    const auto fits = [&](int m) {
      const Version version = Version::parse(fmt::format("3.{}.0", m));
      return std::all_of(conflict_.clues.requires_pythons.begin(), conflict_.clues.requires_pythons.end(),
                         [&](const std::string& text) {
                           const auto specifiers = SpecifierSet::try_parse(text);
                           return specifiers && specifiers->contains(version);
                         });
    };
    const auto chosen = std::find_if(order.begin(), order.end(), fits);
    if (chosen == order.end()) return;
    World changed = world_;
    changed.request.target =
        declared_target(fmt::format("3.{}{}", *chosen, now.free_threaded ? "t" : ""), now.platform);
    changed.elsewhere = true;
    offer(std::move(changed), python, "", fmt::format("use python 3.{}", *chosen));
  }

  Trials& trials_;
  const World& world_;
  const Explanation& conflict_;
  std::vector<Change> found_;
};

}  // namespace

std::vector<Change> changes_that_help(Trials& trials, const World& world, const Explanation& conflict, size_t most) {
  return Finder(trials, world, conflict).run(most);
}

}  // namespace dae::resolver
