#pragma once
// Logs are on the nodes: a question is left for each agent in its desired state, and the answers are collected here.
// Thread-safe.
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "deployer/model.h"
#include "deployer/state_store.h"

namespace dae::deployer {

class LogDesk {
 public:
  explicit LogDesk(StateStore& store);  // drops questions whose asker is gone
  // Waits until all have answered or the time is over; node -> text, without those that did not.
  std::map<std::string, std::string> ask(const std::vector<std::string>& nodes, const std::string& app,
                                         const std::string& instance, int64_t lines, int64_t timeout_ms);
  // False: nobody asked (any more), or not this node.
  bool answer(const std::string& node, const std::string& request_id, std::string text);
  void stop();  // ends all waiting

 private:
  struct Question {
    std::string node;
    std::optional<std::string> text;
  };
  void post(const std::string& node, const LogRequest& request);
  void withdraw(const std::map<std::string, Question>& questions);

  StateStore& store_;
  std::mutex mutex_;
  std::condition_variable answered_;
  std::map<std::string, Question> open_;  // by request id
  bool stopped_ = false;
};

}  // namespace dae::deployer
