#pragma once
// What a sync would do, or did: for people and as JSON.
#include <cstdint>
#include <string>
#include <vector>

#include "base/value.h"

namespace dae::mirror::sync {

struct ProjectReport {
  std::string project, what;  // "new", "changed", "removed", "unchanged"
  size_t files = 0;           // to fetch
  uint64_t bytes = 0;         // of those whose size is told
  size_t unknown_sizes = 0;
  std::vector<std::string> gone;  // files that were listed and will not be
};

struct Failure {
  std::string project, file, why;  // no file: the page
};

struct SyncReport {
  std::string index, upstream;
  bool plan = false, by_serials = false, interrupted = false;
  size_t listed = 0, unchanged = 0;
  size_t new_projects = 0, changed = 0, removed = 0;
  size_t files = 0, unknown_sizes = 0, gone = 0;  // files to fetch, or fetched; files that went away
  uint64_t bytes = 0;
  size_t left_out = 0;  // files that the filter dropped, of the projects that were looked at
  int64_t duration_ms = 0;
  bool lists_projects = true;           // false: only counts are wanted
  std::vector<ProjectReport> projects;  // what changes, by name; at most kMostProjects of them
  std::vector<Failure> failures;        // by project and file

  static constexpr size_t kMostProjects = 10'000;
  void add(ProjectReport project);
  void sort();
};

Value to_value(const SyncReport& report);
Value counts_of(const SyncReport& report);      // the same without projects and failures
std::string render(const SyncReport& report);   // the plan, or what was done: lines
std::string summary(const SyncReport& report);  // in one line, for the list of runs

}  // namespace dae::mirror::sync
