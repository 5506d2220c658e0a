#pragma once
// Project pages in the store, with what HTTP said about their lifetime. As the store: a cache that never fails.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "resolver/source/index_store.h"
#include "resolver/source/packed_page.h"

namespace dae::resolver {

struct CachedPage {
  bool found = true;             // false: the index answered that it has no such project
  bool must_revalidate = false;  // see Freshness
  std::string etag, last_modified;
  int64_t fetched_ms = 0, fresh_until_ms = 0;
  std::shared_ptr<const PackedPage> page;  // null unless `found`
};

class PageCache {
 public:
  explicit PageCache(IndexStore& store) : store_(store) {}
  std::optional<CachedPage> load(const std::string& url);
  std::optional<IndexStore::Lifetime> peek(const std::string& url) { return store_.peek(IndexStore::Kind::page, url); }
  // `before`: what is there already and, but for its lifetime, is the same; or null.
  void store(const std::string& url, const CachedPage& page, const CachedPage* before);

 private:
  IndexStore& store_;
};

}  // namespace dae::resolver
