#pragma once
// What builds sdists and the like for a command: settings of this machine, build requirements from the project's
// indexes.
#include <memory>
#include <optional>

#include "cli/context.h"
#include "resolver/install/build.h"
#include "resolver/lock/resolve.h"

namespace dae::cli {

struct BuildScope {
  const resolver::Interpreter& python;
  Path base_dir;                               // of the project and its lock
  std::shared_ptr<const resolver::Lock> lock;  // what it says of builds is used; null: nothing
  bool want_locked = false;                    // also when $CI is set
  // How build requirements are resolved: policies, cutoff, upgrades. Nullopt: as the project in base_dir says.
  std::optional<resolver::LockRequest> request = std::nullopt;
  std::optional<IndexChoice> index = std::nullopt;  // nullopt: chosen when first needed
};

// `transport` fetches files; it, the context and the interpreter must outlive the builder.
std::unique_ptr<resolver::SourceBuilder> make_source_builder(Context& context, BuildScope scope, Transport& transport,
                                                             BlobStore& blobs);

// For a lock that outlives the builder.
inline std::shared_ptr<const resolver::Lock> borrowed(const resolver::Lock& lock) {
  return {std::shared_ptr<const resolver::Lock>(), &lock};
}

// Under which answers of builds are kept: one that failed shut in, or for want of time, is tried again otherwise.
std::string build_tag(const resolver::Interpreter& python, const resolver::BuildSandbox& sandbox);

// build.sandbox, build.timeout and build.pass_env of config.yaml; $DAE_BUILD_SANDBOX, $DAE_BUILD_TIMEOUT go before.
resolver::BuildSettings build_settings();

}  // namespace dae::cli
