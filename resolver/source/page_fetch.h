#pragma once
// One page of an index, from the cache where HTTP allows it (RFC 9111), else asked for. Thread-safe.
#include <atomic>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "base/clock.h"
#include "base/events.h"
#include "base/http_client.h"
#include "resolver/source/credentials.h"
#include "resolver/source/index.h"
#include "resolver/source/page_cache.h"

namespace dae::resolver {

class PageFetcher {
 public:
  PageFetcher(Transport& transport, const IndexOptions& options, const Clock& clock, CredentialStore& credentials,
              IndexStore& store, EventSink& events);

  // `url` without credentials. nullopt: offline, and never seen.
  // A page that was seen before stands in, with a warning, for one whose server cannot be reached; anything else that
  // is no answer is an Error.
  std::optional<CachedPage> get(const std::string& url, const std::string& package);
  // The files of a page of links, which is no page of an index: asked for in every run. Throws Error offline.
  ProjectPage links(const std::string& url);
  // True when get() would answer from the cache: without reading the page.
  bool is_at_hand(const std::string& url, const std::string& package);
  int from_cache() const { return from_cache_.load(); }
  int fetched() const { return fetched_.load(); }

 private:
  bool is_fresh(int64_t fetched_ms, int64_t fresh_until_ms, const std::string& package) const;
  HttpResponse ask(const std::string& url, const CachedPage* cached, bool end_to_end);
  bool may_stand_in(const CachedPage& page, const std::string& url, const std::string& why);
  CachedPage renewed(CachedPage cached, const HttpResponse& answer, const std::string& url);
  [[noreturn]] void refuse(int status, const std::string& url);
  CachedPage read(const HttpResponse& answer, const std::string& url, const std::string& package);
  void remember(CachedPage& page, const Headers& headers, const std::string& url, int64_t heuristic_ms,
                const CachedPage* before = nullptr);

  Transport& transport_;
  const IndexOptions& options_;
  const Clock& clock_;
  CredentialStore& credentials_;
  EventSink& events_;
  PageCache cache_;
  std::set<std::string> refreshed_;  // normalised names
  std::atomic<int> from_cache_{0}, fetched_{0};
  std::mutex mutex_;
  std::set<std::string> unreachable_;  // origins; not waited for again while the cache can answer
};

}  // namespace dae::resolver
