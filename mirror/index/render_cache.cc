#include "mirror/index/render_cache.h"

#include "base/hash.h"

namespace dae::mirror {

std::shared_ptr<const RenderedPage> RenderCache::get(const std::string& key, int64_t revision,
                                                     const std::function<std::string()>& render) {
  {
    std::lock_guard lock(mutex_);
    const auto found = by_key_.find(key);
    if (found != by_key_.end() && found->second->page->revision == revision) {
      recent_.splice(recent_.begin(), recent_, found->second);
      return found->second->page;
    }
  }
  auto page = std::make_shared<RenderedPage>();
  page->revision = revision;
  page->body = render();
  page->etag = Digest::of(page->body).short_hex(32);
  keep(key, page);
  return page;
}

void RenderCache::keep(const std::string& key, const std::shared_ptr<const RenderedPage>& page) {
  std::lock_guard lock(mutex_);
  const auto drop = [&](std::list<Entry>::iterator entry) {
    held_bytes_ -= entry->page->body.size();
    by_key_.erase(entry->key);
    recent_.erase(entry);
  };
  if (const auto old = by_key_.find(key); old != by_key_.end()) drop(old->second);
  recent_.push_front({key, page});
  by_key_[key] = recent_.begin();
  held_bytes_ += page->body.size();
  while (held_bytes_ > capacity_bytes_ && !recent_.empty()) drop(std::prev(recent_.end()));
}

}  // namespace dae::mirror
