#pragma once
// One subject on its way to a wheel, or to what only its back end can tell. One thread.
#include <optional>

#include "resolver/install/build_cache.h"
#include "resolver/install/build_environment.h"
#include "resolver/install/build_hook.h"
#include "resolver/source/scratch_dir.h"

namespace dae::resolver {

// What all jobs of a builder share.
struct BuildWarnings {
  std::mutex mutex;
  std::set<std::string> said;
  void once(EventSink& events, const std::string& text);
};

class BuildJob {
 public:
  BuildJob(SourceBuilder& builder, BuildWarnings& warnings, const BuildSubject& subject);

  std::optional<Path> kept_wheel();
  Path wheel();
  Path sdist(const Path& folder);
  std::string metadata();
  std::vector<std::string> requirements();

 private:
  void check_chain() const;
  void open();
  // The environment with all that the build asks for.
  const BuildEnvironment& environment();
  bool use_locked();
  void use_unlocked();
  std::vector<std::string> asked_for(const BuildEnvironment& environment);
  std::vector<std::string> with_asked_for(const std::optional<Value>& answer) const;
  bool is_locked_upgraded(const std::vector<LockedPackage>& pins) const;
  std::vector<std::pair<const LockedBuild*, std::vector<Selected>>> locked() const;
  BuildEnvironment environment_of(const std::vector<Selected>& pins);
  std::optional<Value> call(const std::string& hook, const Path& out, const std::string& what,
                            const BuildEnvironment& environment);
  void check_wheel_file(const Path& wheel) const;
  std::string hook(const char* of_wheel, const char* of_editable) const;

  SourceBuilder& builder_;
  BuildWarnings& warnings_;
  const BuildSubject subject_;
  const std::string label_;
  const BuildCache cache_;
  BuildChain chain_;
  BuildLog log_;
  std::optional<ScratchDir> work_;
  SourceTree tree_;
  BuildSystem system_;
  std::optional<BuildEnvironment> environment_;
  std::vector<std::string> requirements_;
};

}  // namespace dae::resolver
