#pragma once
// The control plane's memory: a key-value store with etcd's semantics. One global revision that grows by one per
// transaction, compare-and-swap transactions, watch from a revision. SQLite is the embedded default.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/fs.h"

namespace dae::deployer {

struct StoredValue {
  std::string key, value;
  int64_t create_revision = 0, mod_revision = 0;
};

struct Compare {
  std::string key;
  int64_t mod_revision = 0;  // must be equal; 0: the key must not exist
};
struct Put {
  std::string key;
  std::optional<std::string> value;  // nullopt: delete
};
struct TxnResult {
  bool succeeded = false;
  int64_t revision = 0;
};

class StateStore {
 public:
  virtual ~StateStore() = default;
  virtual std::optional<StoredValue> get(const std::string& key) = 0;
  virtual std::vector<StoredValue> list(const std::string& prefix) = 0;  // sorted by key
  virtual int64_t revision() = 0;
  // All or nothing, durable when it returns.
  virtual TxnResult txn(const std::vector<Compare>& compares, const std::vector<Put>& puts) = 0;
  // Blocks until a key with the prefix has changed after `revision`, or the time is over; returns the current revision.
  virtual int64_t wait(const std::string& prefix, int64_t after_revision, int64_t timeout_ms) = 0;
};

// Thread-safe; one process writes at a time (file lock: a second one is refused with the holder's pid).
std::unique_ptr<StateStore> open_sqlite_store(const Path& file);
std::unique_ptr<StateStore> make_memory_store();

}  // namespace dae::deployer
