#pragma once
// Rendered pages in memory: a page of ten thousand files takes longer to write than to send.
#include <cstdint>
#include <functional>
#include <limits>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace dae::mirror {

// What rendering gave, and until when nothing but time changes it.
struct Rendering {
  Rendering(std::string text, int64_t until_ms = std::numeric_limits<int64_t>::max())
      : body(std::move(text)), valid_until_ms(until_ms) {}
  std::string body;
  int64_t valid_until_ms;
};

// What is sent to who takes gzip; "" when the bytes are so few that it is not worth it.
std::string gzip_variant(const std::string& body);

struct RenderedPage {
  std::string version;
  int64_t valid_until_ms = 0;
  std::string body;
  std::string gzipped;  // gzip_variant()
  std::string etag;     // of the bytes: equal pages keep their validator whatever the version
};

// Thread-safe; the least recently asked page goes first when `capacity_bytes` is passed.
class RenderCache {
 public:
  explicit RenderCache(size_t capacity_bytes) : capacity_bytes_(capacity_bytes) {}
  // `version` is equal for what renders to the same, until the time that rendering told.
  std::shared_ptr<const RenderedPage> get(const std::string& key, const std::string& version, int64_t now_ms,
                                          const std::function<Rendering()>& render);

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
