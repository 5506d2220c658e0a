#include "mirror/storage/config.h"

#include "base/env.h"
#include "base/error.h"
#include "base/hash.h"
#include "mirror/config_values.h"
#include "mirror/storage/storage.h"

namespace dae::mirror {
namespace {

constexpr size_t kNameDigits = 16;

// Two buckets never share a cache.
Path default_cache(const S3Place& bucket) {
  return cache_dir() / "mirror" / Digest::of(bucket.text()).hex().substr(0, kNameDigits);
}

template <typename Parse>
auto parse_at(const Reader& reader, const Value& value, Parse&& parse) {
  try {
    return parse(value.as_string());
  } catch (const Error& error) {
    throw reader.error_at(value, error.message(), error.hint()).because(error.cause());
  }
}

void parse_shared(Reader& reader, const Value& storage, MirrorConfig& config) {
  SharedPlace place;
  place.bucket = parse_at(reader, storage, [](const std::string& text) { return parse_s3_url(text); });
  config.storage = default_cache(place.bucket);
  if (const Value* cache = reader.optional("cache")) config.storage = cache->as_string();
  if (const Value* limit = reader.optional("cache_limit")) place.cache_bytes = parse_size(reader, *limit);
  if (const Value* lease = reader.optional("lease")) {
    place.lease = parse_at(reader, *lease, [](const std::string& text) { return parse_etcd_url(text); });
  }
  config.shared = std::make_shared<const SharedPlace>(std::move(place));
}

}  // namespace

void parse_storage(Reader& reader, MirrorConfig& config) {
  const Value& storage = reader.required("storage");
  const std::string& text = storage.as_string();
  if (text.empty()) throw reader.error_at(storage, "`storage` names no directory");
  if (is_s3_url(text)) {
    parse_shared(reader, storage, config);
    return;
  }
  if (text.find("://") != std::string::npos) {
    throw reader.error_at(storage, "`storage` is a directory or an s3:// URL");
  }
  for (const char* key : {"cache", "cache_limit", "lease"}) {
    if (const Value* value = reader.optional(key)) {
      throw reader.error_at(*value, std::string("`") + key + "` goes with a `storage` of s3:// only");
    }
  }
  config.storage = text;
}

void set_storage(MirrorConfig& config, const std::string& storage) {
  if (!is_s3_url(storage)) {
    config.storage = storage;
    config.shared = nullptr;
    return;
  }
  SharedPlace place;
  if (config.shared) place = *config.shared;
  place.bucket = parse_s3_url(storage);
  if (!config.shared) config.storage = default_cache(place.bucket);
  config.shared = std::make_shared<const SharedPlace>(std::move(place));
}

}  // namespace dae::mirror
