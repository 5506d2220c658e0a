#pragma once
// The environment a build runs in: a venv of ours with its pinned build requirements, in <cache>/build-envs/<key>/. The
// key names the wheels and the interpreter, so an environment never changes and is shared by all builds that need it.
#include "resolver/install/build.h"

namespace dae::resolver {

struct BuildEnvironment {
  Path dir;
  std::string key;
};

// nullopt when one of the pins has to be built itself: which wheel that gives is known afterwards.
std::optional<std::string> environment_key(const std::vector<Selected>& pins, const Interpreter& python);
// Fetched (digests checked), built where no wheel fits, linked. Killed at any point: the next run ends right.
BuildEnvironment make_build_environment(const std::vector<Selected>& pins, SourceBuilder& builder,
                                        const BuildChain& chain);

}  // namespace dae::resolver
