#include "mirror/catalog.h"

#include <string>
#include <vector>

namespace dae::mirror {
namespace {

// `projects.revision` grows with every change of what a page says; rendered pages are cached by it.
// `known` outlives the pages: what was learned about a file by having held it.
// `digests`: names of content by other algorithms than sha256, which is the blob store's; elsewhere such a name stands
// as "<algorithm>:<hex>" where sha256 is bare hex.
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
};

}  // namespace

Catalog::Catalog(const Path& file) : database_(Database::open(file, kMigrations)) {
  database_.execute("PRAGMA foreign_keys = ON");
}

void Catalog::write(const std::function<void(Database&)>& body) {
  std::lock_guard lock(mutex_);
  database_.transaction([&] { body(database_); });
  ++generation_;
}

}  // namespace dae::mirror
