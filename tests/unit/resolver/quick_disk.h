#pragma once
// For tests that make thousands of trees and remove them. A base class before the fixture whose folder it places.
#include <unistd.h>

#include "scoped_env.h"

namespace dae::resolver::testing {

// In memory where possible: a kill loses nothing on any file system, so the quickest will do.
class QuickDisk {
 private:
  static std::string place() {
    if (const auto chosen = env_var("TMPDIR")) return *chosen;
    return access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
  }
  ScopedEnv place_{"TMPDIR", place()};
};

}  // namespace dae::resolver::testing
