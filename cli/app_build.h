#pragma once
// Build and publish, as `dae build`, `dae publish` and `dae deploy` do it.
#include "builder/build.h"
#include "cli/context.h"
#include "mirror/artifact/registry_client.h"

namespace dae::cli {

// Fetches the locked wheels (sdists are built), then makes the artifact and remembers it.
builder::BuiltArtifact build_app(Context& context, const builder::AppFile& app);
// Refuses a dirty tree unless `allow_dirty`.
mirror::PushResult publish_artifact(Context& context, const builder::BuiltArtifact& built, const std::string& mirror,
                                    bool allow_dirty);
std::string describe(const builder::BuiltArtifact& built, int64_t duration_ms);
std::string describe(const mirror::PushResult& pushed);
Value to_value(const builder::BuiltArtifact& built);

}  // namespace dae::cli
