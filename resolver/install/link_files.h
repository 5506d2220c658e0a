#pragma once
// One file from the store into an environment, in the way that the file systems allow. From any thread.
#include <atomic>

#include "base/dir.h"
#include "resolver/install/environment.h"

namespace dae::resolver {

class FileLinker {
 public:
  explicit FileLinker(LinkMode wanted) : mode_(wanted == LinkMode::automatic ? LinkMode::hardlink : wanted) {}
  // `taken` or `done`; whatever else is in the way is thrown. A way that does not work here is not tried again.
  Dir::Linked put(const Dir& from, const char* name, const Dir& to, const char* new_name);
  LinkMode mode() const { return mode_; }
  bool used() const { return used_; }

 private:
  static Dir::Linked try_once(LinkMode mode, const Dir& from, const char* name, const Dir& to, const char* new_name);
  std::atomic<LinkMode> mode_;
  std::atomic<bool> used_ = false;
};

}  // namespace dae::resolver
