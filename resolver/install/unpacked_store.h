#pragma once
// Unpacked wheels, once per machine: <store>/<digest>-<cache_tag>/{tree/…,manifest}. The tree is the checked wheel with
// its bytecode, read-only; the manifest lists its files so that linking needs no walk and no hashing. Made in a
// temporary directory beside and renamed: what is there under its name is complete.
// Format: share/doc/formats/unpacked-store.md.
#include <optional>
#include <vector>

#include "base/blob_store.h"
#include "base/events.h"
#include "resolver/install/environment.h"
#include "resolver/install/wheel_check.h"

namespace dae::resolver {

struct StoredWheel {
  Path tree;
  CheckedWheel wheel;  // bytecode included in `files`, without a hash
};

// One for each of `wheels`, in their order; those that are missing are unpacked, in parallel.
std::vector<StoredWheel> ensure_unpacked(const std::vector<WheelToInstall>& wheels, const Interpreter& python,
                                         BlobStore& blobs, const StorePaths& store, EventSink& events);
// nullopt when it is not there (or not readable, then it has to be made anew).
std::optional<StoredWheel> find_unpacked(const StorePaths& store, const std::string& digest_hex,
                                         const std::string& cache_tag);

// Compiles these modules below `trees` to `unchecked-hash` bytecode (PEP 552): never compared with the source again,
// which is right for files that never change, and saves a stat per import. What does not compile is left out.
struct CompileJob {
  Path tree;
  std::vector<std::string> modules;  // relative
};
void compile_bytecode(const std::vector<CompileJob>& jobs, const Interpreter& python);
std::string bytecode_path(const std::string& module, const std::string& cache_tag);

}  // namespace dae::resolver
