#include <algorithm>
#include <map>

#include "base/error.h"
#include "base/strings.h"
#include "resolver/install/env_state.h"
#include "resolver/install/environment.h"

namespace dae::resolver {
namespace {

// Scripts hold the path of their environment: one that was moved or copied has to be made anew. The link is asked for
// because an environment without its interpreter is none, whatever the state file says.
bool usable(const EnvState& state, const EnvLayout& layout, const Interpreter& python) {
  return state.ready && state.prefix == layout.root.string() && same_interpreter(state, python) &&
         (!state.made_here || read_link(layout.python()) == python.real_executable.string());
}

// Site-packages and bytecode belong to a minor version and the place: beyond that, nothing installed is of use.
bool packages_survive(const EnvState& state, const EnvLayout& layout, const Interpreter& python) {
  return state.ready && state.prefix == layout.root.string() && state.cache_tag == python.cache_tag;
}

}  // namespace

InstallPlan plan_install(const Path& env, const Interpreter& python, const std::vector<WheelToInstall>& wanted) {
  const EnvLayout layout(env, python);
  InstallPlan plan;
  plan.wanted = wanted;
  const std::optional<EnvState> state = read_env_state(layout.root);
  plan.make_environment = !state || !usable(*state, layout, python);
  std::map<std::string, InstalledPackage> installed;
  if (state && packages_survive(*state, layout, python)) {
    for (const InstalledPackage& package : state->packages) installed.emplace(package.name, package);
    for (const InstalledPackage& package : state->applying) plan.remove.emplace_back(package.name, package.version);
  }
  for (const WheelToInstall& wheel : wanted) {
    const auto found = installed.find(wheel.name);
    if (found != installed.end() && found->second.digest == wheel.digest.hex()) {
      plan.keep.push_back(wheel.name);
    } else {
      plan.add.push_back(wheel);
      if (found != installed.end()) plan.remove.emplace_back(wheel.name, found->second.version);
    }
    if (found != installed.end()) installed.erase(found);
  }
  for (const auto& [name, package] : installed) plan.remove.emplace_back(name, package.version);
  std::ranges::sort(plan.add, {}, &WheelToInstall::name);
  std::ranges::sort(plan.remove);
  plan.remove.erase(std::unique(plan.remove.begin(), plan.remove.end()), plan.remove.end());
  std::ranges::sort(plan.keep);
  const auto twice = std::ranges::adjacent_find(plan.add, {}, &WheelToInstall::name);
  if (twice != plan.add.end()) {
    throw Error(ErrorKind::bad_input, "two wheels of `" + twice->name + "` for one environment", twice->file_name);
  }
  return plan;
}

std::map<std::string, std::string> environment_variables(const Path& env) {
  const Path root = std::filesystem::absolute(env).lexically_normal();
  std::map<std::string, std::string> out;
  out["VIRTUAL_ENV"] = root.string();
  out["PATH"] = (root / "bin").string() + ":" + env_var("PATH").value_or("/usr/local/bin:/usr/bin:/bin");
  // It would send the interpreter to another standard library; an empty value counts as unset.
  if (env_var("PYTHONHOME")) out["PYTHONHOME"] = "";
  return out;
}

}  // namespace dae::resolver
