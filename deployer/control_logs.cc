#include "deployer/control_logs.h"

#include <algorithm>
#include <chrono>

#include "base/hash.h"
#include "deployer/control_txn.h"

namespace dae::deployer {

LogDesk::LogDesk(StateStore& store) : store_(store) {
  ControlTxn txn(store_);
  for (const StoredValue& entry : store_.list(desired_key(""))) {
    if (entry.key.ends_with("/logs")) txn.erase(entry.key);
  }
  if (!txn.empty()) txn.commit();
}

// With the lock held: two askers of one node must not overwrite each other's question.
void LogDesk::post(const std::string& node, const LogRequest& request) {
  ControlTxn txn(store_);
  Value requests = txn.get(log_requests_key(node));
  requests.push_back(Value::object(
      {{"id", request.id}, {"app", request.app}, {"instance", request.instance}, {"lines", request.lines}}));
  txn.put(log_requests_key(node), requests);
  txn.commit();
}

void LogDesk::withdraw(const std::map<std::string, Question>& questions) {
  ControlTxn txn(store_);
  for (const auto& [id, question] : questions) {
    const std::string key = log_requests_key(question.node);
    const Value before = txn.get(key);
    if (!before.is_array()) continue;
    Value after = Value::array();
    for (const Value& request : before.as_array()) {
      if (!questions.contains(request.get_string("id"))) after.push_back(request);
    }
    if (after.size() == 0) {
      txn.erase(key);
    } else if (after.size() != before.size()) {
      txn.put(key, after);
    }
  }
  if (!txn.empty()) txn.commit();
}

std::map<std::string, std::string> LogDesk::ask(const std::vector<std::string>& nodes, const std::string& app,
                                                const std::string& instance, int64_t lines, int64_t timeout_ms) {
  std::vector<std::string> ids;
  std::unique_lock lock(mutex_);
  for (const std::string& node : nodes) {
    const std::string id = random_hex();
    open_[id].node = node;
    ids.push_back(id);
    post(node, {id, app, instance, lines});
  }
  answered_.wait_for(lock, std::chrono::milliseconds(timeout_ms), [&] {
    return stopped_ || std::all_of(ids.begin(), ids.end(), [&](const auto& id) { return open_[id].text.has_value(); });
  });
  std::map<std::string, Question> ours;
  for (const std::string& id : ids) ours.insert(open_.extract(id));
  withdraw(ours);
  std::map<std::string, std::string> out;
  for (auto& [id, question] : ours) {
    if (question.text) out[question.node] = std::move(*question.text);
  }
  return out;
}

bool LogDesk::answer(const std::string& node, const std::string& request_id, std::string text) {
  std::lock_guard lock(mutex_);
  auto found = open_.find(request_id);
  if (found == open_.end() || found->second.node != node) return false;
  found->second.text = std::move(text);
  answered_.notify_all();
  return true;
}

void LogDesk::stop() {
  std::lock_guard lock(mutex_);
  stopped_ = true;
  answered_.notify_all();
}

}  // namespace dae::deployer
