#pragma once
// An object store in memory, for tests of what stands on one. Failures are played by hooks: one that throws before an
// operation is a request that never arrived, one that throws after it is an answer that was lost.
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "mirror/storage/object_store.h"

namespace dae::mirror::testing {

class MemoryObjects final : public ObjectStore {
 public:
  // `operation` is the name of the method; put_files() is one operation for each of its files, get_file() one.
  // Called without any lock, so a hook may use the store itself.
  using Hook = std::function<void(const std::string& operation, const std::string& key)>;

  explicit MemoryObjects(const Clock& clock) : clock_(clock) {}

  void set_before(Hook hook) { set(before_, std::move(hook)); }
  void set_after(Hook hook) { set(after_, std::move(hook)); }

  std::optional<ObjectInfo> head(const std::string& key) override {
    return run<std::optional<ObjectInfo>>("head", key, [&] { return info(key); });
  }

  std::optional<ObjectBytes> get(const std::string& key, uint64_t limit_bytes = 64ull << 20) override {
    return run<std::optional<ObjectBytes>>("get", key, [&] { return bytes(key, limit_bytes); });
  }

  Fresh get_unless(const std::string& key, const std::string& etag, uint64_t limit_bytes = 64ull << 20) override {
    return run<Fresh>("get_unless", key, [&] {
      const auto there = objects_.find(key);
      if (there != objects_.end() && there->second.etag == etag) return Fresh{true, std::nullopt};
      return Fresh{false, bytes(key, limit_bytes)};
    });
  }

  std::optional<ObjectInfo> get_file(const std::string& key, const Fetch& fetch) override {
    return run<std::optional<ObjectInfo>>("get_file", key, [&]() -> std::optional<ObjectInfo> {
      const auto there = objects_.find(key);
      if (there == objects_.end()) return std::nullopt;
      const std::string& all = there->second.bytes;
      if (fetch.stop && *fetch.stop) throw Error(ErrorKind::interrupted, "the download was given up", key);
      if (all.size() > fetch.limit_bytes) throw Error(ErrorKind::bad_input, "the object is too large", key);
      const auto begun = file_info(fetch.into);
      const uint64_t offset = begun ? begun->size_bytes : 0;
      if (offset > all.size()) throw Error(ErrorKind::verification, "the part is longer than the object", key);
      append_file(fetch.into, std::string_view(all).substr(offset));
      if (fetch.on_progress) fetch.on_progress(all.size(), all.size());
      return info(key);
    });
  }

  std::string put(const std::string& key, std::string_view bytes) override {
    return run<std::string>("put", key, [&] { return store(key, bytes); });
  }

  void put_files(const std::vector<ObjectFile>& files) override {
    for (const ObjectFile& file : files) {
      const std::string content = read_file(file.file);
      if (Digest::of(content) != file.sha256) throw Error(ErrorKind::verification, "not these bytes", file.key);
      run<std::string>("put_files", file.key, [&] { return store(file.key, content); });
    }
  }

  std::optional<std::string> put_if(const std::string& key, std::string_view bytes, const std::string& etag) override {
    return run<std::optional<std::string>>("put_if", key, [&]() -> std::optional<std::string> {
      const auto there = objects_.find(key);
      if ((there == objects_.end() ? "" : there->second.etag) != etag) return std::nullopt;
      return store(key, bytes);
    });
  }

  bool touch(const std::string& key) override {
    return run<bool>("touch", key, [&] {
      const auto there = objects_.find(key);
      if (there == objects_.end()) return false;
      there->second.modified_ms = clock_.wall_ms();
      return true;
    });
  }

  void copy(const std::string& from, const std::string& to) override {
    check_object_key(to);
    run<std::string>("copy", from, [&] {
      const auto there = objects_.find(from);
      if (there == objects_.end()) throw Error(ErrorKind::not_found, "there is no such object", from);
      return store(to, std::string(there->second.bytes));
    });
  }

  void remove(const std::string& key) override {
    run<size_t>("remove", key, [&] { return objects_.erase(key); });
  }

  void list(const std::string& prefix, const std::function<void(const ObjectInfo&)>& visit) override {
    if (Hook hook = get(before_)) hook("list", prefix);
    std::vector<ObjectInfo> found;
    {
      std::lock_guard lock(mutex_);
      for (auto it = objects_.lower_bound(prefix); it != objects_.end() && it->first.starts_with(prefix); ++it) {
        found.push_back(*info(it->first));
      }
    }
    for (const ObjectInfo& object : found) visit(object);
    if (Hook hook = get(after_)) hook("list", prefix);
  }

  // For tests that look behind the scenes.
  std::vector<std::string> keys() const {
    std::lock_guard lock(mutex_);
    std::vector<std::string> out;
    for (const auto& entry : objects_) out.push_back(entry.first);
    return out;
  }
  // As if the disk below had done it: neither etag nor time change.
  void damage(const std::string& key, std::string bytes) {
    std::lock_guard lock(mutex_);
    objects_.at(key).bytes = std::move(bytes);
  }

 private:
  struct Object {
    std::string bytes, etag;
    int64_t modified_ms = 0;
  };

  void set(Hook& place, Hook hook) {
    std::lock_guard lock(mutex_);
    place = std::move(hook);
  }
  Hook get(const Hook& place) const {
    std::lock_guard lock(mutex_);
    return place;
  }

  template <typename Result, typename Action>
  Result run(const char* operation, const std::string& key, Action&& action) {
    check_object_key(key);
    if (Hook hook = get(before_)) hook(operation, key);
    std::optional<Result> result;
    {
      std::lock_guard lock(mutex_);
      result.emplace(action());
    }
    if (Hook hook = get(after_)) hook(operation, key);
    return std::move(*result);
  }

  std::optional<ObjectInfo> info(const std::string& key) const {
    const auto there = objects_.find(key);
    if (there == objects_.end()) return std::nullopt;
    return ObjectInfo{key, there->second.etag, there->second.bytes.size(), there->second.modified_ms};
  }

  std::optional<ObjectBytes> bytes(const std::string& key, uint64_t limit_bytes) const {
    const auto there = objects_.find(key);
    if (there == objects_.end()) return std::nullopt;
    if (there->second.bytes.size() > limit_bytes) throw Error(ErrorKind::bad_input, "the object is too large", key);
    return ObjectBytes{there->second.bytes, there->second.etag};
  }

  // As S3's: the same bytes have the same etag.
  std::string store(const std::string& key, std::string_view bytes) {
    Object& object = objects_[key];
    object.bytes = bytes;
    object.etag = '"' + Digest::of(bytes).short_hex(32) + '"';
    object.modified_ms = clock_.wall_ms();
    return object.etag;
  }

  const Clock& clock_;
  mutable std::mutex mutex_;
  std::map<std::string, Object> objects_;
  Hook before_, after_;
};

}  // namespace dae::mirror::testing
