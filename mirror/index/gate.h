#pragma once
// How many requests may wait for an upstream at once. Each holds a worker of the server: without a bound a slow
// upstream would take all of them, and with them what needs no upstream at all (kept files, the registry, probes).
#include <atomic>

#include "base/error.h"

namespace dae::mirror {

// Thrown when the gate is full; answered 503 with Retry-After.
class TooBusy : public Error {
 public:
  TooBusy() : Error(ErrorKind::network, "too many requests wait for upstream", "", "try again in a moment") {}
};

// Thread-safe.
class Gate {
 public:
  explicit Gate(int places) : places_(places) {}

  class Pass {
   public:
    explicit Pass(Gate& gate) : gate_(gate) {
      if (gate_.inside_.fetch_add(1) < gate_.places_) return;
      gate_.inside_.fetch_sub(1);
      throw TooBusy();
    }
    ~Pass() { gate_.inside_.fetch_sub(1); }
    Pass(const Pass&) = delete;
    Pass& operator=(const Pass&) = delete;

   private:
    Gate& gate_;
  };

 private:
  const int places_;
  std::atomic<int> inside_{0};
};

}  // namespace dae::mirror
