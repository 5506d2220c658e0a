#pragma once
// What lies in the cache folder and what of it can go: facts and plans for `dae cache`; apply() alone removes.
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/events.h"
#include "base/fs.h"
#include "resolver/install/store_collect.h"

namespace dae::cli {

struct CachePart {
  std::string name;  // "index pages"
  uint64_t entries = 0, bytes = 0;
};

struct CacheRemoval {
  std::string part, why;
  Path path;  // a file or a tree; empty: the index store is made smaller, to `keep_bytes`
  uint64_t bytes = 0;
  uint64_t keep_bytes = 0;
  // Of a single package: entries of the index store, by kind ('p', 'm') and key.
  std::vector<std::pair<char, std::string>> index_entries = {};
  bool unpacked = false;  // of the store of unpacked wheels, which has locks of its own
};

class CacheFolders {
 public:
  CacheFolders(Path root, uint64_t limit_bytes, const Clock& clock, EventSink& events)
      : root_(std::move(root)), limit_bytes_(limit_bytes), clock_(clock), events_(events) {}
  uint64_t limit_bytes() const { return limit_bytes_; }
  const Path& root() const { return root_; }

  std::vector<CachePart> parts() const;  // always all, in one order
  // Leftovers of other versions and of kills; unpacked wheels that no environment needs; then, until the limit holds,
  // what was made longest ago, and last unpacked wheels that environments share. Nothing that is younger than an hour:
  // an installation may be about to use it.
  std::vector<CacheRemoval> prune_plan() const;
  // All of it, but for needed_wheels(), unless `force`.
  std::vector<CacheRemoval> clean_plan(bool force) const;
  // What is kept for these packages: pages, metadata, wheels and sdists listed there. Names are normalised.
  std::vector<CacheRemoval> clean_plan(const std::set<std::string>& packages, bool force) const;
  // Unpacked wheels without which environments would break, as they are linked into them by symbolic links.
  std::vector<resolver::StoreNeed> needed_wheels() const;
  // Returns what was freed. A build that is going on keeps its folder.
  uint64_t apply(const std::vector<CacheRemoval>& plan, bool force = false) const;

 private:
  struct Item {
    Path path;
    uint64_t bytes = 0;
    int64_t changed_ms = 0;
    bool unpacked = false;
  };
  Path index_dir() const { return root_ / "index"; }
  bool is_old(int64_t changed_ms) const;
  std::vector<Item> children(const Path& dir) const;  // of a folder, each with all that is below it
  std::vector<Item> blobs() const;
  std::vector<Item> leftovers() const;
  resolver::StorePaths unpacked() const { return {root_ / "unpacked"}; }
  CacheRemoval removal_of(const resolver::StoreRemoval& removal) const;

  const Path root_;
  const uint64_t limit_bytes_;
  const Clock& clock_;
  EventSink& events_;
};

}  // namespace dae::cli
