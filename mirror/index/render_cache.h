#pragma once
// Rendered pages in memory: a page of ten thousand files takes longer to write than to send.
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace dae::mirror {

struct RenderedPage {
  int64_t revision = 0;
  std::string body;
  std::string gzipped;  // the same bytes; empty when they are so few that it is not worth it
  std::string etag;     // of the bytes: equal pages keep their validator whatever the revision
};

// Thread-safe; the least recently asked page goes first when `capacity_bytes` is passed.
class RenderCache {
 public:
  explicit RenderCache(size_t capacity_bytes) : capacity_bytes_(capacity_bytes) {}
  std::shared_ptr<const RenderedPage> get(const std::string& key, int64_t revision,
                                          const std::function<std::string()>& render);

 private:
  struct Entry {
    std::string key;
    std::shared_ptr<const RenderedPage> page;
  };
  void keep(const std::string& key, const std::shared_ptr<const RenderedPage>& page);

  std::mutex mutex_;
  size_t capacity_bytes_, held_bytes_ = 0;
  std::list<Entry> recent_;  // newest first
  std::map<std::string, std::list<Entry>::iterator> by_key_;
};

}  // namespace dae::mirror
