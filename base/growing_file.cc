#include "base/growing_file.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <iterator>

#include "base/error.h"

namespace dae {
namespace {

Fd open_to_read(const Path& file) {
  Fd fd(open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.valid()) throw os_error("cannot open", file, errno);
  return fd;
}

}  // namespace

GrowingFile::GrowingFile(const Path& file, uint64_t size_bytes) : fd_(open_to_read(file)), size_bytes_(size_bytes) {}

GrowingFile::State GrowingFile::state() const {
  std::lock_guard lock(mutex_);
  return state_;
}

uint64_t GrowingFile::readable_bytes() const {
  std::lock_guard lock(mutex_);
  return readable_locked();
}

uint64_t GrowingFile::readable_locked() const {
  if (state_ == State::whole) return size_bytes_;
  return std::min(written_bytes_, size_bytes_ == 0 ? 0 : size_bytes_ - 1);
}

void GrowingFile::wake_beyond(uint64_t beyond, std::function<void()> wake) {
  {
    std::lock_guard lock(mutex_);
    if (state_ == State::growing && readable_locked() <= beyond) {
      sleepers_.push_back({beyond, std::move(wake)});
      return;
    }
  }
  wake();
}

std::vector<GrowingFile::Sleeper> GrowingFile::take_awake() {
  const auto sleeps_on = [&](const Sleeper& sleeper) {
    return state_ == State::growing && readable_locked() <= sleeper.beyond;
  };
  const auto first = std::partition(sleepers_.begin(), sleepers_.end(), sleeps_on);
  std::vector<Sleeper> awake(std::make_move_iterator(first), std::make_move_iterator(sleepers_.end()));
  sleepers_.erase(first, sleepers_.end());
  return awake;
}

void GrowingFile::grow_to(uint64_t bytes) {
  std::vector<Sleeper> awake;
  {
    std::lock_guard lock(mutex_);
    written_bytes_ = bytes;
    awake = take_awake();
  }
  for (const Sleeper& sleeper : awake) sleeper.wake();
}

void GrowingFile::end(State state) {
  std::vector<Sleeper> awake;
  {
    std::lock_guard lock(mutex_);
    if (state_ != State::growing) return;
    state_ = state;
    awake = take_awake();
  }
  for (const Sleeper& sleeper : awake) sleeper.wake();
}

}  // namespace dae
