#include "resolver/install/store_hash.h"

namespace dae::resolver {

void BesideHash::update(std::string_view piece) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return !is_full_; });
  piece_.assign(piece);
  is_full_ = true;
  changed_.notify_all();
}

void BesideHash::finish() {
  if (!thread_.joinable()) return;
  {
    const std::scoped_lock lock(mutex_);
    is_ending_ = true;
    changed_.notify_all();
  }
  thread_.join();
}

void BesideHash::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return is_full_ || is_ending_; });
    if (!is_full_) return;
    lock.unlock();
    hash_.update(piece_);
    lock.lock();
    is_full_ = false;
    changed_.notify_all();
  }
}

}  // namespace dae::resolver
