#pragma once
// What direct references stand for: a wheel or archive at a URL, a repository at a revision, a local directory or file.
// Each is brought to this machine and pinned (digest, commit) before the solver sees it.
#include <memory>
#include <optional>
#include <string>

#include "base/fs.h"
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

}  // namespace dae::resolver
