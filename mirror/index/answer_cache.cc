#include "mirror/index/answer_cache.h"

#include <iterator>

#include "base/error.h"
#include "base/log.h"
#include "base/strings.h"

namespace dae::mirror {
namespace {

constexpr int64_t kRenewAfterMs = 1'000;
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
  entry.renew_ms = SystemClock().monotonic_ms() + kRenewAfterMs;
  const uint64_t bytes = memory_bytes(*entry.answer);
  if (bytes > kMostBytes / 8) return;
  std::lock_guard lock(mutex_);
  if (const auto old = by_key_.find(entry.key); old != by_key_.end()) drop(old->second);
  held_bytes_ += bytes;
  descriptors_ += holds_descriptor(*entry.answer) ? 1 : 0;
  recent_.push_front(std::move(entry));
  by_key_[recent_.front().key] = recent_.begin();
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

}  // namespace dae::mirror
