#pragma once
// The deny list of one index, read again when its files change.
#include <memory>
#include <mutex>
#include <string>

#include "base/clock.h"
#include "mirror/policy/deny_list.h"

namespace dae::mirror {

// Thread-safe. Looked at by whoever asks, at most every few seconds, by one at a time: the others get what is there.
class DenyWatch {
 public:
  // Reads. Throws Error bad_input when anything cannot be read: who starts the mirror is there to mend it.
  DenyWatch(PolicyRules rules, const Clock& clock);

  struct Current {
    std::shared_ptr<const DenyList> list;
    uint64_t generation = 0;  // changes with the list
  };
  // Later, what cannot be read is logged and tried again, and until then whatever it denied stays denied.
  Current current();

 private:
  void look();
  std::string fingerprint() const;

  const PolicyRules rules_;
  const Clock& clock_;
  std::mutex mutex_;
  Current current_;
  int64_t looked_ms_ = 0;  // monotonic
  std::mutex looking_;
  std::string seen_;  // fingerprint of what was read; with `looking_`
  bool complete_ = true;
};

}  // namespace dae::mirror
