#pragma once
// From an app folder to an artifact in the local blob store (plan and apply), and from there to a registry.
// The same commit and lock give the same digest on any machine.
#include <string>
#include <vector>

#include "base/blob_store.h"
#include "base/events.h"
#include "base/process.h"
#include "builder/app_file.h"
#include "mirror/artifact/artifact.h"
#include "resolver/install/environment.h"

namespace dae::builder {

// "<base>+<N>.g<sha12>[.dirty]": base from the newest annotated tag v?X.Y.Z or [project] version, N commits since the
// tag (or since the first commit), sha12 of HEAD. A shallow clone without the tag is refused with the git command that
// mends it. Without a repository: "<base>+0.g<first 12 of the source's digest>".
struct SourceVersion {
  std::string version, base, revision;
  bool dirty = false;
  bool in_git = false;
  int64_t commit_time_s = 0;  // mtime of everything in the source layer
};
SourceVersion source_version(const AppFile& app, const std::string& project_version);

struct BuildPlan {
  SourceVersion version;
  std::vector<std::string> files;  // relative, sorted: what goes into the source layer
  std::vector<resolver::WheelToInstall> wheels;
  Path lock_path;
};
// Files: tracked and untracked-but-not-ignored ones of the work tree (all of them without git), without .git, .venv,
// __pycache__, build.exclude, protected_files.
BuildPlan plan_build(const AppFile& app, const std::string& project_version,
                     std::vector<resolver::WheelToInstall> wheels);

struct BuiltArtifact {
  mirror::Manifest manifest;
  Digest digest;
  std::string version, repository;  // "apps/<name>"
  bool dirty = false;
  uint64_t source_bytes = 0, wheel_bytes = 0;
  int wheels = 0;
};
// Runs build steps, writes layers and config to `blobs` (the wheels must be there already).
BuiltArtifact build_artifact(const AppFile& app, const BuildPlan& plan, BlobStore& blobs, ProcessRunner& runner,
                             EventSink& events);

// The last build of an app folder is remembered in cache_dir()/builds/<hash of dir>.json for `dae publish`.
void remember_build(const AppFile& app, const BuiltArtifact& artifact);
BuiltArtifact last_build(const AppFile& app, BlobStore& blobs);  // throws not_found with a hint

}  // namespace dae::builder
