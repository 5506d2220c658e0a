#include "mirror/index/render_cache.h"

#include "base/gzip.h"
#include "base/hash.h"

namespace dae::mirror {
namespace {

constexpr size_t kFewBytes = 1024;  // it fits in one packet anyway

constexpr size_t kOverheadBytes = 1024;  // of an entry: keys, nodes, validators; most pages are no larger themselves

size_t held_bytes(const RenderedPage& page) {
  return page.body.size() + page.gzipped.size() + kOverheadBytes;
}

}  // namespace

std::string gzip_variant(const std::string& body) {
  return body.size() > kFewBytes ? gzip(body) : "";
}

std::shared_ptr<const RenderedPage> RenderCache::get(const std::string& key, const std::string& version, int64_t now_ms,
                                                     const std::function<Rendering()>& render) {
  {
    std::lock_guard lock(mutex_);
    const auto found = by_key_.find(key);
    if (found != by_key_.end() && found->second->page->version == version &&
        found->second->page->valid_until_ms > now_ms) {
      recent_.splice(recent_.begin(), recent_, found->second);
      return found->second->page;
    }
  }
  Rendering rendering = render();
  auto page = std::make_shared<RenderedPage>();
  page->version = version;
  page->valid_until_ms = rendering.valid_until_ms;
  page->body = std::move(rendering.body);
  page->gzipped = gzip_variant(page->body);
  page->etag = Digest::of(page->body).short_hex(32);
  keep(key, page);
  return page;
}

void RenderCache::keep(const std::string& key, const std::shared_ptr<const RenderedPage>& page) {
  std::lock_guard lock(mutex_);
  const auto drop = [&](std::list<Entry>::iterator entry) {
    held_bytes_ -= held_bytes(*entry->page);
    by_key_.erase(entry->key);
    recent_.erase(entry);
  };
  if (const auto old = by_key_.find(key); old != by_key_.end()) drop(old->second);
  recent_.push_front({key, page});
  by_key_[key] = recent_.begin();
  held_bytes_ += held_bytes(*page);
  while (held_bytes_ > capacity_bytes_ && !recent_.empty()) drop(std::prev(recent_.end()));
}

}  // namespace dae::mirror
