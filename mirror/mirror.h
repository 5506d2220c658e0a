#pragma once
// `dae mirror serve`: a package index that pulls through from an upstream, and an artifact registry, over one blob
// store. Configuration: share/doc/formats/mirror-yaml.md. Paths it answers: contracts in ARCHITECTURE.md, "Mirror".
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/http_client.h"
#include "base/http_server.h"
#include "base/process.h"
#include "base/value.h"
#include "mirror/care/config.h"
#include "mirror/policy/rules.h"
#include "mirror/serving/config.h"
#include "mirror/tree/config.h"

namespace dae::mirror {

namespace sync {
struct SyncSettings;
}

struct IndexConfig {
  std::string name;                                     // "pypi"
  std::string upstream = "pip";                         // "pip" or a simple root URL
  std::string mode = "pull-through";                    // or "sync", "private", "overlay": no upstream, always frozen
  bool frozen = false;                                  // upstream is never asked: what is not kept is not there
  std::shared_ptr<const sync::SyncSettings> sync = {};  // with mode "sync" alone
  bool uploads = false;                                 // with mode "private" alone
  bool immutable = true;                                // what was uploaded stays under its name
  PolicyRules policy = {};
  OverlayRules overlay = {};  // with mode "overlay" alone
};

struct SharedPlace;  // storage/storage.h

struct MirrorConfig {
  Path storage;                                    // the folder; with `shared` the cache
  std::shared_ptr<const SharedPlace> shared = {};  // several machines share a bucket
  std::vector<IndexConfig> indexes;                // default: one, "pypi", upstream pip
  std::string address = "127.0.0.1";
  uint16_t port = 8400;
  uint64_t page_limit_bytes = 64ull << 20;
  uint64_t file_limit_bytes = 4ull << 30;
  uint64_t upload_limit_bytes = 200ull << 20;
  bool sparse_manifests = false;  // pushed manifests may name what this mirror does not have
  CareConfig care = {};
  ServingConfig serving = {};
  TreeConfig tree = {};
};
MirrorConfig parse_mirror_config(const Document& document);  // mirror.yaml, strict
MirrorConfig default_mirror_config(const Path& storage);

// Listens when it returns. The object owns the server, its catalog (SQLite) and its blobs; destruction drains.
class Mirror {
 public:
  virtual ~Mirror() = default;
  virtual std::string url() const = 0;
  virtual void drain(int64_t grace_ms) = 0;
};
std::unique_ptr<Mirror> start_mirror(const MirrorConfig& config, Transport& upstream, ProcessRunner& runner);
// With another clock than the machine's: how long pages are fresh and uploads live is judged by it.
std::unique_ptr<Mirror> start_mirror(const MirrorConfig& config, Transport& upstream, ProcessRunner& runner,
                                     Clock& clock);

}  // namespace dae::mirror
