#include "mirror/sync/publisher.h"

#include "base/error.h"

namespace dae::mirror::sync {
namespace {

constexpr size_t kMostChanges = 1000, kMostParts = 2000;
constexpr int64_t kLongestWaitMs = 5000;

}  // namespace

Publisher::Publisher(Catalog& catalog, PageStore& pages, BlobStore& blobs, std::function<void()> flush,
                     std::string index, Clock& clock, OnStep on_step)
    : catalog_(catalog),
      pages_(pages),
      blobs_(blobs),
      flush_(std::move(flush)),
      index_(std::move(index)),
      clock_(clock),
      on_step_(std::move(on_step)) {}

bool Publisher::holds(const Digest& digest) {
  return parts_.contains(digest) || blobs_.touch(digest);
}

Path Publisher::path(const Digest& digest) const {
  const auto part = parts_.find(digest);
  return part != parts_.end() ? part->second : blobs_.path(digest);
}

std::optional<uint64_t> Publisher::size_bytes(const Digest& digest) const {
  const auto part = parts_.find(digest);
  if (part == parts_.end()) return blobs_.size_bytes(digest);
  const auto info = file_info(part->second);
  return info ? std::optional(info->size_bytes) : std::nullopt;
}

void Publisher::add_part(const Digest& digest, const Path& part) {
  parts_[digest] = part;
}

void Publisher::add_bytes(const Digest& digest, const std::string& bytes) {
  if (holds(digest)) return;
  const Path part = blobs_.part(digest);
  write_file_atomic(part, bytes, 0644, Durability::none);
  add_part(digest, part);
}

void Publisher::add_change(ProjectChange change, Validators validators) {
  if (changes_.empty()) first_ms_ = clock_.monotonic_ms();
  doubts_.erase(change.project);
  validators_[change.project] = std::move(validators);
  changes_.push_back(std::move(change));
}

void Publisher::add_doubt(const std::string& project) {
  doubts_.insert(project);
}

void Publisher::publish_if_due() {
  const bool many = changes_.size() >= kMostChanges || parts_.size() >= kMostParts;
  const bool late = !changes_.empty() && clock_.monotonic_ms() - first_ms_ >= kLongestWaitMs;
  if (many || late) publish();
}

void Publisher::publish() {
  store_bytes();
  note_provenances();
  if (!changes_.empty()) {
    on_step_("publish");
    pages_.apply(index_, changes_, clock_.wall_ms(), "sync");
  }
  update_heads();
  changes_.clear();
  validators_.clear();
  doubts_.clear();
}

// A blob gets its name when its bytes are on the disk, and a page is written when the names are.
void Publisher::store_bytes() {
  if (parts_.empty()) return;
  on_step_("flush");
  flush_();
  blobs_.adopt_parts(parts_, [this] { on_step_("store"); });
  on_step_("flush names");
  flush_();
  parts_.clear();
}

void Publisher::note_provenances() {
  if (provenances_.empty()) return;
  on_step_("provenances");
  catalog_.write([&](Database& db) {
    Statement insert = db.prepare("INSERT OR REPLACE INTO provenance(file, name, url, sha256) VALUES(?,?,?,?)");
    for (const Provenance& one : provenances_) {
      insert.bind(1, one.file.hex()).bind(2, one.name).bind(3, one.url).bind(4, one.bytes.hex()).run();
    }
  });
  provenances_.clear();
}

void Publisher::update_heads() {
  if (validators_.empty() && doubts_.empty()) return;
  on_step_("validators");
  catalog_.write([&](Database& db) {
    Statement heads = db.prepare("UPDATE projects SET etag = ?, last_modified = ? WHERE index_name = ? AND name = ?");
    Statement fetched =
        db.prepare("INSERT OR REPLACE INTO freshness(index_name, name, fetched_ms, fresh_until_ms) VALUES(?,?,?,0)");
    for (const auto& [project, validators] : validators_) {
      heads.bind(1, validators.etag).bind(2, validators.last_modified).bind(3, index_).bind(4, project).run();
      fetched.bind(1, index_).bind(2, project).bind(3, clock_.wall_ms()).run();
    }
    Statement doubt = db.prepare(
        "UPDATE projects SET serial = 0, etag = '', last_modified = '' "
        "WHERE index_name = ? AND name = ?");
    for (const std::string& project : doubts_) doubt.bind(1, index_).bind(2, project).run();
  });
}

}  // namespace dae::mirror::sync
