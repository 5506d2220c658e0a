#pragma once
// Repositories in the cache: <cache>/git-v1/<hash of the URL>/ bare, one per URL, and
// <cache>/git-v1/checkouts/<commit>/, the files of a commit with those of its submodules. A commit that is there needs
// no network, ever. What is below checkouts/ is read by many: never write to it. Thread-safe, also between processes.
// Format: share/doc/formats/sources.md.
#include <string>

#include "base/events.h"
#include "base/fs.h"
#include "base/http_client.h"
#include "base/process.h"

namespace dae::resolver {

struct VcsAccess {
  Transport& transport;
  ProcessRunner& runner;
  EventSink& events;
  Path cache_dir;
  bool offline = false;
};

// The commit that `revision` means there now ("" = the default branch), its objects fetched. `url` may hold
// credentials; `label` is what messages call it.
std::string resolve_git(const std::string& url, const std::string& revision, const std::string& label,
                        const VcsAccess& access);
// The folder with its files. `revision`: where the commit was found, asked for when it is not here and has no branch.
Path checkout_git(const std::string& url, const std::string& commit, const std::string& revision,
                  const std::string& label, const VcsAccess& access);

// Folder of a repository's cache entry below `kind`-v1/.
Path vcs_cache_entry(const Path& cache_dir, const std::string& kind, const std::string& url);
bool is_commit_id(const std::string& text);  // 40 hex digits in lower case
// `path`.lock, with a note when another process has it.
FileLock lock_source(const Path& path, const std::string& label, EventSink& events);

}  // namespace dae::resolver
