#pragma once
// Wheels from source trees: repositories, unpacked archives, directories, editables. Kept beside those of sdists in
// <cache_dir>/built-wheels/<identity>-<cache_tag>/; a directory's identity is a digest of its contents, an editable's
// one of its place and of the files that decide what the wheel says.
#include "base/events.h"
#include "base/process.h"
#include "resolver/install/interpreter.h"
#include "resolver/source/direct.h"

namespace dae::resolver {

// The wheel, built before or now. A tree that others read is copied first; directories are built where they are, as
// their back ends may look around them. Throws Error failed with the end of the build's log as cause.
Path build_source(const SourceTree& tree, const Interpreter& python, const Path& cache_dir, ProcessRunner& runner,
                  EventSink& events);
// The wheel when it was built before. With an identity, nothing of the tree itself is looked at.
std::optional<Path> built_source(const SourceTree& tree, const Interpreter& python, const Path& cache_dir);

// Hands programs what keeps pip from the network.
class OfflineRunner final : public ProcessRunner {
 public:
  OfflineRunner(ProcessRunner& runner, bool offline) : runner_(runner), offline_(offline) {}
  ProcessResult run(const ProcessSpec& spec) override;
  ProcessIdentity spawn(const ProcessSpec& spec) override { return runner_.spawn(spec); }
  bool alive(const ProcessIdentity& id) override { return runner_.alive(id); }
  std::optional<int> exit_code(const ProcessIdentity& id) override { return runner_.exit_code(id); }
  bool signal(const ProcessIdentity& id, int number, bool group) override { return runner_.signal(id, number, group); }

 private:
  ProcessRunner& runner_;
  const bool offline_;
};

}  // namespace dae::resolver
