#pragma once
// Which of many requests under way have an answer: filled by the HTTP client's thread, emptied by one that waits.
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <vector>

namespace dae::mirror::sync {

class Completions {
 public:
  void add(uint64_t id) {
    std::lock_guard lock(mutex_);
    ready_.push_back(id);
    wake_.notify_one();
  }
  // At most so long for the first; empty: none came.
  std::vector<uint64_t> wait(int64_t timeout_ms) {
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, std::chrono::milliseconds(timeout_ms), [&] { return !ready_.empty(); });
    return std::exchange(ready_, {});
  }

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<uint64_t> ready_;
};

}  // namespace dae::mirror::sync
