#include "mirror/catalog.h"

#include <algorithm>
#include <exception>

#include "base/clock.h"
#include "base/error.h"
#include "base/sqlite_changes.h"

namespace dae::mirror {
namespace {

constexpr int64_t kLookEveryMs = 100;
// Another process of this machine may be waiting for the log within its transaction.
constexpr int kSharedBusyMs = 60'000;

// `projects.revision` grows with every change of what a page says; rendered pages are cached by it. A project without a
// `document` is not there. `projects.changed` is set with it, to one more than any row has.
// `known` outlives the pages: what was learned about a file by having held it.
// `digests`: names of content by other algorithms than sha256, which is the blob store's; elsewhere such a name stands
// as "<algorithm>:<hex>" where sha256 is bare hex.
// `runs`: what sync, verify and gc did; a run that was killed has no end. `verify_mark`: where an unfinished
// verification is, all blobs up to `position` have been hashed.
// `uploaded` keeps every name that an upload ever had in an index, by its normal form, whatever becomes of the file.
// `tags.deleted` keeps a removed tag of an immutable repository from ever naming something else.
const std::vector<std::string> kMigrations = {
    R"sql(
CREATE TABLE projects(
  id INTEGER PRIMARY KEY,
  index_name TEXT NOT NULL,
  name TEXT NOT NULL,
  present INTEGER NOT NULL,
  etag TEXT NOT NULL DEFAULT '',
  last_modified TEXT NOT NULL DEFAULT '',
  fetched_ms INTEGER NOT NULL,
  fresh_until_ms INTEGER NOT NULL,
  revision INTEGER NOT NULL DEFAULT 1,
  status TEXT NOT NULL DEFAULT '',
  status_reason TEXT NOT NULL DEFAULT '',
  UNIQUE(index_name, name));
CREATE TABLE files(
  project INTEGER NOT NULL REFERENCES projects(id) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  name TEXT NOT NULL,
  url TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  hashes TEXT NOT NULL,
  size_bytes INTEGER,
  requires_python TEXT NOT NULL,
  yanked INTEGER NOT NULL,
  yanked_reason TEXT NOT NULL,
  upload_time TEXT NOT NULL,
  has_metadata INTEGER NOT NULL,
  metadata_sha256 TEXT NOT NULL,
  PRIMARY KEY(project, position)) WITHOUT ROWID;
CREATE INDEX files_by_digest ON files(sha256, name);
CREATE TABLE known(
  sha256 TEXT PRIMARY KEY,
  size_bytes INTEGER,
  metadata_sha256 TEXT NOT NULL DEFAULT '') WITHOUT ROWID;
CREATE TABLE repository_blobs(
  repository TEXT NOT NULL,
  digest TEXT NOT NULL,
  PRIMARY KEY(repository, digest)) WITHOUT ROWID;
CREATE INDEX repository_blobs_by_digest ON repository_blobs(digest);
CREATE TABLE manifests(
  repository TEXT NOT NULL,
  digest TEXT NOT NULL,
  media_type TEXT NOT NULL,
  artifact_type TEXT NOT NULL,
  annotations TEXT NOT NULL,
  subject TEXT NOT NULL,
  size_bytes INTEGER NOT NULL,
  pushed_ms INTEGER NOT NULL,
  PRIMARY KEY(repository, digest)) WITHOUT ROWID;
CREATE INDEX manifests_by_subject ON manifests(repository, subject) WHERE subject <> '';
CREATE TABLE tags(
  repository TEXT NOT NULL,
  tag TEXT NOT NULL,
  digest TEXT NOT NULL,
  deleted INTEGER NOT NULL DEFAULT 0,
  updated_ms INTEGER NOT NULL,
  PRIMARY KEY(repository, tag)) WITHOUT ROWID;
CREATE TABLE uploads(
  id TEXT PRIMARY KEY,
  repository TEXT NOT NULL,
  size_bytes INTEGER NOT NULL,
  chunks INTEGER NOT NULL,
  updated_ms INTEGER NOT NULL) WITHOUT ROWID;
)sql",
    R"sql(
CREATE TABLE digests(
  digest TEXT PRIMARY KEY,
  sha256 TEXT NOT NULL) WITHOUT ROWID;
)sql",
    // An index is a history of documents. `projects` is its head and what is to be known for asking upstream again;
    // `places` says where the files of the head stand. Pages of the time before are fetched again.
    R"sql(
DROP TABLE files;
DROP TABLE projects;
CREATE TABLE projects(
  id INTEGER PRIMARY KEY,
  index_name TEXT NOT NULL,
  name TEXT NOT NULL,
  document TEXT NOT NULL DEFAULT '',
  serial INTEGER NOT NULL DEFAULT 0,
  etag TEXT NOT NULL DEFAULT '',
  last_modified TEXT NOT NULL DEFAULT '',
  fetched_ms INTEGER NOT NULL DEFAULT 0,
  fresh_until_ms INTEGER NOT NULL DEFAULT 0,
  revision INTEGER NOT NULL DEFAULT 1,
  UNIQUE(index_name, name));
CREATE TABLE documents(
  sha256 TEXT PRIMARY KEY,
  size_bytes INTEGER NOT NULL,
  gzipped BLOB NOT NULL);
CREATE TABLE revisions(
  index_name TEXT NOT NULL,
  revision INTEGER NOT NULL,
  made_ms INTEGER NOT NULL,
  reason TEXT NOT NULL,
  PRIMARY KEY(index_name, revision)) WITHOUT ROWID;
CREATE TABLE entries(
  index_name TEXT NOT NULL,
  name TEXT NOT NULL,
  from_revision INTEGER NOT NULL,
  to_revision INTEGER,
  document TEXT NOT NULL,
  serial INTEGER NOT NULL,
  PRIMARY KEY(index_name, name, from_revision)) WITHOUT ROWID;
CREATE INDEX entries_by_document ON entries(document);
CREATE TABLE places(
  sha256 TEXT NOT NULL,
  file TEXT NOT NULL,
  index_name TEXT NOT NULL,
  project TEXT NOT NULL,
  PRIMARY KEY(sha256, file, index_name, project)) WITHOUT ROWID;
CREATE TABLE snapshots(
  id TEXT PRIMARY KEY,
  index_name TEXT NOT NULL,
  revision INTEGER NOT NULL,
  made_ms INTEGER NOT NULL,
  note TEXT NOT NULL) WITHOUT ROWID;
)sql",
    R"sql(
CREATE TABLE runs(
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,
  index_name TEXT NOT NULL DEFAULT '',
  started_ms INTEGER NOT NULL,
  ended_ms INTEGER,
  result TEXT NOT NULL DEFAULT '',
  counts TEXT NOT NULL DEFAULT '{}');
CREATE INDEX runs_by_kind ON runs(kind, index_name, started_ms);
CREATE TABLE verify_mark(
  id INTEGER PRIMARY KEY CHECK(id = 1),
  position TEXT NOT NULL,
  started_ms INTEGER NOT NULL,
  scope TEXT NOT NULL,
  counts TEXT NOT NULL);
)sql",
    R"sql(
CREATE TABLE audit(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at_ms INTEGER NOT NULL,
  who TEXT NOT NULL,
  action TEXT NOT NULL,
  index_name TEXT NOT NULL,
  subject TEXT NOT NULL,
  reason TEXT NOT NULL,
  details TEXT NOT NULL DEFAULT '{}');
CREATE TRIGGER audit_stays BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit trail is only added to'); END;
CREATE TRIGGER audit_holds BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit trail is only added to'); END;
CREATE TABLE allowances(
  index_name TEXT NOT NULL,
  project TEXT NOT NULL,
  version TEXT NOT NULL,
  until_ms INTEGER,
  advisories TEXT NOT NULL,
  PRIMARY KEY(index_name, project, version)) WITHOUT ROWID;
)sql",
    R"sql(
CREATE TABLE tokens(
  id TEXT PRIMARY KEY,
  secret_sha256 TEXT NOT NULL,
  index_name TEXT NOT NULL,
  projects TEXT NOT NULL,
  note TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  expires_ms INTEGER,
  revoked_ms INTEGER,
  last_used_ms INTEGER,
  quota_bytes INTEGER,
  quota_files INTEGER) WITHOUT ROWID;
CREATE TABLE token_use(
  token TEXT NOT NULL,
  day INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  files INTEGER NOT NULL,
  PRIMARY KEY(token, day)) WITHOUT ROWID;
CREATE TABLE uploaded(
  index_name TEXT NOT NULL,
  key TEXT NOT NULL,
  project TEXT NOT NULL,
  file TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  token TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  PRIMARY KEY(index_name, key)) WITHOUT ROWID;
)sql",
    R"sql(
CREATE TABLE provenance(
  file TEXT NOT NULL,
  name TEXT NOT NULL,
  url TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  PRIMARY KEY(file, name)) WITHOUT ROWID;
)sql",
    // What the serials of a synced index were decided by (rules, upstream).
    R"sql(
CREATE TABLE sync_state(
  index_name TEXT PRIMARY KEY,
  state TEXT NOT NULL) WITHOUT ROWID;
)sql",
    // Counts up over all rows: what moved since somebody looked last is found without looking at all of them.
    R"sql(
ALTER TABLE projects ADD COLUMN changed INTEGER NOT NULL DEFAULT 0;
CREATE INDEX projects_by_change ON projects(changed);
)sql",
    // `freshness`: when this machine asked upstream for a page. `replica`: how far this copy of a shared catalog is.
    R"sql(
CREATE TABLE freshness(
  index_name TEXT NOT NULL,
  name TEXT NOT NULL,
  fetched_ms INTEGER NOT NULL,
  fresh_until_ms INTEGER NOT NULL,
  PRIMARY KEY(index_name, name)) WITHOUT ROWID;
INSERT INTO freshness SELECT index_name, name, fetched_ms, fresh_until_ms FROM projects;
ALTER TABLE projects DROP COLUMN fetched_ms;
ALTER TABLE projects DROP COLUMN fresh_until_ms;
CREATE TABLE replica(
  id INTEGER PRIMARY KEY CHECK(id = 1),
  sequence INTEGER NOT NULL,
  last TEXT NOT NULL,
  log_bytes INTEGER NOT NULL);
INSERT INTO replica VALUES(1, 0, '', 0);
)sql",
};

int64_t data_version(Database& db) {
  Statement version = db.prepare("PRAGMA data_version");
  return version.step() ? version.integer(0) : 0;
}

std::vector<std::string> shared_tables(Database& db) {
  std::vector<std::string> tables;
  Statement rows = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'");
  while (rows.step()) {
    if (!is_local_table(rows.text(0))) tables.push_back(rows.text(0));
  }
  return tables;
}

}  // namespace

const std::vector<std::string>& catalog_migrations() {
  return kMigrations;
}

bool is_local_table(std::string_view table) {
  static constexpr std::string_view kLocal[] = {"freshness", "replica", "uploads", "verify_mark"};
  return std::ranges::find(kLocal, table) != std::end(kLocal);
}

struct Catalog::Waiting {
  const std::function<void(Database&)>& body;
  std::exception_ptr error = {};
  bool done = false;  // with the write lock
};

Catalog::Catalog(const Path& file, CatalogLog* log) : database_(Database::open(file, kMigrations)), log_(log) {
  database_.execute("PRAGMA foreign_keys = ON");
  data_version_ = data_version(database_);
  if (log_ == nullptr) return;
  writer_ = Database::open(file, kMigrations, kSharedBusyMs);
  shared_tables_ = shared_tables(*writer_);
  // What a power cut takes of the copy comes back from the log.
  for (Database* db : {&database_, &*writer_}) db->execute("PRAGMA synchronous = NORMAL");
}

Catalog::~Catalog() = default;

uint64_t Catalog::generation() const {
  const int64_t now_ms = SystemClock().monotonic_ms();
  int64_t looked_ms = looked_ms_.load(std::memory_order_relaxed);
  if (now_ms - looked_ms >= kLookEveryMs && looked_ms_.compare_exchange_strong(looked_ms, now_ms)) {
    look_for_other_writers();
  }
  return generation_.load();
}

// Never waits: event loops ask. Whoever has the lock has it for a moment only, and the next call looks again.
void Catalog::look_for_other_writers() const {
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock) {
    looked_ms_ = 0;
    return;
  }
  const int64_t version = data_version(database_);
  if (version == data_version_) return;
  data_version_ = version;
  ++generation_;
}

void Catalog::note_own_write() {
  if (writer_) {
    std::lock_guard lock(mutex_);
    data_version_ = data_version(database_);
  }
  ++generation_;
}

void Catalog::write_local(const std::function<void(Database&)>& body) {
  std::lock_guard turn(write_mutex_);
  {
    std::unique_lock lock(mutex_, std::defer_lock);
    if (!writer_) lock.lock();
    writing().transaction([&] { body(writing()); });
  }
  note_own_write();
}

void Catalog::write(const std::function<void(Database&)>& body) {
  if (log_ == nullptr) {
    write_local(body);
    return;
  }
  Waiting own{body};
  {
    std::lock_guard lock(waiting_mutex_);
    waiting_.push_back(&own);
  }
  std::lock_guard turn(write_mutex_);
  if (!own.done) {
    std::vector<Waiting*> batch;
    {
      std::lock_guard lock(waiting_mutex_);
      batch.swap(waiting_);
    }
    write_together(batch);
  }
  if (own.error) std::rethrow_exception(own.error);
}

// With the write lock. What fails for all is everybody's error; a body that throws is undone alone.
void Catalog::write_together(std::vector<Waiting*>& batch) {
  for (Waiting* one : batch) one->done = true;
  try {
    const auto turn = log_->take_turn();
    log_->catch_up(*writer_);
    writer_->transaction([&] {
      ChangeRecorder recorder(*writer_, shared_tables_);
      for (Waiting* one : batch) {
        writer_->execute("SAVEPOINT body");
        try {
          one->body(*writer_);
        } catch (...) {
          one->error = std::current_exception();
          writer_->execute("ROLLBACK TO body");
        }
        writer_->execute("RELEASE body");
      }
      const std::string changes = recorder.changes();
      if (!changes.empty()) log_->publish(*writer_, changes);
    });
  } catch (...) {
    for (Waiting* one : batch) {
      if (!one->error) one->error = std::current_exception();
    }
  }
  note_own_write();
}

bool Catalog::follow() {
  if (log_ == nullptr) return false;
  std::lock_guard turn(write_mutex_);
  const bool news = log_->catch_up(*writer_);
  if (news) note_own_write();
  return news;
}

bool Catalog::look_again() {
  if (log_ == nullptr) return false;
  const uint64_t before = generation_, looks = looks_;
  std::lock_guard turn(write_mutex_);
  if (looks_ == looks) {  // else somebody began to look after we asked
    ++looks_;
    try {
      if (log_->catch_up(*writer_)) note_own_write();
    } catch (const Error&) {
      return false;  // not found is the answer then
    }
  }
  return generation_ != before;
}

void Catalog::maintain(const std::function<void(Database&)>& body) {
  std::lock_guard turn(write_mutex_);
  body(writing());
}

}  // namespace dae::mirror
