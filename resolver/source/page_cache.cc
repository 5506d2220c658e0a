#include "resolver/source/page_cache.h"

#include <bit>
#include <cstring>
#include <limits>

#include "base/error.h"
#include "base/hash.h"

namespace dae::resolver {
namespace {

// The last byte is the version: a file of another one is a miss and gets written anew.
constexpr std::string_view kMagic{"daepage\1", 8};
// A file that was cut short (no fsync is made for a cache) lacks it.
constexpr std::string_view kEnd{"\nend\n", 5};

class Writer {
 public:
  std::string bytes;
  template <typename T>
  void number(T value) {
    static_assert(std::endian::native == std::endian::little);
    char raw[sizeof value];
    std::memcpy(raw, &value, sizeof value);
    bytes.append(raw, sizeof value);
  }
  void text(std::string_view value) {
    number(static_cast<uint32_t>(value.size()));
    bytes += value;
  }
};

class Scanner {
 public:
  explicit Scanner(std::string_view bytes) : rest_(bytes) {}
  bool failed() const { return failed_; }
  std::string_view rest() const { return rest_; }
  template <typename T>
  T number() {
    T value{};
    if (const std::string_view raw = take(sizeof value); raw.size() == sizeof value) {
      std::memcpy(&value, raw.data(), sizeof value);
    }
    return value;
  }
  std::string text() { return std::string(take(number<uint32_t>())); }

 private:
  std::string_view take(size_t size) {
    if (failed_ || rest_.size() < size) {
      failed_ = true;
      return {};
    }
    const std::string_view out = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return out;
  }
  std::string_view rest_;
  bool failed_ = false;
};

constexpr uint8_t kFound = 1, kMustRevalidate = 2;
constexpr uint8_t kYanked = 1, kHasMetadata = 2, kHasSize = 4;

void write_entry(Writer& out, const IndexFile& file) {
  out.text(file.name);
  // Most addresses end in the file's name: only what differs is kept.
  const bool named = file.url.ends_with(file.name);
  out.number(static_cast<uint8_t>(named));
  out.text(std::string_view(file.url).substr(0, file.url.size() - (named ? file.name.size() : 0)));
  out.text(file.sha256);
  out.number(static_cast<uint16_t>(file.hashes.size()));
  for (const auto& [algorithm, hex] : file.hashes) {
    out.text(algorithm);
    out.text(hex);
  }
  out.text(file.requires_python);
  out.number(static_cast<uint8_t>((file.yanked ? kYanked : 0) | (file.has_metadata ? kHasMetadata : 0) |
                                  (file.size_bytes ? kHasSize : 0)));
  out.text(file.yanked_reason);
  out.text(file.metadata_sha256);
  out.number(file.size_bytes.value_or(0));
  out.text(file.upload_time);
}

IndexFile read_entry(Scanner& in) {
  IndexFile file;
  file.name = in.text();
  const bool named = in.number<uint8_t>() != 0;
  file.url = in.text();
  if (named) file.url += file.name;
  file.sha256 = in.text();
  const uint16_t hashes = in.number<uint16_t>();
  for (uint16_t i = 0; i < hashes && !in.failed(); ++i) {
    std::string algorithm = in.text();
    file.hashes.emplace_hint(file.hashes.end(), std::move(algorithm), in.text());
  }
  file.requires_python = in.text();
  const uint8_t flags = in.number<uint8_t>();
  file.yanked = (flags & kYanked) != 0;
  file.has_metadata = (flags & kHasMetadata) != 0;
  file.yanked_reason = in.text();
  file.metadata_sha256 = in.text();
  const uint64_t size_bytes = in.number<uint64_t>();
  if ((flags & kHasSize) != 0) file.size_bytes = size_bytes;
  file.upload_time = in.text();
  return file;
}

}  // namespace

std::string encode_page(const CachedPage& page) {
  Writer out;
  out.bytes = kMagic;
  out.number(static_cast<uint8_t>((page.found ? kFound : 0) | (page.must_revalidate ? kMustRevalidate : 0)));
  out.number(page.fetched_ms);
  out.number(page.fresh_until_ms);
  out.text(page.etag);
  out.text(page.last_modified);
  out.text(page.page.name);
  out.text(page.page.status);
  out.text(page.page.status_reason);
  out.text(page.page.api_version);
  out.number(static_cast<uint32_t>(page.page.files.size()));
  for (const IndexFile& file : page.page.files) write_entry(out, file);
  out.bytes += kEnd;
  return std::move(out.bytes);
}

std::optional<CachedPage> decode_page(std::string_view bytes) {
  if (!bytes.starts_with(kMagic)) return std::nullopt;
  Scanner in(bytes.substr(kMagic.size()));
  CachedPage out;
  const uint8_t state = in.number<uint8_t>();
  out.found = (state & kFound) != 0;
  out.must_revalidate = (state & kMustRevalidate) != 0;
  out.fetched_ms = in.number<int64_t>();
  out.fresh_until_ms = in.number<int64_t>();
  out.etag = in.text();
  out.last_modified = in.text();
  out.page.name = in.text();
  out.page.status = in.text();
  out.page.status_reason = in.text();
  out.page.api_version = in.text();
  const uint32_t files = in.number<uint32_t>();
  // An entry takes dozens of bytes: a count beyond the bytes that are left is damage, not a reason to allocate.
  if (in.failed() || files > in.rest().size()) return std::nullopt;
  out.page.files.reserve(files);
  for (uint32_t i = 0; i < files && !in.failed(); ++i) out.page.files.push_back(read_entry(in));
  if (in.failed() || in.rest() != kEnd) return std::nullopt;
  return out;
}

Path PageCache::file(const std::string& url) const {
  const std::string key = Digest::of(url).hex();
  return dir_ / key.substr(0, 2) / key;
}

std::optional<CachedPage> PageCache::load(const std::string& url) const {
  if (dir_.empty()) return std::nullopt;
  const auto bytes = read_file_if_exists(file(url));
  return bytes ? decode_page(*bytes) : std::nullopt;
}

void PageCache::store(const std::string& url, const CachedPage& page) const {
  if (dir_.empty()) return;
  const Path path = file(url);
  make_dirs(path.parent_path());
  write_file_atomic(path, encode_page(page), 0644, Durability::none);
}

}  // namespace dae::resolver
