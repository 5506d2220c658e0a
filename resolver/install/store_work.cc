#include "resolver/install/store_work.h"

#include <optional>

#include "base/error.h"
#include "resolver/install/store_entry.h"

namespace dae::resolver {
namespace {

constexpr const char *kReady = "w-", *kNew = "n-", *kLockFile = "lock";
constexpr int64_t kHourMs = 3600 * 1000;

}  // namespace

// Locked under one name and renamed to the other: whoever sees the second finds it locked.
StoreWork::StoreWork(const Path& store) {
  const Path parent = store / kStoreTemporary;
  make_dirs(parent);
  TempDir dir(kNew, parent);
  lock_.push_back(FileLock::acquire(dir.path() / kLockFile));
  path_ = parent / (kReady + dir.path().filename().string().substr(2));
  rename_path(dir.path(), path_);
  dir.release();
}

StoreWork::~StoreWork() {
  try {
    remove_all(path_);
  } catch (const Error&) {
    // The next run finds it unlocked.
  }
}

std::vector<Path> abandoned_work(const Path& store, int64_t now_ms) {
  std::vector<Path> out;
  const Path parent = store / kStoreTemporary;
  for (const std::string& name : list_dir(parent)) {
    const auto info = file_info(parent / name);
    if (!info) continue;
    const bool is_old = info->mtime_ns / 1'000'000 + kHourMs < now_ms;
    try {
      const Path lock = parent / name / kLockFile;
      const bool is_work = name.starts_with(kReady) && exists(lock);
      if (is_work ? FileLock::try_acquire(lock).has_value() : is_old) out.push_back(parent / name);
    } catch (const Error&) {
      // It went in this moment, or is another user's.
    }
  }
  return out;
}

void remove_abandoned(const Path& work) {
  try {
    std::optional<FileLock> lock;
    if (exists(work / kLockFile) && !(lock = FileLock::try_acquire(work / kLockFile))) return;
    remove_all(work);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::not_found) throw;
  }
}

}  // namespace dae::resolver
