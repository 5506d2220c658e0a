#pragma once
// Keeps the tree equal to what the mirror would answer: a thread of its own looks at the catalog, the deny lists and
// the time, and writes what changed. Costs what changed, not what there is; only a start compares all.
#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "mirror/mirror.h"
#include "mirror/tree/content.h"
#include "mirror/tree/heads.h"
#include "mirror/tree/state.h"

namespace dae::mirror {

// The tree is off while it could be behind: from the construction until all was compared, and after any failure. With
// it off, and for whatever is not in it, nginx asks the mirror.
class TreePublisher {
 public:
  // All outlive it.
  TreePublisher(const MirrorConfig& config, const TreeSource& source, const Path& blobs);
  ~TreePublisher();
  // nginx had to ask for this file, and the mirror had it. Any thread; waits for nothing.
  void note_asked(const Digest& digest, const std::string& file);

 private:
  struct ListState {
    bool stale = true, removed = false;
    int64_t cost_ms = 0, not_before_ms = 0;  // monotonic
  };

  void run();
  void open();
  void compare();
  bool step();
  void follow_catalog();
  void follow_deny_lists();
  void follow_requests();
  bool is_marked(const std::string& project, const std::string& sha256, const std::string& file);
  void refresh(std::vector<std::string> projects);
  void outdate(const std::vector<std::string>& projects);
  void write(const std::vector<std::string>& projects);
  void write_batch(const std::vector<std::string>& projects);
  void put(const TreeState::Writing& writing, const TreeContent& content);
  void plan_lists();
  void lists_changed(const std::string& holder);
  void drop_list(const std::string& index, ListState* list);
  void drop_stale_lists();
  void write_lists();
  void tell_progress();

  std::string stamp(const std::string& project, const std::vector<ProjectHead>& heads);
  bool is_denied(const std::string& project) const;
  bool stopping() const { return stopping_.load(); }
  void wait(int64_t duration_ms);

  const TreeSource source_;
  const TreeFiles files_;
  const std::string signature_;
  const std::string deny_token_;      // of this process: deny lists have no name that outlives it
  SystemClock clock_;                 // of the waiting; the mirror's own time is the policies'
  std::vector<std::string> holders_;  // indexes that are no overlays
  std::optional<TreeState> state_;
  MoveMark mark_;
  uint64_t generation_ = 0;
  AllowanceTexts allowances_;
  std::map<std::string, std::pair<std::shared_ptr<const DenyList>, uint64_t>> denied_;  // by index, with a count
  int64_t denied_looked_ms_ = 0, due_looked_ms_ = 0, told_ms_ = 0;                      // monotonic
  std::map<std::string, ListState> lists_;                           // of indexes whose lists are files
  std::map<std::string, std::vector<std::string>> lists_by_holder_;  // those that change with an index
  bool complete_ = false;                                            // nothing is waiting to be written
  bool told_ = false;                                                // somebody reads that it is not

  std::mutex mutex_;
  std::condition_variable wake_;
  std::set<std::pair<std::string, std::string>> asked_;  // sha256, file
  std::atomic<bool> stopping_{false};
  std::thread thread_;  // last: uses all of the above
};

// The publisher if mirror.yaml wants one. If not, nginx finds nothing of an earlier one.
std::unique_ptr<TreePublisher> publish_tree(const MirrorConfig& config, const TreeSource& source, const Path& blobs);

}  // namespace dae::mirror
