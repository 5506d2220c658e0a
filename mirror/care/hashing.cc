#include "mirror/care/hashing.h"

#include <fmt/format.h>

#include <atomic>
#include <exception>
#include <thread>

#include "base/error.h"

namespace dae::mirror {
namespace {

constexpr int64_t kSayEveryMs = 60'000;

// One thread's share of the work, and the first failure of any.
class HashWork {
 public:
  HashWork(const CareScope& scope, const VerifyOptions& options, BlobQueue& queue,
           const std::function<void(const StoredBlob&)>& on_wrong,
           const std::function<void(const std::string&, const Hashed&)>& on_mark)
      : scope_(scope),
        options_(options),
        queue_(queue),
        on_wrong_(on_wrong),
        on_mark_(on_mark),
        ahead_(queue.count()),
        started_ms_(scope.clock.monotonic_ms()),
        marked_ms_(started_ms_),
        said_ms_(started_ms_),
        activity_(scope.events, "verifying", fmt::format("{} blobs", ahead_.blobs), ahead_.bytes, true) {}

  void run() {
    try {
      while (!failed_ && !scope_.stop()) {
        const auto blob = queue_.next();
        if (!blob) return;
        const bool right = is_right(blob->digest);
        std::lock_guard lock(mutex_);
        if (!right) on_wrong_(*blob);
        done_ += 1;
        queue_.done(blob->digest);
        tell();
      }
    } catch (...) {
      std::lock_guard lock(mutex_);
      if (!failure_) failure_ = std::current_exception();
      failed_ = true;
    }
  }

  Hashed end() {
    on_mark_(queue_.position(), hashed());
    if (failure_) std::rethrow_exception(failure_);
    activity_.finish(fmt::format("verified {}", format_bytes(bytes_)));
    return hashed();
  }

 private:
  // What is gone meanwhile is not wrong.
  bool is_right(const Digest& digest) {
    return scope_.blobs.verify(digest, [&](uint64_t count) { bytes_ += count; }) || !scope_.blobs.find(digest);
  }

  Hashed hashed() const { return {done_, bytes_.load()}; }

  void tell() {
    const int64_t now_ms = scope_.clock.monotonic_ms();
    activity_.progress(bytes_.load());
    if (now_ms - marked_ms_ >= options_.mark_every_ms) {
      on_mark_(queue_.position(), hashed());
      marked_ms_ = now_ms;
    }
    if (now_ms - said_ms_ < kSayEveryMs) return;
    said_ms_ = now_ms;
    note(scope_.events,
         fmt::format("{} of {} verified, about {} left", format_bytes(bytes_.load()), format_bytes(ahead_.bytes),
                     format_duration(remaining_ms(bytes_.load(), ahead_.bytes, now_ms - started_ms_))));
  }

  const CareScope& scope_;
  const VerifyOptions& options_;
  BlobQueue& queue_;
  const std::function<void(const StoredBlob&)>& on_wrong_;
  const std::function<void(const std::string&, const Hashed&)>& on_mark_;
  const BlobQueue::Ahead ahead_;
  const int64_t started_ms_;
  std::mutex mutex_;
  std::exception_ptr failure_;
  std::atomic<bool> failed_{false};
  std::atomic<uint64_t> bytes_{0};
  uint64_t done_ = 0;
  int64_t marked_ms_, said_ms_;
  Activity activity_;
};

}  // namespace

Hashed hash_all(const CareScope& scope, const VerifyOptions& options, BlobQueue& queue,
                const std::function<void(const StoredBlob&)>& on_wrong,
                const std::function<void(const std::string&, const Hashed&)>& on_mark) {
  HashWork work(scope, options, queue, on_wrong, on_mark);
  std::vector<std::thread> threads;
  for (int i = 1; i < options.jobs; ++i) threads.emplace_back([&work] { work.run(); });
  work.run();
  for (std::thread& thread : threads) thread.join();
  return work.end();
}

int64_t remaining_ms(uint64_t done, uint64_t total, int64_t elapsed_ms) {
  if (done == 0 || elapsed_ms <= 0) return -1;
  if (done >= total) return 0;
  return static_cast<int64_t>(static_cast<double>(total - done) * static_cast<double>(elapsed_ms) /
                              static_cast<double>(done));
}

}  // namespace dae::mirror
