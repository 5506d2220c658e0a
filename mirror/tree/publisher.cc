#include "mirror/tree/publisher.h"

#include <algorithm>

#include "base/log.h"
#include "mirror/tree/signature.h"

namespace dae::mirror {
namespace {

constexpr int64_t kLookEveryMs = 50, kLookAtTimeEveryMs = 500, kLookAtDenyListsEveryMs = 1'000;
constexpr int64_t kTryAgainAfterMs = 5'000;
// So many are written in place. Of more, the old ones are removed first, which takes a hundredth of the time: the
// mirror answers until the new ones are there.
constexpr size_t kWrittenInPlace = 32;
constexpr size_t kBatch = 32, kMostMoves = 5'000, kMostAsked = 1'000, kMostDue = 1'000;

}  // namespace

TreePublisher::TreePublisher(const MirrorConfig& config, const TreeSource& source, const Path& blobs)
    : source_(source),
      files_(config.storage, blobs),
      signature_(tree_signature(config)),
      deny_token_(std::to_string(SystemClock().wall_ms())) {
  files_.take_off();
  for (const auto& [name, index] : source_.indexes) holders_.push_back(name);
  plan_lists();
  thread_ = std::thread([this] { run(); });
}

TreePublisher::~TreePublisher() {
  stopping_ = true;
  wake_.notify_all();
  thread_.join();
}

void TreePublisher::note_asked(const Digest& digest, const std::string& file) {
  std::lock_guard lock(mutex_);
  if (asked_.size() < kMostAsked) asked_.emplace(digest.hex(), file);
}

void TreePublisher::wait(int64_t duration_ms) {
  std::unique_lock lock(mutex_);
  wake_.wait_for(lock, std::chrono::milliseconds(duration_ms), [&] { return stopping(); });
}

// Whatever goes wrong, a full disk above all: nginx asks the mirror until all was compared again.
void TreePublisher::run() {
  while (!stopping()) {
    try {
      open();
      compare();
      if (stopping()) return;
      files_.put_on();
      while (!stopping()) {
        if (!step()) wait(kLookEveryMs);
      }
    } catch (const std::exception& error) {
      log_error("the tree for nginx cannot be written, and is off", {{"why", error.what()}});
      state_.reset();
      try {
        files_.take_off();
      } catch (const Error& off) {
        log_error("the tree for nginx cannot be taken off", {{"why", off.what()}});
      }
      wait(kTryAgainAfterMs);
    }
  }
}

void TreePublisher::open() {
  state_.reset();
  if (files_.signature() != signature_) {
    files_.clear();
    files_.set_signature(signature_);
  }
  try {
    state_.emplace(files_.state_file());
  } catch (const Error& error) {
    log_warn("what is in the tree for nginx is not known, it is made anew", {{"why", error.what()}});
    files_.clear();
    files_.set_signature(signature_);
    state_.emplace(files_.state_file());
  }
  // Before anything is read: what moves from here on is looked at again.
  generation_ = source_.catalog.generation();
  mark_ = newest_move(source_.catalog);
  allowances_ = allowance_texts(source_.catalog);
  for (const std::string& holder : holders_) {
    auto& [list, count] = denied_[holder];
    list = source_.policies.of(holder, "").policy.denied;
    ++count;
  }
  for (auto& [index, list] : lists_) {
    list.stale = true;
    list.removed = false;
  }
  drop_stale_lists();
}

bool TreePublisher::step() {
  follow_catalog();
  const int64_t now_ms = clock_.monotonic_ms();
  if (now_ms - denied_looked_ms_ >= kLookAtDenyListsEveryMs) {
    denied_looked_ms_ = now_ms;
    follow_deny_lists();
  }
  if (now_ms - due_looked_ms_ >= kLookAtTimeEveryMs) {
    due_looked_ms_ = now_ms;
    // These are where they were in the catalog: only time tells that they are others now.
    write(state_->due(source_.policies.now_ms(), kMostDue));
  }
  follow_requests();
  if (complete_) {
    write_lists();
  } else {
    write(state_->to_write(kBatch));
    drop_stale_lists();
    tell_progress();
  }
  return !complete_;
}

void TreePublisher::follow_catalog() {
  const uint64_t generation = source_.catalog.generation();
  if (generation == generation_) return;
  AllowanceTexts allowances = allowance_texts(source_.catalog);
  std::vector<std::string> projects;
  for (const auto& [key, text] : allowances) {
    const auto before = allowances_.find(key);
    if (before == allowances_.end() || before->second != text) projects.push_back(key.second);
  }
  for (const auto& [key, text] : allowances_) {
    if (!allowances.contains(key)) projects.push_back(key.second);
  }
  allowances_ = std::move(allowances);
  for (;;) {
    const auto moved = moved_since(source_.catalog, &mark_, kMostMoves);
    for (const ProjectHead& head : moved) {
      projects.push_back(head.project);
      lists_changed(head.index);
    }
    const bool all = moved.size() < kMostMoves;
    if (all) generation_ = generation;
    refresh(std::move(projects));
    projects.clear();
    if (all || stopping()) break;
  }
}

// Nothing tells which advisories changed: all projects that old and new lists name are written again.
void TreePublisher::follow_deny_lists() {
  std::set<std::string> projects;
  for (auto& [index, known] : denied_) {
    auto now = source_.policies.of(index, "").policy.denied;
    if (now == known.first) continue;
    known.first = std::move(now);
    ++known.second;
    if (known.first == nullptr) continue;
    for (const std::string& project : known.first->projects()) {
      if (state_->find(project)) projects.insert(project);
    }
    for (std::string& project : state_->denied()) projects.insert(std::move(project));
  }
  if (!projects.empty()) refresh({projects.begin(), projects.end()});
}

// Files of indexes that fetch when asked come without a word in the catalog.
void TreePublisher::follow_requests() {
  std::set<std::pair<std::string, std::string>> asked;
  {
    std::lock_guard lock(mutex_);
    asked.swap(asked_);
  }
  std::set<std::string> projects;
  for (const auto& [sha256, file] : asked) {
    if (!TreeFiles::fits_file(file) || !files_.holds(sha256, std::nullopt)) continue;
    for (const FileRow& row : source_.pages.find_file(Digest::parse(sha256), file)) {
      if (!is_marked(row.project, sha256, file)) projects.insert(row.project);
    }
  }
  write({projects.begin(), projects.end()});
}

bool TreePublisher::is_marked(const std::string& project, const std::string& sha256, const std::string& file) {
  return std::ranges::any_of(state_->marks(project),
                             [&](const TreeMark& mark) { return mark.sha256 == sha256 && mark.file == file; });
}

void TreePublisher::refresh(std::vector<std::string> projects) {
  std::ranges::sort(projects);
  projects.erase(std::unique(projects.begin(), projects.end()), projects.end());
  std::erase_if(projects, [&](const std::string& project) {
    const auto row = state_->find(project);
    return row && row->stamp == stamp(project, heads_of(source_.catalog, holders_, project));
  });
  if (projects.size() <= kWrittenInPlace) {
    write(projects);
  } else {
    outdate(projects);
  }
}

void TreePublisher::outdate(const std::vector<std::string>& projects) {
  std::vector<std::string> on_disk;
  for (const std::string& project : projects) {
    if (state_->find(project)) on_disk.push_back(project);
  }
  complete_ = complete_ && projects.empty();
  state_->outdate(projects);
  for (const std::string& project : on_disk) {
    for (const std::string& index : source_.policies.indexes())
      files_.remove_page(index, project, is_checked(source_, index));
    for (const TreeMark& mark : state_->marks(project)) files_.unlink(mark);
  }
}

void TreePublisher::write(const std::vector<std::string>& projects) {
  for (size_t i = 0; i < projects.size() && !stopping(); i += kBatch) {
    write_batch({projects.begin() + static_cast<std::ptrdiff_t>(i),
                 projects.begin() + static_cast<std::ptrdiff_t>(std::min(projects.size(), i + kBatch))});
  }
}

void TreePublisher::write_batch(const std::vector<std::string>& projects) {
  std::vector<TreeState::Writing> writings;
  std::vector<TreeContent> contents;
  for (const std::string& project : projects) {
    TreeState::Writing& writing = writings.emplace_back();
    // Before what is written: if it moves meanwhile, it is written again.
    const auto heads = heads_of(source_.catalog, holders_, project);
    writing.row = {project, stamp(project, heads), 0, is_denied(project)};
    TreeContent& content = contents.emplace_back();
    if (TreeFiles::fits(project)) content = tree_content(source_, files_, project, source_.policies.now_ms());
    if (content.next_ms != kNever) writing.row.next_ms = content.next_ms;
    writing.gone = heads.empty();
    const std::vector<TreeMark> before = state_->marks(project);
    std::ranges::set_difference(content.marks, before, std::back_inserter(writing.added));
    for (const TreeMark& mark : before) {
      const bool stays = std::ranges::any_of(
          content.marks, [&](const TreeMark& now) { return now.sha256 == mark.sha256 && now.file == mark.file; });
      if (!stays) writing.removed.push_back(mark);
    }
  }
  state_->before(writings);
  for (size_t i = 0; i < writings.size(); ++i) put(writings[i], contents[i]);
  state_->after(writings);
}

void TreePublisher::put(const TreeState::Writing& writing, const TreeContent& content) {
  const std::string& project = writing.row.project;
  for (const TreeMark& mark : writing.removed) files_.unlink(mark);
  if (!TreeFiles::fits(project)) return;
  for (const std::string& index : source_.policies.indexes()) {
    const auto page = std::ranges::find(content.pages, index, &TreePage::index);
    if (page == content.pages.end()) {
      files_.remove_page(index, project, is_checked(source_, index));
    } else {
      files_.write_page(*page, project);
    }
  }
  for (const TreeMark& mark : writing.added) files_.link(mark);
}

std::string TreePublisher::stamp(const std::string& project, const std::vector<ProjectHead>& heads) {
  if (heads.empty()) return "gone";
  std::string text;
  for (const ProjectHead& head : heads) {
    text += head.index + ":" + std::to_string(head.id) + "." + std::to_string(head.revision) + ";";
    const auto allowed = allowances_.find({head.index, project});
    if (allowed != allowances_.end()) text += allowed->second + ";";
    const auto denied = denied_.find(head.index);
    if (denied == denied_.end()) continue;
    const auto& [list, count] = denied->second;
    if (list && !list->about(project).empty()) text += "denied " + deny_token_ + "." + std::to_string(count) + ";";
  }
  return Digest::of(text).short_hex(32);
}

bool TreePublisher::is_denied(const std::string& project) const {
  return std::ranges::any_of(denied_, [&](const auto& one) {
    const auto& list = one.second.first;
    return list && !list->about(project).empty();
  });
}

std::unique_ptr<TreePublisher> publish_tree(const MirrorConfig& config, const TreeSource& source, const Path& blobs) {
  if (config.tree.enabled) return std::make_unique<TreePublisher>(config, source, blobs);
  TreeFiles::take_off(config.storage);
  return nullptr;
}

}  // namespace dae::mirror
