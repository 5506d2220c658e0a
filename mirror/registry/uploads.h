#pragma once
// Upload sessions of the registry: chunks on disk until the blob is whole. With bytes they survive a restart; they
// expire.
//   <storage>/uploads/<id>/<n>   the n-th chunk, from 0
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "base/blob_store.h"
#include "base/clock.h"
#include "mirror/catalog.h"
#include "mirror/registry/content_digest.h"

namespace dae::mirror {

struct Chunk {
  Path file;  // taken over by rename; may be absent when `size_bytes` is 0
  uint64_t size_bytes = 0;
  std::string content_range;     // "0-99", or "" = follows what is there
  std::optional<Digest> sha256;  // of the file, when it is known already
};

// Thread-safe. Throws OciRefusal: 404 for an unknown session, 416 for a chunk out of order, 409 when the session is
// being written by another request, 413 over the limit, 429 when too many are open.
class Uploads {
 public:
  Uploads(Catalog& catalog, BlobStore& blobs, const Clock& clock, Path dir, uint64_t blob_limit_bytes);
  std::string start(const std::string& repository);
  // Bytes received.
  uint64_t status(const std::string& repository, const std::string& id);
  uint64_t append(const std::string& repository, const std::string& id, const Chunk& chunk);
  // The last chunk (may be empty) and the end of the session; the name that the store gives the whole. A digest that
  // does not fit is OciRefusal 400 DIGEST_INVALID, and the session is over too: its bytes are wrong.
  Digest finish(const std::string& repository, const std::string& id, const Chunk& chunk, const ContentDigest& digest);
  void cancel(const std::string& repository, const std::string& id);
  void expire();

 private:
  struct Session {
    uint64_t size_bytes = 0;
    int64_t chunks = 0;
  };
  class Busy;
  Session find(const std::string& repository, const std::string& id);
  void check_order(const std::string& repository, const std::string& id, const Session& session, const Chunk& chunk);
  Digest join_chunks(const std::string& id, const Session& session, const Chunk& last, const ContentDigest& digest);
  void add(const std::string& repository, const std::string& id, Session& session, const Chunk& chunk);
  std::optional<Digest> first_chunk(const std::string& id);
  void forget(const std::string& id);

  Catalog& catalog_;
  BlobStore& blobs_;
  const Clock& clock_;
  Path dir_;
  uint64_t blob_limit_bytes_;
  std::mutex mutex_;
  std::set<std::string> busy_;
  // Sessions without bytes are in memory only: most blobs come in one piece after the POST, and need no row then.
  struct Fresh {
    std::string repository;
    int64_t started_ms = 0;
  };
  std::map<std::string, Fresh> fresh_;
  std::map<std::string, Digest> first_chunks_;  // of sessions with one chunk, as long as this process lives
  int64_t expired_at_ms_ = 0;
};

std::string upload_location(const std::string& repository, const std::string& id);
// The form clients expect: "0-<last byte>".
std::string upload_range(uint64_t size_bytes);

// A chunk that is one whole blob: without a session. Returns the name that the store gives it.
Digest store_blob(BlobStore& blobs, const Chunk& chunk, const ContentDigest& digest);

}  // namespace dae::mirror
