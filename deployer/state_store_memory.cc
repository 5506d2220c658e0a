#include <map>

#include "deployer/store_base.h"

namespace dae::deployer {
namespace {

class MemoryStore final : public StoreBase {
 protected:
  std::optional<StoredValue> read(const std::string& key) override {
    auto found = entries_.find(key);
    return found == entries_.end() ? std::nullopt : std::optional(found->second);
  }

  std::vector<StoredValue> read_prefix(const std::string& prefix) override {
    std::vector<StoredValue> out;
    for (auto it = entries_.lower_bound(prefix); it != entries_.end() && it->first.starts_with(prefix); ++it) {
      out.push_back(it->second);
    }
    return out;
  }

  void write(int64_t, const std::vector<StoredValue>& entries, const std::vector<std::string>& deletions) override {
    for (const StoredValue& entry : entries) entries_[entry.key] = entry;
    for (const std::string& key : deletions) entries_.erase(key);
  }

 private:
  std::map<std::string, StoredValue> entries_;
};

}  // namespace

std::unique_ptr<StateStore> make_memory_store() {
  return std::make_unique<MemoryStore>();
}

}  // namespace dae::deployer
