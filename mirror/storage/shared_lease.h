#pragma once
// One process's use of a lease by all of its threads: taken with the first user, kept for a moment after the last in
// case there is more to do, given to others now and then under constant use.
#include <cstdint>
#include <memory>

#include "base/clock.h"
#include "mirror/storage/lease.h"

namespace dae::mirror {

struct SharedLeaseOptions {
  int64_t wait_ms = 30'000;        // for another process
  int64_t linger_ms = 200;         // kept after the last user
  int64_t longest_hold_ms = 2000;  // then it is given back as soon as nobody uses it, and new users wait for that
};

// Thread-safe. Its end gives the lease back; there are no users then.
class SharedLease {
 public:
  virtual ~SharedLease() = default;
  // In use while the pointer lives. A thread that uses it already gets it at once, whatever it was held for.
  // One that does not hold for `least_ms` more is acquired anew.
  virtual std::shared_ptr<const HeldLease> use(int64_t least_ms = 1000) = 0;
};
std::unique_ptr<SharedLease> share_lease(Lease& lease, Clock& clock, SharedLeaseOptions options = {});

}  // namespace dae::mirror
