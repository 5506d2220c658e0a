#include "mirror/index/answer_cache.h"

#include <chrono>
#include <iterator>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "base/strings.h"

namespace dae::mirror {
namespace {

constexpr int64_t kRenewAfterMs = 1'000;
constexpr int64_t kUnusedMs = 60'000;
constexpr size_t kMostEntries = 8192, kMostDescriptors = 512;
constexpr uint64_t kMostBytes = 48u << 20;
constexpr size_t kLongestKey = 2048;

// All that an answer depends on. False: it depends on more.
bool write_key(const ServerRequest& request, std::string* key) {
  std::string_view accept, encoding;
  for (const auto& [name, value] : request.headers.fields()) {
    switch (name.size()) {
      case 6:
        if (iequals(name, "Cookie")) return false;
        if (iequals(name, "Accept") && accept.empty()) accept = value;
        break;
      case 11:
        if (iequals(name, kAccelField)) return false;
        break;
      case 13:
        if (iequals(name, "Authorization")) return false;
        break;
      case 15:
        if (iequals(name, "Accept-Encoding") && encoding.empty()) encoding = value;
        break;
    }
  }
  if (request.target.size() + accept.size() + encoding.size() > kLongestKey) return false;
  key->clear();
  key->append(request.target).append("\n").append(accept).append("\n").append(encoding);
  return true;
}

}  // namespace

AnswerCache::AnswerCache(const Catalog& catalog, const Clock& clock, Path scratch_dir, int64_t tidy_every_ms)
    : catalog_(catalog), clock_(clock), scratch_dir_(std::move(scratch_dir)), tidy_every_ms_(tidy_every_ms) {
  tidier_ = std::thread([this] { tidy(); });
}

AnswerCache::~AnswerCache() {
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake_.notify_all();
  tidier_.join();
}

std::shared_ptr<const KnownAnswer> AnswerCache::find(const ServerRequest& request) {
  thread_local std::string key;
  if (!write_key(request, &key)) return nullptr;
  const uint64_t mark = catalog_.generation();
  const int64_t now_ms = SystemClock().monotonic_ms();
  std::lock_guard lock(mutex_);
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return nullptr;
  Entry& entry = *found->second;
  if (entry.mark != mark || entry.valid_until_ms <= clock_.wall_ms()) {
    drop(found->second);
    return nullptr;
  }
  if (now_ms >= entry.renew_ms) {
    entry.renew_ms = now_ms + kRenewAfterMs;  // only this one goes the whole way
    return nullptr;
  }
  entry.used_ms = now_ms;
  recent_.splice(recent_.begin(), recent_, found->second);
  return entry.answer;
}

void AnswerCache::keep(const ServerRequest& request, const ServerResponse& response, uint64_t mark,
                       int64_t valid_until_ms) {
  Entry entry;
  if (response.status != 200 || !write_key(request, &entry.key)) return;
  try {
    entry.answer = held_for(entry.key, response);
    if (!entry.answer) entry.answer = make_known_answer(request, response, scratch_dir_);
  } catch (const Error& error) {
    log_debug("an answer is not kept", {{"path", request.path}, {"why", error.what()}});
    return;
  }
  entry.mark = mark;
  entry.valid_until_ms = valid_until_ms;
  entry.used_ms = SystemClock().monotonic_ms();
  entry.renew_ms = entry.used_ms + kRenewAfterMs;
  const uint64_t bytes = memory_bytes(*entry.answer);
  if (bytes > kMostBytes / 8) return;
  std::lock_guard lock(mutex_);
  if (const auto old = by_key_.find(entry.key); old != by_key_.end()) drop(old->second);
  held_bytes_ += bytes;
  descriptors_ += holds_descriptor(*entry.answer) ? 1 : 0;
  recent_.push_front(std::move(entry));
  by_key_[recent_.front().key] = recent_.begin();
  if (descriptors_ == 1) wake_.notify_all();
  while (recent_.size() > kMostEntries || held_bytes_ > kMostBytes || descriptors_ > kMostDescriptors) {
    drop(std::prev(recent_.end()));
  }
}

void AnswerCache::forget(const ServerRequest& request) {
  std::string key;
  if (!write_key(request, &key)) return;
  std::lock_guard lock(mutex_);
  if (const auto found = by_key_.find(key); found != by_key_.end()) drop(found->second);
}

// A file is opened anew: another may have taken its place, with bytes that were repaired.
std::shared_ptr<const KnownAnswer> AnswerCache::held_for(const std::string& key, const ServerResponse& response) {
  std::lock_guard lock(mutex_);
  const auto found = by_key_.find(key);
  if (found == by_key_.end() || !has_body_of(*found->second->answer, response)) return nullptr;
  return found->second->answer;
}

void AnswerCache::drop(Entries::iterator entry) {
  held_bytes_ -= memory_bytes(*entry->answer);
  descriptors_ -= holds_descriptor(*entry->answer) ? 1 : 0;
  by_key_.erase(entry->key);
  recent_.erase(entry);
}

size_t AnswerCache::open_files() const {
  std::lock_guard lock(mutex_);
  return descriptors_;
}

// Asking the system and closing are done without the lock: the last to close a removed file waits until the disk has
// its room back.
void AnswerCache::close_files(int64_t now_ms) {
  std::vector<std::pair<std::string, std::shared_ptr<const KnownAnswer>>> held;
  {
    std::lock_guard lock(mutex_);
    for (const Entry& entry : recent_) {
      if (holds_descriptor(*entry.answer)) held.emplace_back(entry.key, entry.answer);
    }
    for (const auto& [key, answer] : held) {
      const auto entry = by_key_.find(key);
      if (now_ms - entry->second->used_ms >= kUnusedMs) drop(entry->second);
    }
  }
  std::erase_if(held, [](const auto& one) { return !has_lost_its_file(*one.second); });
  std::lock_guard lock(mutex_);
  for (const auto& [key, answer] : held) {
    const auto entry = by_key_.find(key);
    if (entry != by_key_.end() && entry->second->answer == answer) drop(entry->second);
  }
}

void AnswerCache::tidy() {
  std::unique_lock lock(mutex_);
  while (!ending_) {
    wake_.wait(lock, [this] { return ending_ || descriptors_ > 0; });
    if (wake_.wait_for(lock, std::chrono::milliseconds(tidy_every_ms_), [this] { return ending_; })) return;
    lock.unlock();
    close_files(SystemClock().monotonic_ms());
    lock.lock();
  }
}

}  // namespace dae::mirror
