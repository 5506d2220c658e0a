// The tables of the catalog, and which of them are of one machine.
#include "mirror/catalog.h"

namespace dae::mirror {
namespace {

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

}  // namespace

const std::vector<std::string>& catalog_migrations() {
  return kMigrations;
}

const std::vector<std::string>& machine_tables() {
  static const std::vector<std::string> tables = {"freshness", "uploads", "verify_mark"};
  return tables;
}

}  // namespace dae::mirror
