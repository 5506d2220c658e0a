#include "mirror/artifact/parallel.h"

#include <algorithm>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace dae::mirror {

void run_parallel(size_t count, size_t width, const std::function<void(size_t)>& work) {
  std::mutex mutex;
  size_t next = 0;
  std::exception_ptr failure;
  const auto take = [&] {
    while (true) {
      size_t mine;
      {
        std::lock_guard lock(mutex);
        if (failure || next == count) return;
        mine = next++;
      }
      try {
        work(mine);
      } catch (...) {
        std::lock_guard lock(mutex);
        if (!failure) failure = std::current_exception();
      }
    }
  };
  std::vector<std::thread> threads;
  for (size_t i = 1; i < std::min(count, width); ++i) threads.emplace_back(take);
  take();
  for (std::thread& thread : threads) thread.join();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace dae::mirror
