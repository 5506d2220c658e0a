#pragma once
// The same work for many items on a few threads. All that began is finished; the failure of the lowest index is
// rethrown.
#include <algorithm>
#include <atomic>
#include <exception>
#include <functional>
#include <thread>
#include <vector>

namespace dae::resolver {

inline void parallel_for(size_t count, size_t max_threads, const std::function<void(size_t)>& body) {
  std::atomic<size_t> next{0};
  std::atomic<bool> stop{false};
  std::vector<std::exception_ptr> errors(count);
  const auto work = [&] {
    for (size_t i = next++; i < count && !stop; i = next++) {
      try {
        body(i);
      } catch (...) {
        errors[i] = std::current_exception();
        stop = true;
      }
    }
  };
  std::vector<std::thread> threads;
  for (size_t i = 1; i < std::min(count, max_threads); ++i) threads.emplace_back(work);
  work();
  for (std::thread& thread : threads) thread.join();
  for (const std::exception_ptr& error : errors) {
    if (error) std::rethrow_exception(error);
  }
}

inline size_t cpu_threads() {
  return std::max(1u, std::thread::hardware_concurrency());
}

}  // namespace dae::resolver
