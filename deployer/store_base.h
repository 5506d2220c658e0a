#pragma once
// What all stores share: one lock, the revision, compares, and who waits for what. A concrete store only reads and
// writes entries; it is called with the lock held, from one thread at a time.
#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <vector>

#include "deployer/state_store.h"

namespace dae::deployer {

class StoreBase : public StateStore {
 public:
  std::optional<StoredValue> get(const std::string& key) final;
  std::vector<StoredValue> list(const std::string& prefix) final;
  int64_t revision() final;
  TxnResult txn(const std::vector<Compare>& compares, const std::vector<Put>& puts) final;
  int64_t wait(const std::string& prefix, int64_t after_revision, int64_t timeout_ms) final;

 protected:
  virtual std::optional<StoredValue> read(const std::string& key) = 0;
  virtual std::vector<StoredValue> read_prefix(const std::string& prefix) = 0;
  // All of `entries` (and `deletions`) and the new revision become durable together, or an exception leaves nothing.
  virtual void write(int64_t revision, const std::vector<StoredValue>& entries,
                     const std::vector<std::string>& deletions) = 0;
  void start_at(int64_t revision);  // while being opened

 private:
  struct Change {
    int64_t revision;
    std::vector<std::string> keys;
  };
  bool changed_after(const std::string& prefix, int64_t revision) const;

  std::mutex mutex_;
  std::condition_variable changed_;
  int64_t revision_ = 0;
  // The latest changes, so that a waiter is woken for its own prefix only. Whoever asks about an older revision is
  // answered at once: it has to read again anyway.
  std::deque<Change> recent_;
  int64_t forgotten_ = 0;  // newest revision that is no longer in `recent_`
};

// The smallest text greater than every text with this prefix; empty when there is none.
std::string prefix_end(std::string prefix);

}  // namespace dae::deployer
