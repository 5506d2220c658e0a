#include "resolver/solver/explain.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/strings.h"

namespace dae::resolver {

namespace {

constexpr size_t kMostReasons = 3;         // why versions of one package cannot be used
constexpr size_t kShortestCompressed = 3;  // dependencies in a row

// A conflict as a story from the top down: who asks for what, what that leads to, where it ends.
class Story {
 public:
  Story(const SolveRequest& request, Provider& provider, const Universe& universe, const std::vector<uint32_t>& facts)
      : request_(request), provider_(provider), universe_(universe), facts_(facts) {}

  Explanation tell() {
    tell_roots();
    tell_constraints();
    tell_overrides();
    tell_dependencies();
    for (const PackageId base : bases()) tell_end(base);
    tell_unusable();
    note_what_was_read();
    sort_clues();
    return std::move(out_);
  }

 private:
  void say(std::string origin, std::string text) {
    auto& lines = out_.conflict.lines;
    const auto same = [&](const ConflictLine& line) { return line.origin == origin && line.text == text; };
    if (std::any_of(lines.begin(), lines.end(), same)) return;
    lines.push_back({std::move(origin), std::move(text)});
  }

  template <typename Tell>
  void each(FactKind kind, Tell tell) {
    for (const uint32_t number : facts_) {
      if (universe_.facts()[number].kind == kind) tell(universe_.facts()[number]);
    }
  }

  std::string versions(const Fact& fact) const {
    return universe_.label(fact.package) + " " +
           version_runs(universe_.base_of(fact.package).candidates, fact.versions);
  }

  void tell_roots() {
    each(FactKind::root, [&](const Fact& f) {
      const std::string& name = universe_.base_of(f.target).name;
      if (std::find(out_.involved_roots.begin(), out_.involved_roots.end(), name) == out_.involved_roots.end()) {
        out_.involved_roots.push_back(name);
      }
      const RootRequirement& root = *universe_.active_roots()[f.index];
      out_.conflict.roots.push_back(static_cast<size_t>(&root - request_.roots.data()));
      say(root.origin, "needs " + (f.need.override == nullptr ? universe_.text(f) : as_written(root.requirement)) +
                           scope_note(root.scope));
    });
  }

  static std::string as_written(const Requirement& r) {
    const std::string extras = r.extras.empty() ? "" : "[" + join(r.extras, ",") + "]";
    return r.key + extras + (r.url.empty() ? r.specifiers.text() : " @ " + r.url);
  }

  static std::string scope_note(const std::string& scope) {
    const size_t colon = scope.find(':');
    return colon == scope.npos ? "" : fmt::format("   ({} `{}`)", scope.substr(0, colon), scope.substr(colon + 1));
  }

  void tell_constraints() {
    each(FactKind::constraint, [&](const Fact& f) {
      out_.clues.constraints.push_back(f.index);
      say(request_.constraints[f.index].origin, "constraint: allows only " + universe_.text(f));
    });
  }

  void tell_overrides() {
    for (const uint32_t number : facts_) {
      const RootRequirement* override = universe_.facts()[number].need.override;
      if (override == nullptr) continue;
      out_.clues.overrides.push_back(static_cast<size_t>(override - request_.overrides.data()));
      say(override->origin, "override: whoever needs it gets " + as_written(override->requirement));
    }
  }

  void tell_dependencies() {
    const std::vector<Fact> told = told_dependencies(universe_, facts_);
    std::vector<bool> done(told.size());
    for (size_t i = 0; i < told.size(); ++i) {
      if (done[i]) continue;
      const std::vector<size_t> row = chain(told, i);
      if (row.size() < kShortestCompressed) {
        say(versions(told[i]), "needs " + universe_.text(told[i]) + told[i].reason + override_note(told[i]));
        continue;
      }
      std::vector<std::string> by;
      for (const size_t link : row) {
        done[link] = true;
        if (link != row.back()) by.push_back(universe_.label(told[link].target));
      }
      const Fact& last = told[row.back()];
      say(versions(told[i]), fmt::format("leads by {} to {}", join(by, ", "), universe_.text(last) + last.reason));
    }
  }

  static std::string override_note(const Fact& fact) { return fact.need.override == nullptr ? "" : "   (overridden)"; }

  // Dependencies that follow `first` through packages about which there is nothing else to say.
  std::vector<size_t> chain(const std::vector<Fact>& told, size_t first) const {
    std::vector<size_t> out{first};
    while (out.size() <= told.size()) {
      const PackageId at = told[out.back()].target;
      std::optional<size_t> next;
      size_t mentions = 0;
      for (size_t i = 0; i < told.size(); ++i) {
        mentions += (told[i].package == at ? 1 : 0) + (told[i].target == at ? 1 : 0);
        if (told[i].package == at) next = i;
      }
      for (const uint32_t number : facts_) {
        const Fact& f = universe_.facts()[number];
        const bool at_target = f.kind == FactKind::root && f.target == at;
        if (at_target || (f.kind != FactKind::root && f.kind != FactKind::dependency && f.package == at)) ++mentions;
      }
      const bool plain = told[first].reason.empty() && next && told[*next].need.override == nullptr;
      if (!plain || mentions != 2) break;
      out.push_back(*next);
    }
    return out;
  }

  // The packages that something is asked of, in the order first named.
  std::vector<PackageId> bases() const {
    std::vector<PackageId> out;
    for (const uint32_t number : facts_) {
      const Fact& f = universe_.facts()[number];
      if (f.kind != FactKind::root && f.kind != FactKind::dependency) continue;
      const PackageId base = universe_.info(f.target).base;
      if (std::find(out.begin(), out.end(), base) == out.end()) out.push_back(base);
    }
    return out;
  }

  void tell_end(PackageId base) {
    const PackageInfo& info = universe_.info(base);
    const Demands demands = demands_on(universe_, facts_, base);
    if (demands.any_url && info.from_index == 0 && !demands.any_unmatched) return;
    if (info.candidates.empty()) {
      out_.clues.unseen = out_.clues.unseen || info.note == kNotLookedAt;
      tell_left_out(base, demands, false);
      if (info.note.empty()) return say(info.name, "has no usable version");
      return say(info.name, (info.note.starts_with("no ") ? "has " : "is ") + info.note);
    }
    const std::string none = no_common_version(demands);
    if (!none.empty()) say(info.name, none);
    const bool told = tell_left_out(base, demands, true);
    if (demands.any_unmatched && !told) {
      each(FactKind::root, [&](const Fact& f) { tell_unmatched(base, f); });
      each(FactKind::dependency, [&](const Fact& f) { tell_unmatched(base, f); });
    }
  }

  void tell_unmatched(PackageId base, const Fact& fact) {
    if (!fact.matches_none || universe_.info(fact.target).base != base) return;
    const PackageInfo& target = universe_.info(base);
    if (!target.urls.front().empty()) {
      return say(target.name,
                 fmt::format("is version {} by {}", target.candidates.front().version.text(), target.urls.front()));
    }
    const std::string newest = target.candidates.front().version.text();
    const std::string oldest = target.candidates.back().version.text();
    const std::string asked = fact.need.specifier->set.text();
    say(target.name, fmt::format("has no version that matches `{}`, only {}", target.name + asked,
                                 newest == oldest ? newest : oldest + " – " + newest));
  }

  // Versions that would do if the target or the cutoff were another. Without a demand that they alone meet, only those
  // newer than any that can be had: that a package of ten years ago has no wheel for this machine helps nobody.
  bool tell_left_out(PackageId base, const Demands& demands, bool aloud) {
    const PackageInfo& info = universe_.info(base);
    struct Group {
      std::string reason;
      std::vector<Candidate> versions;
    };
    std::vector<Group> groups;
    for (const Provider::LeftOut& version : provider_.left_out(info.name)) {
      const bool newest = info.from_index == 0 || version.version > info.candidates.front().version;
      if (!demands.accept(version.version) || (!newest && !demands.contradict)) continue;
      if (version.version.is_prerelease() && !info.wants_prereleases) continue;
      if (!version.requires_python.empty()) out_.clues.requires_pythons.insert(version.requires_python);
      if (version.uploaded_ms) note_hidden(info.name, version);
      const auto same = [&](const Group& g) { return g.reason == version.reason; };
      auto group = std::find_if(groups.begin(), groups.end(), same);
      if (group == groups.end()) group = groups.insert(groups.end(), {version.reason, {}});
      group->versions.push_back({version.version});
    }
    if (!aloud) return false;
    for (size_t i = 0; i < groups.size() && i < kMostReasons; ++i) {
      const std::string newest = groups[i].versions.front().version.text();
      const std::string oldest = groups[i].versions.back().version.text();
      say(info.name + " " + (newest == oldest ? newest : oldest + " – " + newest), groups[i].reason);
    }
    return !groups.empty();
  }

  void note_hidden(const std::string& name, const Provider::LeftOut& version) {
    const auto [entry, is_new] = out_.clues.hidden.try_emplace(name, version.version, *version.uploaded_ms);
    if (*version.uploaded_ms < entry->second.second) entry->second = {version.version, *version.uploaded_ms};
  }

  void tell_unusable() {
    std::map<PackageId, size_t> told;
    for (const uint32_t number : facts_) {
      const Fact& f = universe_.facts()[number];
      if (f.kind < FactKind::unusable) continue;
      if (f.kind == FactKind::prerelease) out_.clues.prereleases.insert(universe_.base_of(f.package).name);
      std::string reason = universe_.text(f);
      out_.clues.unseen = out_.clues.unseen || reason == kNotLookedAt;
      constexpr std::string_view kPython = "requires python ";
      if (reason.starts_with(kPython)) {
        const std::string python = reason.substr(kPython.size());
        out_.clues.requires_pythons.insert(python);
        reason = fmt::format("needs python {}, the target has {}", python, request_.target.python_version);
      }
      if (++told[f.package] <= kMostReasons) say(versions(f), reason);
    }
    for (const auto& [package, count] : told) {
      if (count > kMostReasons) {
        say(universe_.label(package),
            fmt::format("has {} more reasons why versions cannot be used", count - kMostReasons));
      }
    }
  }

  void note_what_was_read() {
    if (!request_.suggest) return;
    for (PackageId p = 0; p < universe_.size(); ++p) {
      const PackageInfo& info = universe_.info(p);
      if (info.base != p || !info.loaded) continue;
      out_.clues.read_packages.insert(info.name);
      for (size_t v = 0; v < info.candidates.size(); ++v) {
        if (info.needs[v] && info.candidates[v].sdist_only) {
          out_.clues.read_sdists.emplace(info.name, info.candidates[v].version.text());
        }
      }
    }
  }

  void sort_clues() {
    for (std::vector<size_t>* list : {&out_.conflict.roots, &out_.clues.constraints, &out_.clues.overrides}) {
      std::sort(list->begin(), list->end());
      list->erase(std::unique(list->begin(), list->end()), list->end());
    }
  }

  const SolveRequest& request_;
  Provider& provider_;
  const Universe& universe_;
  const std::vector<uint32_t>& facts_;
  Explanation out_;
};

}  // namespace

Explanation explain(const SolveRequest& request, Provider& provider, const Universe& universe,
                    const std::vector<uint32_t>& facts) {
  return Story(request, provider, universe, facts).tell();
}

}  // namespace dae::resolver
