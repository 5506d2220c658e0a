#pragma once
// What was written to the tree, so that a mirror that starts finds out what became old without reading the files. Ahead
// of the disk with whatever is added and behind it with whatever is removed: no file is there that it does not name.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/sqlite.h"
#include "mirror/tree/files.h"

namespace dae::mirror {

struct TreeRow {
  std::string project;
  std::string stamp;    // of what it was written from; "": to be written
  int64_t next_ms = 0;  // when it changes by itself
  bool denied = false;  // a deny list has something to say about it
};

// One thread at a time.
class TreeState {
 public:
  explicit TreeState(const Path& file);

  std::vector<TreeRow> rows_after(const std::string& project, size_t most);  // in the order of their names
  std::optional<TreeRow> find(const std::string& project);
  std::vector<std::string> to_write(size_t most);
  size_t count_to_write();
  std::vector<std::string> due(int64_t now_ms, size_t most);
  std::vector<std::string> denied();
  std::vector<TreeMark> marks(const std::string& project);

  // The projects whose files may be on the disk are to be removed from there before anything else.
  void outdate(const std::vector<std::string>& projects);
  struct Writing {
    TreeRow row;
    std::vector<TreeMark> added, removed;
    bool gone = false;  // nothing is left of the project
  };
  void before(const std::vector<Writing>& writings);  // anything of it is on the disk
  void after(const std::vector<Writing>& writings);

 private:
  std::vector<std::string> names(Statement rows);
  Database database_;
};

}  // namespace dae::mirror
