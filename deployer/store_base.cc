#include "deployer/store_base.h"

#include <algorithm>
#include <chrono>
#include <set>

#include "base/error.h"

namespace dae::deployer {
namespace {

constexpr size_t kRememberedChanges = 4096;

void check_distinct(const std::vector<Put>& puts) {
  std::set<std::string> seen;
  for (const Put& put : puts) {
    if (put.key.empty()) throw Error(ErrorKind::failed, "a key of the state store may not be empty");
    if (!seen.insert(put.key).second) throw Error(ErrorKind::failed, "one transaction writes a key twice", put.key);
  }
}

}  // namespace

std::string prefix_end(std::string prefix) {
  while (!prefix.empty() && static_cast<unsigned char>(prefix.back()) == 0xff) prefix.pop_back();
  if (!prefix.empty()) prefix.back() = static_cast<char>(static_cast<unsigned char>(prefix.back()) + 1);
  return prefix;
}

std::optional<StoredValue> StoreBase::get(const std::string& key) {
  std::lock_guard lock(mutex_);
  return read(key);
}

std::vector<StoredValue> StoreBase::list(const std::string& prefix) {
  std::lock_guard lock(mutex_);
  return read_prefix(prefix);
}

int64_t StoreBase::revision() {
  std::lock_guard lock(mutex_);
  return revision_;
}

TxnResult StoreBase::txn(const std::vector<Compare>& compares, const std::vector<Put>& puts) {
  check_distinct(puts);
  std::lock_guard lock(mutex_);
  for (const Compare& compare : compares) {
    auto found = read(compare.key);
    if ((found ? found->mod_revision : 0) != compare.mod_revision) return {false, revision_};
  }
  const int64_t next = revision_ + 1;
  std::vector<StoredValue> entries;
  std::vector<std::string> deletions;
  Change change{next, {}};
  for (const Put& put : puts) {
    auto found = read(put.key);
    if (!put.value && !found) continue;
    change.keys.push_back(put.key);
    if (put.value) {
      entries.push_back({put.key, *put.value, found ? found->create_revision : next, next});
    } else {
      deletions.push_back(put.key);
    }
  }
  if (change.keys.empty()) return {true, revision_};
  write(next, entries, deletions);
  revision_ = next;
  recent_.push_back(std::move(change));
  if (recent_.size() > kRememberedChanges) {
    forgotten_ = recent_.front().revision;
    recent_.pop_front();
  }
  changed_.notify_all();
  return {true, revision_};
}

bool StoreBase::changed_after(const std::string& prefix, int64_t revision) const {
  if (revision < forgotten_) return true;
  for (auto change = recent_.rbegin(); change != recent_.rend() && change->revision > revision; ++change) {
    for (const std::string& key : change->keys) {
      if (key.starts_with(prefix)) return true;
    }
  }
  return false;
}

int64_t StoreBase::wait(const std::string& prefix, int64_t after_revision, int64_t timeout_ms) {
  std::unique_lock lock(mutex_);
  // Each look covers only what came since the last one, so a long wait under many unrelated writes stays cheap.
  int64_t looked_at = after_revision;
  changed_.wait_for(lock, std::chrono::milliseconds(std::max<int64_t>(0, timeout_ms)), [&] {
    if (changed_after(prefix, looked_at)) return true;
    looked_at = std::max(looked_at, revision_);
    return false;
  });
  return revision_;
}

void StoreBase::start_at(int64_t revision) {
  std::lock_guard lock(mutex_);
  revision_ = forgotten_ = revision;
}

}  // namespace dae::deployer
