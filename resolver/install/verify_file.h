#pragma once
// One file of an environment against the rows of RECORD that list it.
#include <string>
#include <utility>
#include <vector>

#include "resolver/install/verify.h"

namespace dae::resolver {

struct FileClaim {
  size_t owner = 0;
  std::string hash;  // RECORD's form; "": existence is all there is to check
  std::optional<uint64_t> size_bytes;
};

struct FileVerdict {
  std::vector<std::pair<VerifyFinding::Kind, std::string>> findings;  // with details
  uint64_t hashed_bytes = 0;
};
// `target` is relative to the root. Where several distributions claim a file, it is right when one is.
FileVerdict verify_file(const EnvLayout& layout, const std::string& target, const std::vector<FileClaim>& claims,
                        bool hashes);

}  // namespace dae::resolver
