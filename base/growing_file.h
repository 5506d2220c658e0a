#pragma once
// A file that is sent while it is written. Its writer says how far it has come, and at last whether it is right.
#include <cstdint>
#include <functional>
#include <mutex>
#include <vector>

#include "base/fs.h"

namespace dae {

// Thread-safe. Never readable to its end before it is whole: whoever was told its size does not take for complete what
// turns out to be wrong.
class GrowingFile {
 public:
  enum class State { growing, whole, broken };
  // Throws Error io. The bytes must not be overwritten while this is neither whole nor broken; the name may go.
  GrowingFile(const Path& file, uint64_t size_bytes);
  // Nothing to read: for answers to HEAD.
  explicit GrowingFile(uint64_t size_bytes) : size_bytes_(size_bytes) {}

  int fd() const { return fd_.get(); }
  uint64_t size_bytes() const { return size_bytes_; }
  State state() const;
  uint64_t readable_bytes() const;
  // Calls `wake` once, on whatever thread, as soon as more than `beyond` can be read or it grows no more.
  void wake_beyond(uint64_t beyond, std::function<void()> wake);

  // The writer's.
  void grow_to(uint64_t bytes);
  void finish() { end(State::whole); }
  void break_off() { end(State::broken); }  // readers get no more; not after finish()

 private:
  struct Sleeper {
    uint64_t beyond;
    std::function<void()> wake;
  };
  void end(State state);
  uint64_t readable_locked() const;
  std::vector<Sleeper> take_awake();

  const Fd fd_;
  const uint64_t size_bytes_;
  mutable std::mutex mutex_;
  State state_ = State::growing;
  uint64_t written_bytes_ = 0;
  std::vector<Sleeper> sleepers_;
};

}  // namespace dae
