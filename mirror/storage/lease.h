#pragma once
// The right to write to a storage, which one process of all has at a time. What is written carries the fencing number
// of the right, so that who lost it and does not know yet is refused (M. Kleppmann, "How to do distributed locking").
#include <cstdint>
#include <memory>

#include "base/fs.h"

namespace dae::mirror {

// The right while it is held; its end gives it back. Thread-safe.
class HeldLease {
 public:
  virtual ~HeldLease() = default;
  virtual int64_t fence() const = 0;  // larger than that of every holder before
  // Whether it is surely still held, by our own monotonic clock, for this much longer.
  virtual bool holds_for(int64_t ms) const = 0;
};

// Thread-safe.
class Lease {
 public:
  virtual ~Lease() = default;
  // Waits for it. Throws Error refused when another has it all the time (the message names it), network when nobody
  // answers.
  virtual std::unique_ptr<HeldLease> acquire(int64_t wait_ms) = 0;
};

// Between the processes of one machine: a lock on this file.
std::unique_ptr<Lease> make_file_lease(const Path& file);

}  // namespace dae::mirror
