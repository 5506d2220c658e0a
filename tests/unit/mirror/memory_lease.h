#pragma once
// A lease in memory, for tests of what is written under one. Machines that share it share the object.
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>

#include "base/error.h"
#include "mirror/storage/lease.h"

namespace dae::mirror::testing {

class MemoryLease final : public Lease {
 public:
  std::unique_ptr<HeldLease> acquire(int64_t wait_ms) override {
    std::unique_lock lock(state_->mutex);
    const auto free = [&] { return state_->holder == 0 || state_->down; };
    if (!state_->changed.wait_for(lock, std::chrono::milliseconds(wait_ms), free)) {
      throw Error(ErrorKind::refused, "another has the lease all the time", "memory");
    }
    if (state_->down) throw Error(ErrorKind::network, "nobody answers", "memory");
    state_->holder = ++state_->last_fence;
    return std::make_unique<Held>(state_, state_->holder);
  }

  // Its holder has it no longer and can see that; somebody else gets it, with a larger fence.
  void take_away() {
    change([](State& state) { state.holder = 0; });
  }
  // As a holder that was stopped: somebody else gets it, while the holder still believes that it has it.
  void take_away_unnoticed() {
    change([](State& state) {
      state.believer = state.holder;
      state.holder = 0;
    });
  }
  void set_down(bool down) {
    change([&](State& state) { state.down = down; });
  }
  bool is_held() const {
    std::lock_guard lock(state_->mutex);
    return state_->holder != 0;
  }
  // How often it was acquired.
  int64_t last_fence() const {
    std::lock_guard lock(state_->mutex);
    return state_->last_fence;
  }

 private:
  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    int64_t holder = 0, believer = 0, last_fence = 0;  // fences; 0: nobody
    bool down = false;
  };

  class Held final : public HeldLease {
   public:
    Held(std::shared_ptr<State> state, int64_t fence) : state_(std::move(state)), fence_(fence) {}
    ~Held() override {
      std::lock_guard lock(state_->mutex);
      if (state_->holder == fence_) state_->holder = 0;
      state_->changed.notify_all();
    }
    int64_t fence() const override { return fence_; }
    bool holds_for(int64_t) const override {
      std::lock_guard lock(state_->mutex);
      return state_->holder == fence_ || state_->believer == fence_;
    }

   private:
    std::shared_ptr<State> state_;
    int64_t fence_;
  };

  template <typename Action>
  void change(Action&& action) {
    std::lock_guard lock(state_->mutex);
    action(*state_);
    state_->changed.notify_all();
  }

  std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace dae::mirror::testing
