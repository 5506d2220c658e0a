#pragma once
// What of a wheel depends on the environment: the launchers of its entry points, scripts that begin with "#!python",
// direct_url.json, and the RECORD that lists them.
#include <string>
#include <vector>

#include "resolver/install/env_layout.h"
#include "resolver/install/unpacked_store.h"

namespace dae::resolver {

struct GeneratedFile {
  std::string target;  // relative to the environment's root
  std::string bytes;
  std::string hash;  // RECORD's form
  bool executable = false;
};

// RECORD not among them.
std::vector<GeneratedFile> generated_files(const WheelToInstall& wheel, const StoredWheel& stored,
                                           const EnvLayout& layout);
// The text of RECORD with `generated` in it.
std::string record_with(const StoredWheel& stored, const std::vector<GeneratedFile>& generated,
                        const EnvLayout& layout);

}  // namespace dae::resolver
