#pragma once
// Unpacked wheels, once per machine, read-only: <store>/<digest>-<store_tag>[-source]/ with site/ (what goes into
// site-packages, INSTALLER and RECORD included), data/ (the rest of .data), and lists of both, so that linking needs no
// walk, no hashing and no thought. "-source" has no bytecode. Made in a temporary directory beside and renamed: what is
// there under its name is complete, and never changes. Format: share/doc/formats/unpacked-store.md.
#include <memory>
#include <optional>
#include <vector>

#include "base/blob_store.h"
#include "base/events.h"
#include "resolver/install/entry_points.h"
#include "resolver/install/environment.h"

namespace dae::resolver {

struct StoredWheel {
  Path dir;               // the entry; site() and data files below it
  std::string dist_info;  // "Flask-3.1.2.dist-info"
  bool bytecode = false;
  // Its directories may be linked as a whole. False where a native library looks for others outside of the wheel
  // ("$ORIGIN/../../nvidia/…"): behind a link, `..` leads elsewhere.
  bool movable = true;
  struct Top {
    std::string name;
    bool is_dir = false;
  };
  std::vector<Top> tops;  // of site/, sorted; the dist-info among them
  struct DataFile {
    std::string source;  // relative to `dir`
    std::string target;  // relative to the environment's root: "bin/x", "include/site/python3.11/Flask/a.h", "share/…"
    bool executable = false;
    bool rewrite = false;  // a script that begins with "#!python": gets the environment's interpreter
    std::string hash;      // RECORD's form, of the bytes in the store
    uint64_t size_bytes = 0;
  };
  std::vector<DataFile> data;
  std::vector<EntryPoint> entry_points;  // scripts to be generated
  uint64_t size_bytes = 0;               // of all its files

  Path site() const { return dir / "site"; }
  // site/<dist_info>/RECORD is the environment's as it stands: no scripts to generate or rewrite. A direct_url.json
  // still asks for one of its own.
  bool record_is_final() const;
};

// The lists that only linking file by file needs. Names are relative to site(), NUL-terminated, and live in `text`.
struct StoredFiles {
  std::string text;
  std::vector<const char*> dirs;   // parents before children; those that hold bytecode alone are in `bytecode_dirs`
  std::vector<const char*> files;  // INSTALLER and RECORD included
  std::vector<const char*> bytecode_dirs, bytecode;

  StoredFiles() = default;
  StoredFiles(StoredFiles&&) = default;  // `text` is too long to move its bytes with it
  StoredFiles& operator=(StoredFiles&&) = default;
};
StoredFiles read_stored_files(const StoredWheel& wheel);

// The second half of an entry's name: `cache_tag`, and "t" where site-packages is that of a free-threaded interpreter.
std::string store_tag(const Interpreter& python);

// nullopt when it is not there (or not readable: then it has to be made anew). Without `bytecode` either kind will do.
std::optional<StoredWheel> find_unpacked(const StorePaths& store, const std::string& digest_hex,
                                         const std::string& store_tag);

// Unpacks wheels on threads of its own while their like are still being downloaded. Checks them as wheel_check.h says.
class Unpacker {
 public:
  Unpacker(const Interpreter& python, BlobStore& blobs, const StorePaths& store, EventSink& events);
  ~Unpacker();  // what is not finished is dropped
  // From any thread, returns at once; what is in the store already costs a look. Its bytes must be in the blob store.
  void add(const WheelToInstall& wheel);
  // Waits; throws the first error by the order of names. Bytecode is compiled here, for all of them together.
  void finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// One for each of `wheels`, in their order; those that are missing are unpacked.
std::vector<StoredWheel> ensure_unpacked(const std::vector<WheelToInstall>& wheels, const Interpreter& python,
                                         BlobStore& blobs, const StorePaths& store, EventSink& events);

// Held (shared) from looking into the store until what was linked is registered; a collection waits for all of them.
FileLock lock_store_for_use(const StorePaths& store);
// An environment that has to keep working: what its dae-env.json names is not collected (store_collect.h) while it
// exists.
void register_environment(const StorePaths& store, const Path& env);

}  // namespace dae::resolver
