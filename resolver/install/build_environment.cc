#include "resolver/install/build_environment.h"

#include <algorithm>

#include "base/error.h"
#include "base/strings.h"

namespace dae::resolver {
namespace {

constexpr const char* kFormat = "dae-build-environment-1";

std::string key_of(std::vector<std::string> digests, const Interpreter& python) {
  std::ranges::sort(digests);
  return Digest::of(
             join({kFormat, python.real_executable.string(), python.version, python.soabi, join(digests, " ")}, "\n"))
      .hex()
      .substr(0, 32);
}

}  // namespace

std::optional<std::string> environment_key(const std::vector<Selected>& pins, const Interpreter& python) {
  std::vector<std::string> digests;
  for (const Selected& pin : pins) {
    if (!pin.is_wheel || pin.direct) return std::nullopt;
    digests.push_back(pin.file.sha256);
  }
  return key_of(std::move(digests), python);
}

BuildEnvironment make_build_environment(const std::vector<Selected>& pins, SourceBuilder& builder,
                                        const BuildChain& chain) {
  const Interpreter& python = builder.python();
  const std::vector<WheelToInstall> wheels =
      fetch_selected(pins, python, builder.transport(), builder.blobs(), builder.cache_dir(), builder.runner(),
                     builder.events(), builder.fetch_options(chain));
  std::vector<std::string> digests;
  for (const WheelToInstall& wheel : wheels) digests.push_back(wheel.digest.hex());
  BuildEnvironment out;
  out.key = key_of(std::move(digests), python);
  const Path root = std::filesystem::absolute(builder.cache_dir()) / "build-envs";
  make_dirs(root);
  out.dir = root / (python.cache_tag + "-" + out.key);
  const InstallPlan plan = plan_install(out.dir, python, wheels);
  if (plan.empty()) return out;
  const Path unpacked = builder.setup().unpacked.empty() ? builder.cache_dir() / "unpacked" : builder.setup().unpacked;
  apply_install(plan, out.dir, python, builder.blobs(), {unpacked, true}, builder.events());
  return out;
}

}  // namespace dae::resolver
