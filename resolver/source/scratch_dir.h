#pragma once
// A directory of our own in a cache, which goes with the object; if we are killed, with the next one of its kind.
#include <optional>
#include <string>

#include "base/fs.h"

namespace dae::resolver {

class ScratchDir {
 public:
  // Below `parent`, which is made; `kind`: ".building-". Beside it stands a lock for as long as it is in use.
  ScratchDir(const std::string& kind, const Path& parent);
  ~ScratchDir();
  ScratchDir(const ScratchDir&) = delete;
  ScratchDir& operator=(const ScratchDir&) = delete;
  const Path& path() const { return dir_->path(); }

 private:
  std::optional<TempDir> dir_;
  std::optional<FileLock> lock_;
};

}  // namespace dae::resolver
