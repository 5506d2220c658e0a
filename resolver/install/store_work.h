#pragma once
// Where entries are made: <store>/tmp/<name>, locked as long as its process lives, so that what a killed one left can
// be told from what is being made.
#include <vector>

#include "base/fs.h"

namespace dae::resolver {

class StoreWork {
 public:
  explicit StoreWork(const Path& store);
  ~StoreWork();
  StoreWork(const StoreWork&) = delete;
  StoreWork& operator=(const StoreWork&) = delete;
  const Path& path() const { return path_; }

 private:
  Path path_;
  std::vector<FileLock> lock_;
};

// Leavings of runs that ended early: folders that nobody holds, and what is of no known form and older than an hour.
std::vector<Path> abandoned_work(const Path& store, int64_t now_ms);
void remove_abandoned(const Path& work);  // unless somebody has taken it meanwhile

}  // namespace dae::resolver
