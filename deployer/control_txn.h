#pragma once
// A read-modify-write on the state: what was read is compared when it is committed, so nothing is written on top of
// something it has not seen.
#include <map>
#include <optional>
#include <string>

#include "base/value.h"
#include "deployer/state_store.h"

namespace dae::deployer {

class ControlTxn {
 public:
  explicit ControlTxn(StateStore& store) : store_(store) {}
  // Own writes are seen. Null when absent.
  Value get(const std::string& key);
  void put(const std::string& key, const Value& value);
  void erase(const std::string& key) { puts_[key] = std::nullopt; }
  bool empty() const { return puts_.empty(); }
  const std::map<std::string, std::optional<std::string>>& writes() const { return puts_; }
  // The revision of the store; throws Error refused when something read was changed by somebody else meanwhile.
  int64_t commit();

 private:
  StateStore& store_;
  std::map<std::string, int64_t> seen_;
  std::map<std::string, Value> values_;
  std::map<std::string, std::optional<std::string>> puts_;
};

// Keys of the state.
inline constexpr const char* kStoreIdKey = "meta/store";  // a random name, given when the state is begun
std::string node_key(const std::string& node);
std::string desired_key(const std::string& node);
std::string log_requests_key(const std::string& node);
std::string release_key(const std::string& app, const std::string& id);
std::string rollout_key(const std::string& app, const std::string& id);
std::string good_key(const std::string& group, const std::string& app);
std::string head_key(const std::string& app);
std::string event_key(int64_t seq);

}  // namespace dae::deployer
