#include "mirror/storage/shared_lease.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

#include "base/error.h"
#include "base/log.h"

namespace dae::mirror {
namespace {

// After it was given back for the others' sake: time enough for one of them to take it.
constexpr int64_t kTurnMs = 100;
constexpr int64_t kLookMs = 50;

class SharedLeaseOf final : public SharedLease {
 public:
  SharedLeaseOf(Lease& lease, Clock& clock, SharedLeaseOptions options)
      : lease_(lease), clock_(clock), options_(options), janitor_([this] { tidy(); }) {}

  ~SharedLeaseOf() override {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    janitor_.join();
    held_.reset();
  }

  std::shared_ptr<const HeldLease> use(int64_t least_ms) override {
    std::unique_lock lock(mutex_);
    const auto self = std::this_thread::get_id();
    if (const auto mine = users_.find(self); mine != users_.end()) return handle(self);
    const int64_t deadline_ms = clock_.monotonic_ms() + options_.wait_ms;
    for (;;) {
      if (held_ && !busy_ && !is_due() && held_->holds_for(least_ms)) return handle(self);
      const int64_t left_ms = deadline_ms - clock_.monotonic_ms();
      if (held_ && !busy_ && users_.empty()) {
        give_back(lock);
      } else if (!held_ && !busy_ && clock_.monotonic_ms() >= not_before_ms_) {
        acquire(lock, std::max<int64_t>(0, left_ms));
        return handle(self);
      } else if (left_ms <= 0) {
        throw Error(ErrorKind::refused, "the storage's lease is in use here all the time")
            .because("others of this process have it, and it is to be given back first");
      } else {
        // By the clock, which may be another than the condition's: looked at now and then.
        changed_.wait_for(lock, std::chrono::milliseconds(std::min(left_ms, kLookMs)));
      }
    }
  }

 private:
  // Held for so long that others should have their turn.
  bool is_due() const { return clock_.monotonic_ms() - acquired_ms_ >= options_.longest_hold_ms; }

  // The mutex is held; so it is in the following ones, except while they wait for the lease itself.
  std::shared_ptr<const HeldLease> handle(std::thread::id user) {
    ++users_[user];
    // It may be let go of on another thread: the use is that of the one which asked.
    return {held_.get(), [this, user](const HeldLease*) { leave(user); }};
  }

  void leave(std::thread::id user) {
    std::lock_guard lock(mutex_);
    if (--users_[user] == 0) users_.erase(user);
    left_ms_ = clock_.monotonic_ms();
    if (users_.empty()) changed_.notify_all();
  }

  void acquire(std::unique_lock<std::mutex>& lock, int64_t wait_ms) {
    busy_ = true;
    lock.unlock();
    std::unique_ptr<HeldLease> held;
    try {
      held = lease_.acquire(wait_ms);
    } catch (...) {
      lock.lock();
      busy_ = false;
      changed_.notify_all();
      throw;
    }
    lock.lock();
    busy_ = false;
    held_ = std::move(held);
    acquired_ms_ = left_ms_ = clock_.monotonic_ms();
    changed_.notify_all();
  }

  void give_back(std::unique_lock<std::mutex>& lock) {
    const bool due = is_due();
    busy_ = true;
    std::unique_ptr<HeldLease> held = std::move(held_);
    lock.unlock();
    held.reset();
    lock.lock();
    busy_ = false;
    if (due) not_before_ms_ = clock_.monotonic_ms() + kTurnMs;
    changed_.notify_all();
  }

  // Gives it back when nobody came for a while.
  void tidy() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
      if (!held_ || busy_ || !users_.empty()) {
        changed_.wait(lock);
        continue;
      }
      const int64_t idle_ms = clock_.monotonic_ms() - left_ms_;
      if (idle_ms >= options_.linger_ms || is_due()) {
        give_back(lock);
      } else {
        changed_.wait_for(lock, std::chrono::milliseconds(std::min(options_.linger_ms - idle_ms, kLookMs)));
      }
    }
  }

  Lease& lease_;
  Clock& clock_;
  const SharedLeaseOptions options_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::unique_ptr<HeldLease> held_;
  std::map<std::thread::id, int> users_;  // how often each uses it
  bool busy_ = false;                     // somebody acquires it or gives it back
  bool stopping_ = false;
  int64_t acquired_ms_ = 0, left_ms_ = 0, not_before_ms_ = INT64_MIN;
  std::thread janitor_;
};

}  // namespace

std::unique_ptr<SharedLease> share_lease(Lease& lease, Clock& clock, SharedLeaseOptions options) {
  return std::make_unique<SharedLeaseOf>(lease, clock, options);
}

}  // namespace dae::mirror
