#pragma once
// Project pages on disk: one file per page URL, holding the parsed page and what HTTP said about its lifetime.
// Parsed, because loading must not cost a second parse of HTML or JSON. Format: share/doc/formats/page-cache.md.
// Any number of threads and processes; a damaged or foreign file is a miss, never an error.
#include <cstdint>
#include <optional>
#include <string>

#include "base/fs.h"
#include "resolver/standards/simple_page.h"

namespace dae::resolver {

struct CachedPage {
  bool found = true;             // false: the index answered that it has no such project
  bool must_revalidate = false;  // see Freshness
  std::string etag, last_modified;
  int64_t fetched_ms = 0, fresh_until_ms = 0;
  ProjectPage page;
};

std::string encode_page(const CachedPage& page);
std::optional<CachedPage> decode_page(std::string_view bytes);

class PageCache {
 public:
  explicit PageCache(Path dir) : dir_(std::move(dir)) {}  // empty: keeps nothing
  std::optional<CachedPage> load(const std::string& url) const;
  void store(const std::string& url, const CachedPage& page) const;

 private:
  Path file(const std::string& url) const;
  Path dir_;
};

}  // namespace dae::resolver
