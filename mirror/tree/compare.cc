// The half of TreePublisher that looks at everything: once, when it starts.
#include <algorithm>

#include "base/log.h"
#include "mirror/tree/publisher.h"

namespace dae::mirror {
namespace {

constexpr size_t kRead = 2'000;
constexpr int64_t kTellEveryMs = 10'000;
constexpr size_t kRemoved = 500;

// Things with names, in their order, read a few thousand at a time.
template <typename Thing>
class Cursor {
 public:
  using Read = std::function<std::vector<Thing>(const std::string& after)>;
  explicit Cursor(Read read) : read_(std::move(read)) {}
  // nullptr: no more.
  const Thing* peek() {
    if (at_ < things_.size()) return &things_[at_];
    if (ended_) return nullptr;
    things_ = read_(after_);
    at_ = 0;
    ended_ = things_.size() < kRead;
    if (things_.empty()) return nullptr;
    after_ = things_.back().project;
    return &things_[0];
  }
  void next() { ++at_; }

 private:
  Read read_;
  std::vector<Thing> things_;
  size_t at_ = 0;
  std::string after_;
  bool ended_ = false;
};

}  // namespace

// Two sorted walks side by side, so that nothing of the size of the index is in memory. What differs goes from the disk
// at once: the tree is on before all of it is written again.
void TreePublisher::compare() {
  std::vector<Cursor<ProjectHead>> heads;
  for (const std::string& holder : holders_) {
    heads.emplace_back(
        [this, holder](const std::string& after) { return heads_after(source_.catalog, holder, after, kRead); });
  }
  Cursor<TreeRow> rows([this](const std::string& after) { return state_->rows_after(after, kRead); });
  std::vector<std::string> differing;
  size_t seen = 0;
  for (;;) {
    const TreeRow* row = rows.peek();
    const std::string* first = row == nullptr ? nullptr : &row->project;
    for (auto& cursor : heads) {
      const ProjectHead* head = cursor.peek();
      if (head != nullptr && (first == nullptr || head->project < *first)) first = &head->project;
    }
    if (first == nullptr || stopping()) break;
    const std::string project = *first;
    std::vector<ProjectHead> here;
    for (auto& cursor : heads) {
      if (const ProjectHead* head = cursor.peek(); head != nullptr && head->project == project) {
        here.push_back(*head);
        cursor.next();
      }
    }
    std::string written = "none";
    if (row != nullptr && row->project == project) {
      written = row->stamp;
      rows.next();
    }
    ++seen;
    if (written != stamp(project, here)) differing.push_back(project);
    if (differing.size() == kRemoved) {
      outdate(differing);
      differing.clear();
    }
  }
  outdate(differing);
  const size_t to_write = state_->count_to_write();
  log_info("tree for nginx compared", {{"projects", std::to_string(seen)}, {"to write", std::to_string(to_write)}});
  complete_ = false;
  told_ = true;
  told_ms_ = clock_.monotonic_ms();
}

void TreePublisher::tell_progress() {
  const int64_t now_ms = clock_.monotonic_ms();
  complete_ = state_->to_write(1).empty();
  if (complete_) {
    // Of a sync each batch comes here.
    log(told_ ? LogLevel::info : LogLevel::debug, "tree for nginx is complete");
    told_ = false;
  } else if (now_ms - told_ms_ >= kTellEveryMs) {
    told_ms_ = now_ms;
    told_ = true;
    log_info("tree for nginx is being written", {{"projects left", std::to_string(state_->count_to_write())}});
  }
}

}  // namespace dae::mirror
