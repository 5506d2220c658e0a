#include "resolver/source/scratch_dir.h"

#include "base/error.h"

namespace dae::resolver {
namespace {

Path lock_of(const Path& dir) {
  return dir.string() + ".lock";
}

void remove_abandoned(const Path& dir, const Path& lock) {
  const auto held = FileLock::try_acquire(lock);
  if (!held) return;
  try {
    remove_all(dir);
    remove_file(lock);
  } catch (const Error&) {
    // A build that outlived its dae may still write there: the next one cleans up.
  }
}

// What nobody holds a lock of was left by a process that was killed.
void sweep(const std::string& kind, const Path& parent) {
  for (const std::string& name : list_dir(parent)) {
    if (!name.starts_with(kind)) continue;  // that of the makers is held by ourselves
    const std::string dir = name.ends_with(".lock") ? name.substr(0, name.size() - 5) : name;
    remove_abandoned(parent / dir, lock_of(parent / dir));
  }
}

}  // namespace

ScratchDir::ScratchDir(const std::string& kind, const Path& parent) {
  make_dirs(parent);
  // A directory that is there and not locked yet is nobody's: none may be made while others look.
  const FileLock makers = FileLock::acquire(parent / (kind + "all.lock"));
  sweep(kind, parent);
  dir_.emplace(kind, parent);
  lock_ = FileLock::acquire(lock_of(dir_->path()));
}

ScratchDir::~ScratchDir() {
  const Path lock = lock_of(dir_->path());
  dir_.reset();
  try {
    remove_file(lock);
  } catch (const Error&) {
    // The next of its kind tries again.
  }
}

}  // namespace dae::resolver
