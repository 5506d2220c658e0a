#include "deployer/control_txn.h"

#include <fmt/format.h>

namespace dae::deployer {

Value ControlTxn::get(const std::string& key) {
  if (auto found = values_.find(key); found != values_.end()) return found->second;
  auto stored = store_.get(key);
  seen_[key] = stored ? stored->mod_revision : 0;
  Value value = stored ? parse_json(stored->value, key).root : Value();
  values_[key] = value;
  return value;
}

void ControlTxn::put(const std::string& key, const Value& value) {
  values_[key] = value;
  puts_[key] = canonical_json(value);
}

int64_t ControlTxn::commit() {
  std::vector<Compare> compares;
  for (const auto& [key, revision] : seen_) compares.push_back({key, revision});
  std::vector<Put> puts;
  for (const auto& [key, value] : puts_) puts.push_back({key, value});
  const TxnResult result = store_.txn(compares, puts);
  if (!result.succeeded) {
    throw Error(ErrorKind::refused, "the state was changed by another writer meanwhile", "", "try again");
  }
  return result.revision;
}

std::string node_key(const std::string& node) {
  return "nodes/" + node;
}
std::string desired_key(const std::string& node) {
  return "desired/" + node;
}
std::string log_requests_key(const std::string& node) {
  return "desired/" + node + "/logs";
}
std::string release_key(const std::string& app, const std::string& id) {
  return "apps/" + app + "/releases/" + id;
}
std::string rollout_key(const std::string& app, const std::string& id) {
  return "apps/" + app + "/rollouts/" + id;
}
std::string good_key(const std::string& group, const std::string& app) {
  return "good/" + group + "/" + app;
}
std::string head_key(const std::string& app) {
  return "heads/" + app;
}
std::string event_key(int64_t seq) {
  return fmt::format("events/{:012}", seq);
}

}  // namespace dae::deployer
