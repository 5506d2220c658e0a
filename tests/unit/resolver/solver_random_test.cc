// Small random registries against trying everything out: both must agree whether there is an answer, and an answer
// must be one.
#include <gtest/gtest.h>

#include <random>
#include <set>

#include "memory_provider.h"
#include "resolver/solver/range_select.h"

namespace dae::resolver {
namespace {

constexpr int kRegistries = 3000;

struct Registry {
  std::vector<std::string> names;
  std::map<std::string, std::map<std::string, std::vector<std::string>>> needs;  // name -> version -> requirements
  std::vector<std::string> roots, constraints, overrides;
  std::set<std::pair<std::string, std::string>> yanked;  // name, version
  bool lowest = false;
};

class Dice {
 public:
  explicit Dice(uint32_t seed) : engine_(seed) {}
  int below(int n) { return static_cast<int>(engine_() % static_cast<uint32_t>(n)); }

 private:
  std::mt19937 engine_;
};

std::string random_requirement(Dice& dice, const std::vector<std::string>& names, int versions) {
  std::string out = names[static_cast<size_t>(dice.below(static_cast<int>(names.size())))];
  const int extra = dice.below(6);
  if (extra < 2) out += extra == 0 ? "[x]" : "[y]";
  static const char* const kOps[] = {"", "==", "!=", "<", "<=", ">", ">=", "<", ">="};
  const char* op = kOps[dice.below(9)];
  if (*op != '\0') out += op + std::to_string(1 + dice.below(versions)) + ".0";
  return out;
}

Registry random_registry(Dice& dice) {
  Registry r;
  const int packages = 2 + dice.below(4);
  const int versions = 1 + dice.below(3);
  for (int i = 0; i < packages; ++i) r.names.push_back(std::string(1, static_cast<char>('a' + i)));
  for (const std::string& name : r.names) {
    for (int v = 1; v <= versions; ++v) {
      auto& needs = r.needs[name][std::to_string(v) + ".0"];
      for (int k = dice.below(4); k > 0; --k) {
        std::string need = random_requirement(dice, r.names, versions);
        const int marker = dice.below(5);
        if (marker < 2) need += marker == 0 ? "; extra == 'x'" : "; extra == 'y'";
        needs.push_back(need);
      }
    }
  }
  for (int k = 1 + dice.below(3); k > 0; --k) r.roots.push_back(random_requirement(dice, r.names, versions));
  if (dice.below(3) == 0) r.constraints.push_back(random_requirement(dice, r.names, versions));
  if (dice.below(4) == 0) r.overrides.push_back(random_requirement(dice, r.names, versions));
  if (dice.below(3) == 0) {
    const auto& name = r.names[static_cast<size_t>(dice.below(packages))];
    r.yanked.insert({name, std::to_string(1 + dice.below(versions)) + ".0"});
  }
  r.lowest = dice.below(2) == 0;
  return r;
}

// What an override of the package makes of it.
Requirement replaced(const Registry& r, Requirement requirement) {
  for (const std::string& text : r.overrides) {
    const Requirement override = Requirement::parse(text);
    if (override.key != requirement.key) continue;
    requirement.specifiers = override.specifiers;
    requirement.extras.insert(requirement.extras.end(), override.extras.begin(), override.extras.end());
  }
  return requirement;
}

// Constraints hold, and a yanked version is one that the user pins.
bool may_be_chosen(const Registry& r, const std::string& name, const Version& version) {
  bool pinned = false, overridden = false;
  const auto look = [&](const std::string& text) {
    const Requirement requirement = Requirement::parse(text);
    if (requirement.key != name) return true;
    for (const Specifier& part : requirement.specifiers.parts()) {
      pinned = pinned || (part.op == SpecifierOp::equal && part.contains(version));
    }
    return requirement.specifiers.contains(version);
  };
  for (const std::string& text : r.constraints) {
    if (!look(text)) return false;
  }
  for (const std::string& text : r.overrides) {
    overridden = overridden || Requirement::parse(text).key == name;
    look(text);
  }
  for (const std::string& text : r.roots) {
    if (!overridden) look(text);
  }
  return pinned || !r.yanked.contains({name, version.text()});
}

// What the chosen versions pull in, or nothing when a requirement does not hold.
std::optional<std::set<std::string>> closure(const Registry& r, const std::map<std::string, std::string>& chosen) {
  const MarkerEnvironment environment = request_of({}).target.markers();
  std::set<std::pair<std::string, std::string>> seen;
  std::vector<std::pair<std::string, std::string>> todo;
  std::set<std::string> out;
  const auto need = [&](const Requirement& written) {
    const Requirement requirement = replaced(r, written);
    const auto found = chosen.find(requirement.key);
    if (found == chosen.end()) return false;
    const Version version = Version::parse(found->second);
    if (!requirement.specifiers.contains(version) || !may_be_chosen(r, requirement.key, version)) return false;
    out.insert(requirement.key);
    if (seen.insert({requirement.key, ""}).second) todo.push_back({requirement.key, ""});
    for (const std::string& extra : requirement.extras) {
      if (seen.insert({requirement.key, extra}).second) todo.push_back({requirement.key, extra});
    }
    return true;
  };
  for (const std::string& root : r.roots) {
    if (!need(Requirement::parse(root))) return std::nullopt;
  }
  while (!todo.empty()) {
    const auto [name, extra] = todo.back();
    todo.pop_back();
    for (const std::string& text : r.needs.at(name).at(chosen.at(name))) {
      const Requirement requirement = Requirement::parse(text);
      if (!requirement.marker.evaluate(environment, extra.empty() ? std::set<std::string>{} : std::set{extra}))
        continue;
      if (!need(requirement)) return std::nullopt;
    }
  }
  return out;
}

bool any_choice_works(const Registry& r, size_t index, std::map<std::string, std::string>& chosen) {
  if (index == r.names.size()) return closure(r, chosen).has_value();
  for (const auto& [version, needs] : r.needs.at(r.names[index])) {
    chosen[r.names[index]] = version;
    if (any_choice_works(r, index + 1, chosen)) return true;
  }
  return false;
}

std::string describe(const Registry& r) {
  std::string out = "roots:";
  for (const std::string& root : r.roots) out += " " + root + ",";
  for (const std::string& text : r.constraints) out += "\nconstraint: " + text;
  for (const std::string& text : r.overrides) out += "\noverride: " + text;
  for (const auto& [name, version] : r.yanked) out += "\nyanked: " + name + " " + version;
  if (r.lowest) out += "\nlowest";
  for (const auto& [name, versions] : r.needs) {
    for (const auto& [version, needs] : versions) {
      out += "\n" + name + " " + version + ":";
      for (const std::string& need : needs) out += " " + need + ",";
    }
  }
  return out;
}

TEST(SolverRandom, AgreesWithTryingEverything) {
  int satisfiable = 0;
  for (uint32_t seed = 0; seed < kRegistries; ++seed) {
    Dice dice(seed);
    const Registry r = random_registry(dice);
    MemoryProvider p;
    for (const auto& [name, versions] : r.needs) {
      for (const auto& [version, needs] : versions) p.add(name, version, needs);
    }
    for (const auto& [name, version] : r.yanked) p.add_yanked(name, version);
    SolveRequest request = request_of(r.roots);
    for (const std::string& text : r.constraints) request.constraints.push_back({Requirement::parse(text), "c"});
    for (const std::string& text : r.overrides) request.overrides.push_back({Requirement::parse(text), "o"});
    if (r.lowest) request.selection = Selection::lowest;
    const auto outcome = solve(request, p);
    std::map<std::string, std::string> chosen;
    const bool expected = any_choice_works(r, 0, chosen);
    const auto* resolution = std::get_if<Resolution>(&outcome);
    ASSERT_EQ(resolution != nullptr, expected) << "seed " << seed << "\n"
                                               << describe(r) << "\n"
                                               << outcome_text(outcome);
    if (!expected) {
      ASSERT_FALSE(std::get<NoSolution>(outcome).lines.empty()) << describe(r);
      continue;
    }
    ++satisfiable;
    std::map<std::string, std::string> pins;
    std::set<std::string> names;
    for (const Pin& pin : resolution->pins) {
      pins[pin.name] = std::to_string(pin.version.release()[0]) + ".0";
      names.insert(pin.name);
    }
    const auto pulled = closure(r, pins);
    ASSERT_TRUE(pulled.has_value()) << "seed " << seed << "\n" << describe(r) << "\n" << outcome_text(outcome);
    ASSERT_EQ(*pulled, names) << "seed " << seed << "\n" << describe(r);
  }
  // Neither kind may be rare, or the comparison says little.
  EXPECT_GT(satisfiable, kRegistries / 5);
  EXPECT_LT(satisfiable, kRegistries * 9 / 10);
}

TEST(SolverRandom, CutsRangesAsTheSpecifiersSay) {
  std::vector<Candidate> candidates;
  for (const char* v : {"3.0.dev1", "2.1.post1", "2.1+b", "2.1+a", "2.1", "2.1rc1", "2.0.1", "2.0.post2", "2.0+x",
                        "2.0", "2.0b2", "2.0a1", "2.0.dev3", "1.9.9", "1.9", "1.10.dev0", "1.0", "1!0.1", "0.9"}) {
    candidates.push_back({Version::parse(v)});
  }
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const Candidate& a, const Candidate& b) { return a.version > b.version; });
  candidates.push_back({Version::parse("2.0.5")});  // a direct reference
  const auto bits = static_cast<uint32_t>(candidates.size() + 1);
  for (const char* op : {"==", "!=", "<", "<=", ">", ">=", "~=", "==="}) {
    for (const char* limit :
         {"2.0", "2.0.*", "2.1", "2", "2.*", "1.9", "2.0b2", "2.0.post2", "2.0.dev3", "1!0.1", "2.1+a", "4.0", "0.1"}) {
      for (const char* more : {"", ",>1.0", ",!=2.1"}) {
        const auto set = SpecifierSet::try_parse(std::string(op) + limit + more);
        if (!set) continue;
        const VersionSet cut = select_range(candidates, candidates.size() - 1, bits, *set);
        for (uint32_t i = 0; i < candidates.size(); ++i) {
          EXPECT_EQ(cut.test(i), set->contains(candidates[i].version))
              << candidates[i].version.text() << " in " << set->text();
        }
        EXPECT_FALSE(cut.test(bits - 1));
      }
    }
  }
}

}  // namespace
}  // namespace dae::resolver
