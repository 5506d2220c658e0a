#include <algorithm>
#include <set>

#include "base/error.h"
#include "resolver/install/doctor.h"
#include "resolver/install/env_state.h"
#include "resolver/install/environment.h"
#include "resolver/install/owners.h"
#include "resolver/install/verify.h"

namespace dae::resolver {
namespace {

// What `venv` and `virtualenv` put into an environment themselves: as much a part of it as its interpreter.
bool is_seed(const std::string& name) {
  return name == "pip" || name == "setuptools" || name == "wheel";
}

// Why it cannot be removed; "" when it can.
std::string immovable(const EnvLayout& layout, const StandingDistribution& one) {
  if (!one.folder.ends_with(".dist-info")) return "it is an egg, which lists no files";
  const Path dir = layout.root / layout.site_packages() / one.folder;
  if (const auto info = file_info(dir); !info || !info->is_dir()) return "its dist-info is a link";
  if (!exists(dir / "RECORD")) return "it has no RECORD";
  try {
    read_installed_record(layout, one.folder);
  } catch (const Error& error) {
    return "its RECORD is broken: " + error.message();
  }
  return "";
}

// What somebody installed over a package of ours took its place, or a part of it: ours is linked anew.
void add_again(InstallPlan& plan, const std::vector<WheelToInstall>& wanted, const std::set<std::string>& names) {
  for (const WheelToInstall& wheel : wanted) {
    if (!names.contains(wheel.name) || std::erase(plan.keep, wheel.name) == 0) continue;
    plan.add.push_back(wheel);
    plan.remove.emplace_back(wheel.name, wheel.version);
  }
  std::ranges::sort(plan.add, {}, &WheelToInstall::name);
  std::ranges::sort(plan.remove);
}

}  // namespace

void plan_exact(InstallPlan& plan, const Path& env, const Interpreter& python,
                const std::vector<WheelToInstall>& wanted) {
  const EnvLayout layout(env, python);
  // Beyond a minor version the environment is made anew, without anything that was there.
  if (!exists(layout.root / layout.site_packages())) return;
  if (layout_of(env).site_packages() != layout.site_packages()) return;
  const std::optional<EnvState> state = read_env_state(layout.root);
  const bool seeded = !state || !state->made_here;
  std::set<std::string> unfinished, names;
  if (state)
    for (const InstalledPackage& package : state->applying) unfinished.insert(package.dist_info);
  for (const StandingDistribution& one : standing_distributions(env)) {
    if (!one.foreign || unfinished.contains(one.folder) || (seeded && is_seed(one.name))) continue;
    names.insert(one.name);
    const std::string why = immovable(layout, one);
    if (why.empty()) {
      plan.foreign.push_back({one.name, one.version, "", one.folder});
    } else {
      plan.immovable.push_back(one.name + " " + one.version + ": " + why);
    }
  }
  add_again(plan, wanted, names);
}

}  // namespace dae::resolver
