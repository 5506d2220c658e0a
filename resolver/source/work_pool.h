#pragma once
// Threads for work that mostly waits for the network. They are started when there is something to do and none is idle.
// The destructor drops what has not begun and waits for the rest.
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace dae::resolver {

class WorkPool {
 public:
  explicit WorkPool(size_t max_threads) : max_threads_(max_threads) {}
  ~WorkPool();
  WorkPool(const WorkPool&) = delete;
  WorkPool& operator=(const WorkPool&) = delete;
  void submit(std::function<void()> job);  // must not throw

 private:
  void work();
  const size_t max_threads_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> jobs_;
  std::vector<std::thread> threads_;
  size_t idle_ = 0;
  bool stopping_ = false;
};

}  // namespace dae::resolver
