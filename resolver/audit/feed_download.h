#pragma once
// Feeds at an address: kept in the blob store with the server's validators, and asked for conditionally.
#include <functional>
#include <string>

#include "base/blob_store.h"
#include "base/clock.h"
#include "base/events.h"
#include "base/http_client.h"
#include "resolver/source/credentials.h"

namespace dae::resolver {

bool is_feed_url(std::string_view feed);

struct DownloadedFeed {
  Path file;
  std::string label;        // the address without credentials
  int64_t checked_ms = 0;   // when the server last said that this is its feed
  bool from_cache = false;  // the server was not asked
  // Makes it what later runs begin with. To be called once the feed has been read: a broken one is not kept.
  std::function<void()> keep;
};

struct FeedAccess {
  Transport& transport;
  BlobStore& blobs;
  CredentialStore& credentials;
  const Clock& clock;
  EventSink& events;
  Path cache_dir;  // <cache_dir>/audit/ holds what is remembered of each address
  bool offline = false;
  uint64_t limit_bytes = 512ull << 20;
};
// Addresses are https, or http on this machine. Throws Error refused for others, and offline for a feed that was never
// fetched; network when the server cannot be asked: how old the kept one is, is for the user to judge (`--offline`).
DownloadedFeed download_feed(const std::string& url, const FeedAccess& access);

}  // namespace dae::resolver
