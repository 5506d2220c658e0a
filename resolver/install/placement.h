#pragma once
// Where each file of an unpacked wheel goes in an environment: pure, nothing is touched ("Binary distribution format",
// section "Installing a wheel").
#include <string>
#include <vector>

#include "resolver/install/env_layout.h"
#include "resolver/install/environment.h"
#include "resolver/install/unpacked_store.h"

namespace dae::resolver {

struct Placement {
  std::string target;  // relative to the environment's root
  Path source;         // linked from here; empty: `bytes` are written
  std::string bytes;
  std::string hash;  // RECORD's form; "" for bytecode
  uint64_t size_bytes = 0;
  bool executable = false;
};

struct WheelPlacement {
  std::vector<Placement> files;  // sorted by target, RECORD not among them
  std::string record;            // its text
};

// Throws Error refused where a file would land outside or in the interpreter's place.
WheelPlacement place_wheel(const WheelToInstall& wheel, const StoredWheel& stored, const EnvLayout& layout);

}  // namespace dae::resolver
