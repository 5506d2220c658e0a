#pragma once
// The hash of one long file, on a thread of its own: inflating it and hashing it take about as long, and a wheel of one
// large library has no other work for the second processor.
#include <condition_variable>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "resolver/install/wheel_check.h"

namespace dae::resolver {

class BesideHash {
 public:
  explicit BesideHash(RecordHash& hash) : hash_(hash), thread_([this] { run(); }) {}
  ~BesideHash() { finish(); }
  // Copies, and waits while the piece before is not done: never more than one is held.
  void update(std::string_view piece);
  // All that came is in the hash.
  void finish();

 private:
  void run();
  RecordHash& hash_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string piece_;
  bool is_full_ = false, is_ending_ = false;
  std::thread thread_;  // the last member: it begins with all others made
};

}  // namespace dae::resolver
