#include "mirror/registry/uploads.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <vector>

#include "base/log.h"
#include "base/strings.h"
#include "mirror/registry/protocol.h"

namespace dae::mirror {
namespace {

constexpr int64_t kSessionLifeMs = 24 * 3'600'000;
constexpr int64_t kExpireEveryMs = 600'000;
constexpr int64_t kMostSessions = 1000;

std::string new_session_id() {
  std::string hex = random_hex(16);
  hex[12] = '4';  // RFC 9562: version 4, variant 10
  hex[16] = "89ab"[static_cast<unsigned>(hex[16]) % 4];
  for (size_t at : {20u, 16u, 12u, 8u}) hex.insert(at, "-");
  return hex;
}

void for_each_piece(const Path& file, const std::function<void(std::string_view)>& visit) {
  const Fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.valid()) throw os_error("cannot open chunk", file.string(), errno);
  std::vector<char> buffer(1 << 18);
  while (true) {
    const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw os_error("cannot read chunk", file.string(), errno);
    if (got == 0) return;
    visit({buffer.data(), static_cast<size_t>(got)});
  }
}

OciRefusal too_many_uploads() {
  return OciRefusal(429, "TOOMANYREQUESTS", "too many uploads are open", {{"Retry-After", "60"}});
}

OciRefusal unknown_upload() {
  return OciRefusal(404, "BLOB_UPLOAD_UNKNOWN", "no such upload; it may have expired");
}

// `commit` gets what the store has to check.
template <typename Commit>
Digest commit_as(const ContentDigest& digest, const Commit& commit) {
  try {
    return commit(digest.is_sha256() ? std::optional(digest.sha256()) : std::nullopt);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::verification) throw;
    throw OciRefusal(400, "DIGEST_INVALID", "the bytes received do not have this digest");
  }
}

// A file whose digest is known is not read again.
Digest take_in(BlobStore& blobs, const Chunk& chunk, const Digest& digest) {
  if (*chunk.sha256 != digest) {
    throw OciRefusal(400, "DIGEST_INVALID", "the bytes received do not have this digest");
  }
  if (blobs.size_bytes(digest) == chunk.size_bytes && blobs.touch(digest)) return digest;
  try {
    blobs.adopt_part(chunk.file, digest);
    return digest;
  } catch (const Error&) {
    return blobs.adopt(chunk.file, digest);  // by copy, when the store is a file system of its own
  }
}

}  // namespace

// Marks a session as being written while it lives.
class Uploads::Busy {
 public:
  Busy(Uploads& uploads, const std::string& id) : uploads_(uploads), id_(id) {
    std::lock_guard lock(uploads_.mutex_);
    if (!uploads_.busy_.insert(id).second) {
      throw OciRefusal(409, "BLOB_UPLOAD_INVALID", "another request is writing this upload");
    }
  }
  ~Busy() {
    std::lock_guard lock(uploads_.mutex_);
    uploads_.busy_.erase(id_);
  }
  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;

 private:
  Uploads& uploads_;
  std::string id_;
};

std::string upload_location(const std::string& repository, const std::string& id) {
  return "/v2/" + repository + "/blobs/uploads/" + id;
}

std::string upload_range(uint64_t size_bytes) {
  return "0-" + std::to_string(size_bytes == 0 ? 0 : size_bytes - 1);
}

Digest store_blob(BlobStore& blobs, const Chunk& chunk, const ContentDigest& digest) {
  if (digest.is_sha256() && chunk.sha256 && chunk.size_bytes > 0) return take_in(blobs, chunk, digest.sha256());
  DigestCheck check(digest);
  if (!digest.is_sha256() && chunk.size_bytes > 0) {
    for_each_piece(chunk.file, [&](std::string_view piece) { check.update(piece); });
  }
  check.finish();
  return commit_as(digest, [&](const auto& expected) {
    return chunk.size_bytes > 0 ? blobs.adopt(chunk.file, expected) : blobs.writer()->commit(expected);
  });
}

Uploads::Uploads(Catalog& catalog, BlobStore& blobs, const Clock& clock, Path dir, uint64_t blob_limit_bytes)
    : catalog_(catalog), blobs_(blobs), clock_(clock), dir_(std::move(dir)), blob_limit_bytes_(blob_limit_bytes) {
  make_dirs(dir_);
  expire();
  std::set<std::string> known;
  catalog_.read([&](Database& db) {
    Statement rows = db.prepare("SELECT id FROM uploads");
    while (rows.step()) known.insert(rows.text(0));
  });
  // Directories that a crash left between the row's end and theirs.
  for (const std::string& name : list_dir(dir_)) {
    if (known.count(name) == 0) remove_all(dir_ / name);
  }
}

std::string Uploads::start(const std::string& repository) {
  expire();
  const int64_t open = catalog_.read([](Database& db) {
    Statement count = db.prepare("SELECT count(*) FROM uploads");
    count.step();
    return count.integer(0);
  });
  const std::string id = new_session_id();
  std::lock_guard lock(mutex_);
  if (open + static_cast<int64_t>(fresh_.size()) >= kMostSessions) throw too_many_uploads();
  fresh_[id] = {repository, clock_.wall_ms()};
  return id;
}

Uploads::Session Uploads::find(const std::string& repository, const std::string& id) {
  {
    std::lock_guard lock(mutex_);
    if (const auto fresh = fresh_.find(id); fresh != fresh_.end()) {
      if (fresh->second.repository != repository) throw unknown_upload();
      return {};
    }
  }
  return catalog_.read([&](Database& db) {
    Statement row = db.prepare("SELECT size_bytes, chunks FROM uploads WHERE id = ? AND repository = ?");
    row.bind(1, id).bind(2, repository);
    if (!row.step()) throw unknown_upload();
    return Session{static_cast<uint64_t>(row.integer(0)), row.integer(1)};
  });
}

uint64_t Uploads::status(const std::string& repository, const std::string& id) {
  return find(repository, id).size_bytes;
}

void Uploads::check_order(const std::string& repository, const std::string& id, const Session& session,
                          const Chunk& chunk) {
  if (chunk.size_bytes > blob_limit_bytes_ - std::min(blob_limit_bytes_, session.size_bytes)) {
    throw OciRefusal(413, "SIZE_INVALID", "the blob is larger than `limits.file` of this mirror");
  }
  if (chunk.content_range.empty()) return;
  std::string_view range = chunk.content_range;
  if (range.rfind("bytes ", 0) == 0) range = range.substr(6, range.find('/') - 6);  // RFC 9110's spelling of it
  const size_t dash = range.find('-');
  const auto first = dash == std::string_view::npos ? std::nullopt : parse_int(range.substr(0, dash));
  const auto last = dash == std::string_view::npos ? std::nullopt : parse_int(range.substr(dash + 1));
  if (!first || !last || *first < 0 || *last < *first) {
    throw OciRefusal(400, "BLOB_UPLOAD_INVALID", "`Content-Range` is not `<first>-<last>`");
  }
  const Headers where = {{"Location", upload_location(repository, id)}, {"Range", upload_range(session.size_bytes)}};
  if (static_cast<uint64_t>(*first) != session.size_bytes) {
    throw OciRefusal(416, "BLOB_UPLOAD_INVALID", "this chunk is out of order", where);
  }
  if (static_cast<uint64_t>(*last - *first) + 1 != chunk.size_bytes) {
    throw OciRefusal(400, "SIZE_INVALID", "`Content-Range` does not have the length of the body", where);
  }
}

// The chunk first, then the row: after a crash between the two the client's next chunk takes the same number.
void Uploads::add(const std::string& repository, const std::string& id, Session& session, const Chunk& chunk) {
  if (chunk.size_bytes == 0) return;
  if (session.chunks == 0) make_dirs(dir_ / id);
  rename_path(chunk.file, dir_ / id / std::to_string(session.chunks));
  session.size_bytes += chunk.size_bytes;
  session.chunks += 1;
  catalog_.write_local([&](Database& db) {
    Statement upsert = db.prepare(
        "INSERT INTO uploads(id, repository, size_bytes, chunks, updated_ms) VALUES(?,?,?,?,?) ON CONFLICT(id) DO "
        "UPDATE "
        "SET size_bytes = excluded.size_bytes, chunks = excluded.chunks, updated_ms = excluded.updated_ms");
    upsert.bind(1, id).bind(2, repository).bind(3, static_cast<int64_t>(session.size_bytes)).bind(4, session.chunks);
    upsert.bind(5, clock_.wall_ms()).run();
  });
  std::lock_guard lock(mutex_);
  fresh_.erase(id);
  first_chunks_.erase(id);
  if (session.chunks == 1 && chunk.sha256) first_chunks_[id] = *chunk.sha256;
}

uint64_t Uploads::append(const std::string& repository, const std::string& id, const Chunk& chunk) {
  const Busy busy(*this, id);
  Session session = find(repository, id);
  check_order(repository, id, session, chunk);
  add(repository, id, session, chunk);
  return session.size_bytes;
}

Digest Uploads::join_chunks(const std::string& id, const Session& session, const Chunk& last,
                            const ContentDigest& digest) {
  if (session.chunks == 0) return store_blob(blobs_, last, digest);
  if (session.chunks == 1 && last.size_bytes == 0) {
    return store_blob(blobs_, {dir_ / id / "0", session.size_bytes, "", first_chunk(id)}, digest);
  }
  const auto writer = blobs_.writer();
  DigestCheck check(digest);
  const auto take = [&](std::string_view piece) {
    writer->write(piece);
    check.update(piece);
  };
  for (int64_t i = 0; i < session.chunks; ++i) for_each_piece(dir_ / id / std::to_string(i), take);
  if (last.size_bytes > 0) for_each_piece(last.file, take);
  check.finish();
  return commit_as(digest, [&](const auto& expected) { return writer->commit(expected); });
}

Digest Uploads::finish(const std::string& repository, const std::string& id, const Chunk& chunk,
                       const ContentDigest& digest) {
  const Busy busy(*this, id);
  const Session session = find(repository, id);
  check_order(repository, id, session, chunk);
  try {
    Digest stored = join_chunks(id, session, chunk, digest);
    forget(id);
    return stored;
  } catch (const OciRefusal&) {
    forget(id);
    throw;
  }
}

void Uploads::cancel(const std::string& repository, const std::string& id) {
  const Busy busy(*this, id);
  find(repository, id);
  forget(id);
}

std::optional<Digest> Uploads::first_chunk(const std::string& id) {
  std::lock_guard lock(mutex_);
  const auto found = first_chunks_.find(id);
  return found == first_chunks_.end() ? std::nullopt : std::optional(found->second);
}

void Uploads::forget(const std::string& id) {
  {
    std::lock_guard lock(mutex_);
    first_chunks_.erase(id);
    if (fresh_.erase(id) > 0) return;
  }
  catalog_.write_local([&](Database& db) { db.prepare("DELETE FROM uploads WHERE id = ?").bind(1, id).run(); });
  remove_all(dir_ / id);
}

void Uploads::expire() {
  const int64_t now_ms = clock_.wall_ms();
  std::vector<std::string> old;
  {
    std::lock_guard lock(mutex_);
    if (expired_at_ms_ != 0 && now_ms - expired_at_ms_ < kExpireEveryMs) return;
    expired_at_ms_ = now_ms;
    std::erase_if(fresh_, [&](const auto& session) { return session.second.started_ms < now_ms - kSessionLifeMs; });
  }
  catalog_.read([&](Database& db) {
    Statement rows = db.prepare("SELECT id FROM uploads WHERE updated_ms < ? ORDER BY id");
    rows.bind(1, now_ms - kSessionLifeMs);
    while (rows.step()) old.push_back(rows.text(0));
  });
  for (const std::string& id : old) {
    try {
      const Busy busy(*this, id);
      forget(id);
    } catch (const OciRefusal&) {
      continue;  // somebody is writing it after all
    }
  }
  if (!old.empty()) log_info("unfinished uploads expired", {{"count", std::to_string(old.size())}});
}

}  // namespace dae::mirror
