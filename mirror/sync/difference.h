#pragma once
// What the upstream lists now beside what an index listed last: which projects have to be looked at. One pass over two
// sorted lists; nothing is asked per project. Pure.
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace dae::mirror::sync {

// The upstream's names with their serials (0: not told), in one piece of memory: there may be a million.
class UpstreamList {
 public:
  void add(std::string_view name, int64_t serial);  // normalised
  // Once, after the last add(): sorted, and each name once, with its highest serial.
  void sort();
  size_t size() const { return rows_.size(); }
  std::string_view name(size_t i) const { return std::string_view(names_).substr(rows_[i].offset, rows_[i].length); }
  int64_t serial(size_t i) const { return rows_[i].serial; }

 private:
  struct Row {
    uint32_t offset = 0;
    uint16_t length = 0;
    int64_t serial = 0;
  };
  std::string_view name(const Row& row) const { return std::string_view(names_).substr(row.offset, row.length); }
  std::string names_;
  std::vector<Row> rows_;
};

struct Task {
  enum class Kind {
    added,    // not here yet
    changed,  // here; the upstream says that it changed, or cannot say
    removed,  // here, and not listed any more
    kept,     // here and unchanged; only looked at when rules depend on the time
  };
  std::string project;
  Kind kind = Kind::changed;
  int64_t serial = 0;  // the list's; 0: not told
};

struct Difference {
  std::deque<Task> tasks;  // in order of names; whoever takes them from the front frees their memory on the way
  size_t listed = 0, kept = 0, unchanged = 0;
};

class Differ {
 public:
  // `look_at_all`: serials do not count. `with_unchanged`: those become tasks, too.
  Differ(const UpstreamList& list, bool look_at_all, bool with_unchanged)
      : list_(list), look_at_all_(look_at_all), with_unchanged_(with_unchanged) {
    out_.listed = list.size();
  }
  // What the index knows, in order of names. `present`: it lists the project, too.
  void known(std::string_view name, int64_t serial, bool present);
  Difference finish();

 private:
  void add(size_t i, Task::Kind kind);
  const UpstreamList& list_;
  bool look_at_all_, with_unchanged_;
  size_t next_ = 0;
  Difference out_;
};

}  // namespace dae::mirror::sync
