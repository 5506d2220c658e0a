#include "mirror/policy/deny_watch.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/hash.h"
#include "base/log.h"

namespace dae::mirror {
namespace {

constexpr int64_t kLookEveryMs = 3'000;
constexpr size_t kMostLogged = 10;

void describe(std::string* out, const std::string& name, const FileInfo& info) {
  *out += name + "\t" + std::to_string(info.size_bytes) + "\t" + std::to_string(info.mtime_ns) + "\t" +
          std::to_string(info.inode) + "\n";
}

void log_unreadable(const std::vector<std::string>& unreadable) {
  for (size_t i = 0; i < unreadable.size() && i < kMostLogged; ++i) {
    log_warn("an advisory of the deny list cannot be read", {{"what", unreadable[i]}});
  }
}

}  // namespace

DenyWatch::DenyWatch(PolicyRules rules, const Clock& clock)
    : rules_(std::move(rules)), clock_(clock), looked_ms_(clock.monotonic_ms()), seen_(fingerprint()) {
  DenyReading reading = read_deny_list(rules_);
  if (!reading.unreadable.empty()) {
    throw Error(ErrorKind::bad_input, "the deny list cannot be read", reading.unreadable.front(),
                "mend or remove it: without it the index would serve what it should deny");
  }
  log_info("deny list read", {{"entries", std::to_string(reading.list->size())}});
  current_ = {std::move(reading.list), 1};
}

// Files are replaced rather than changed in place, mostly: the inode tells what size and time may not.
std::string DenyWatch::fingerprint() const {
  std::string out;
  for (const Path& named : rules_.deny_osv) {
    std::error_code ignored;
    const Path path = std::filesystem::weakly_canonical(named, ignored);
    const auto info = file_info(path);
    if (!info) {
      out += path.string() + "\tabsent\n";
    } else if (!info->is_dir()) {
      describe(&out, path.string(), *info);
    } else {
      for (const WalkEntry& entry : walk_tree(path)) {
        if (entry.info.is_file()) describe(&out, entry.relative, entry.info);
      }
    }
  }
  return Digest::of(out).hex();
}

DenyWatch::Current DenyWatch::current() {
  {
    std::lock_guard lock(mutex_);
    if (clock_.monotonic_ms() - looked_ms_ < kLookEveryMs) return current_;
  }
  if (std::unique_lock one(looking_, std::try_to_lock); one.owns_lock()) {
    try {
      look();
    } catch (const Error& error) {  // a folder that goes away while it is walked
      log_warn("the deny list cannot be looked at", {{"why", error.what()}});
    }
    std::lock_guard lock(mutex_);
    looked_ms_ = clock_.monotonic_ms();
  }
  std::lock_guard lock(mutex_);
  return current_;
}

void DenyWatch::look() {
  const std::string now = fingerprint();  // before reading: a change meanwhile is seen the next time
  if (now == seen_ && complete_) return;
  DenyReading reading = read_deny_list(rules_);
  const bool same_trouble = now == seen_;
  complete_ = reading.unreadable.empty();
  seen_ = now;
  if (!complete_ && same_trouble) return;
  log_unreadable(reading.unreadable);
  std::lock_guard lock(mutex_);
  if (!complete_) reading.list->add_missing(*current_.list);
  log_info("deny list read again", {{"entries", std::to_string(reading.list->size())}});
  current_ = {std::move(reading.list), current_.generation + 1};
}

}  // namespace dae::mirror
