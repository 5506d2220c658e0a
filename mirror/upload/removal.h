#pragma once
// Files of a private index taken away again, or yanked (PEP 592). Beside a mirror that runs, or without one.
#include <string>
#include <vector>

#include "mirror/index/page_store.h"

namespace dae::mirror {

struct FilesChange {
  enum class Kind { remove, yank, unyank };
  Kind kind = Kind::remove;
  std::string index;
  std::string what;  // "demo", "demo==1.0" or the name of a file
  std::string reason, who;
};

// The files it is about, in the order of the page; with `dry_run` nothing else happens. Files that are as they shall be
// are left out. Writes an audit row. Throws Error usage for what names nothing, not_found when the index lists no such.
std::vector<std::string> change_files(PageStore& pages, const FilesChange& change, int64_t now_ms, bool dry_run);

}  // namespace dae::mirror
