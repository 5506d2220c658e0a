#pragma once
// Something that is told from the whole catalog. The more it costs to make, the longer it is used.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <mutex>

#include "base/clock.h"

namespace dae::mirror {

// Thread-safe. One caller at a time makes it; others get the one before meanwhile, or wait when there is none.
template <typename T>
class Costly {
 public:
  explicit Costly(const Clock& clock) : clock_(clock) {}

  // `generation`: it need not be made again while this is the same.
  template <typename Make>
  std::shared_ptr<const T> get(uint64_t generation, const Make& make) {
    std::unique_lock making(making_, std::try_to_lock);
    if (!making.owns_lock()) {
      if (auto last = last_one()) return last;
      making.lock();
    }
    const int64_t started_ms = clock_.monotonic_ms();
    if (auto last = last_one(); last && (generation == generation_ || started_ms < valid_until_ms_)) return last;
    auto made = std::make_shared<const T>(make());
    const int64_t now_ms = clock_.monotonic_ms();
    generation_ = generation;
    valid_until_ms_ = now_ms + std::min(kLongestMs, kTimesItsCost * (now_ms - started_ms));
    std::lock_guard lock(mutex_);
    last_ = made;
    return made;
  }

 private:
  // At most a fiftieth of one processor goes into making it.
  static constexpr int64_t kTimesItsCost = 50, kLongestMs = 60'000;
  std::shared_ptr<const T> last_one() {
    std::lock_guard lock(mutex_);
    return last_;
  }

  const Clock& clock_;
  std::mutex making_;  // of the next two
  uint64_t generation_ = 0;
  int64_t valid_until_ms_ = 0;
  std::mutex mutex_;
  std::shared_ptr<const T> last_;
};

}  // namespace dae::mirror
