#pragma once
// What direct references stand for: a wheel or archive at a URL, a repository at a revision, a local directory or file.
// Each is brought to this machine and pinned (digest, commit) before the solver sees it.
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/blob_store.h"
#include "base/events.h"
#include "base/fs.h"
#include "base/http_client.h"
#include "base/process.h"
#include "resolver/standards/version.h"

namespace dae::resolver {

struct DirectSource {
  enum class Kind { wheel, archive, directory, vcs };
  Kind kind = Kind::archive;
  std::string name;                                // normalised
  std::string version;                             // of its metadata
  std::string url;                                 // without credentials; of vcs without "git+" and "@revision"
  std::string path;                                // local ones: as written
  std::string vcs, requested_revision, commit_id;  // vcs
  std::string subdirectory;
  bool editable = false;
  std::string file_name, sha256;  // wheel, archive
  uint64_t size_bytes = 0;
  Path local;            // the file, or the directory with the project in it
  std::string metadata;  // core metadata, as text
};

class DirectSources {
 public:
  virtual ~DirectSources() = default;
  // `url`: https://…/x.whl, https://…/x.tar.gz#sha256=…&subdirectory=…, git+https://…@rev#egg=name, git+ssh://,
  // git+file://, hg+https://…, file:///…, ./path. `expected_name` (normalised) may be "": then the source's own
  // metadata names it. Each URL once per object; thread-safe. Errors name the URL without its credentials.
  virtual const DirectSource& resolve(const std::string& url, bool editable, const std::string& expected_name) = 0;
};

// A tree with a project in it, on its way to a wheel.
struct SourceTree {
  Path root;                 // of the repository, the unpacked archive, the directory
  std::string subdirectory;  // of the project in it
  // Names the contents for ever ("git-<commit>", "hg-<node>", an archive's SHA-256), so that a build is kept under it.
  // "": a local directory, whose contents are hashed.
  std::string identity;
  bool editable = false;
  bool scratch = false;  // a build may write into it: nobody else reads it
  std::string label;     // for messages
  Path project() const { return subdirectory.empty() ? root : root / subdirectory; }
};

struct DirectOptions {
  Path base_dir;   // relative paths start here
  Path cache_dir;  // repositories and checkouts: git-v1/, hg-v1/
  bool offline = false;
  // METADATA of a tree that does not state it statically, by building it: source_metadata_builder() of
  // install/environment.h. Without it such a source is Error failed. Called from several threads.
  std::function<std::string(const SourceTree&)> build_metadata;
};
// Archives and wheels are kept in `blobs`. All arguments must outlive the object.
std::unique_ptr<DirectSources> make_direct_sources(Transport& transport, BlobStore& blobs, ProcessRunner& runner,
                                                   DirectOptions options, EventSink& events);

}  // namespace dae::resolver
