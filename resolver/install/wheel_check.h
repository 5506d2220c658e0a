#pragma once
// Is a wheel what its file name and its RECORD say, and where does each of its files go? ("Binary distribution format",
// formerly PEP 427.) All that can be told without unpacking; the bytes are compared while they are unpacked.
#include <optional>
#include <string>
#include <vector>

#include "base/hash.h"
#include "base/zip.h"
#include "resolver/install/env_layout.h"
#include "resolver/install/unpacked_store.h"

namespace dae::resolver {

struct PlacedFile {
  const ZipMember* member = nullptr;
  std::string path;  // in the store's entry: "site/flask/app.py", "data/scripts/tool"; "": compared, but not kept
  std::string hash;  // "sha256=…" (or 384, 512) as in RECORD, without padding
  bool executable = false;
};

struct CheckedWheel {
  std::string dist_info;                    // "Flask-3.1.2.dist-info"
  std::vector<PlacedFile> files;            // in the order of the archive's bytes
  std::vector<std::string> dirs;            // of the entry, parents before children; "site" and "data" among them
  std::vector<StoredWheel::DataFile> data;  // sorted by target; `rewrite` is told by the bytes
  std::vector<EntryPoint> entry_points;     // each name once, and none that the wheel has a script of its own for
};

// Every file is listed, with a size that agrees and a SHA-256; every listed file is there; names and versions agree;
// the format is one we know; no two files go to one place, none to a place of the environment's own or another
// distribution's. Throws Error verification, bad_input or refused with the wheel's file name as subject.
CheckedWheel check_wheel(const ZipFile& wheel, const std::string& name, const std::string& version,
                         const EnvLayout& layout);

// A file's bytes against its row: what RECORD wants to be compared, and SHA-256 for the RECORD that we write.
class RecordHash {
 public:
  explicit RecordHash(const std::string& wanted);  // has to outlive it
  void update(std::string_view bytes);
  // RECORD's form; "" when the bytes are not what they have to be.
  std::string sha256_if_equal();

 private:
  const std::string& wanted_;
  Sha256 sha256_;
  std::optional<Sha512> long_;
};

// All that unpacking would find wrong with a wheel.
void verify_wheel(const ZipFile& wheel, const std::string& name, const std::string& version, const EnvLayout& layout);

// A digest in RECORD's spelling, without "sha256=".
std::string digest_base64url(const Digest& digest);

// Errors about a wheel, all with the same advice.
[[noreturn]] void throw_broken_wheel(std::string message, const std::string& file_name);
[[noreturn]] void throw_unverified_wheel(std::string message, const std::string& file_name);
[[noreturn]] void throw_unlike_record(const std::string& member, const std::string& file_name);

}  // namespace dae::resolver
