#pragma once
// What was answered a moment ago, for whoever asks the same: found on the server's event loops, where nothing may wait
// for the catalog. Measured at 4 KiB: a worker and two queries cost four times what sending the page does.
#include <condition_variable>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>

#include "base/clock.h"
#include "base/http_server.h"
#include "mirror/catalog.h"

namespace dae::mirror {

// Sent by an nginx in front that can read the blobs itself: it is told where a file is instead of being sent it.
inline constexpr const char* kAccelField = "X-Dae-Accel";

// Thread-safe. An answer is given again only while nothing was written to the catalog since before it was made, and
// until the time its maker names. Besides, every second one request goes the whole way, so that what else changes (a
// blob that is gone) shows. Requests with credentials are never answered from here, nor kept. A thread of its own
// closes files that are gone from where they were, which the disk could not use again otherwise, and those that nobody
// asked for in a minute.
class AnswerCache {
 public:
  AnswerCache(const Catalog& catalog, const Clock& clock, Path scratch_dir, int64_t tidy_every_ms = 5'000);
  ~AnswerCache();
  std::shared_ptr<const KnownAnswer> find(const ServerRequest& request);
  uint64_t mark() const { return catalog_.generation(); }
  // `mark` was taken before anything was looked up for `response`.
  void keep(const ServerRequest& request, const ServerResponse& response, uint64_t mark, int64_t valid_until_ms);
  // What went the whole way had another end than an answer to keep.
  void forget(const ServerRequest& request);
  void close_files(int64_t now_ms);  // monotonic
  size_t open_files() const;

 private:
  struct Entry {
    std::string key;
    std::shared_ptr<const KnownAnswer> answer;
    uint64_t mark = 0;
    int64_t valid_until_ms = 0;  // by the mirror's clock
    int64_t renew_ms = 0;        // monotonic, as is the next
    int64_t used_ms = 0;
  };
  using Entries = std::list<Entry>;
  std::shared_ptr<const KnownAnswer> held_for(const std::string& key, const ServerResponse& response);
  void drop(Entries::iterator entry);
  void tidy();

  const Catalog& catalog_;
  const Clock& clock_;
  const Path scratch_dir_;
  const int64_t tidy_every_ms_;
  mutable std::mutex mutex_;
  Entries recent_;  // newest first
  std::unordered_map<std::string_view, Entries::iterator> by_key_;
  uint64_t held_bytes_ = 0;
  size_t descriptors_ = 0;
  bool ending_ = false;
  std::condition_variable wake_;
  std::thread tidier_;  // last: uses all of the above
};

}  // namespace dae::mirror
