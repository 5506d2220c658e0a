#pragma once
// Is an unpacked wheel what its file name and its RECORD say ("Binary distribution format", formerly PEP 427)?
#include <cstdint>
#include <string>
#include <vector>

#include "base/fs.h"
#include "base/hash.h"

namespace dae::resolver {

struct WheelFile {
  std::string path;  // '/' separated, from the top of the wheel
  std::string hash;  // "sha256=…" as in RECORD; "" for bytecode of ours
  uint64_t size_bytes = 0;
  bool executable = false;
};

struct CheckedWheel {
  std::string dist_info;         // "Flask-3.1.2.dist-info"
  std::string data_dir;          // "Flask-3.1.2.data", or ""
  std::vector<WheelFile> files;  // sorted by path; RECORD and its signatures are not among them
};

// Every file is listed with size and SHA-256 that agree, every listed file is there, names and versions agree, the
// format is one we know. Throws Error verification or bad_input with `file_name` as subject.
CheckedWheel check_wheel(const Path& tree, const std::string& file_name, const std::string& name,
                         const std::string& version);

// A digest in RECORD's spelling, without "sha256=".
std::string digest_base64url(const Digest& digest);

}  // namespace dae::resolver
