#pragma once
// A storage with pages and blobs, without a server, for verify, gc and status.
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "mirror/care/verify.h"

namespace dae::mirror::testing {

class RecordedEvents final : public EventSink {
 public:
  void emit(const Event& event) override {
    std::lock_guard lock(mutex_);
    if (event.type == EventType::warning) warnings.push_back(event.text);
  }
  std::vector<std::string> warnings;

 private:
  std::mutex mutex_;
};

struct CareBench {
  CareBench() {
    config.indexes = {IndexConfig{.name = "pypi"}};
    config.indexes.push_back(IndexConfig{.name = "whole", .upstream = "http://127.0.0.1:1/simple/", .mode = "sync"});
  }

  // The bytes go into the store, and the index lists them.
  Digest list(const std::string& index, const std::string& project, const std::map<std::string, std::string>& files,
              const std::string& url_root = "http://127.0.0.1:1/files/") {
    ProjectChange change;
    change.project = project;
    change.document.emplace();
    Digest last;
    for (const auto& [name, bytes] : files) {
      last = blobs->put(bytes);
      resolver::IndexFile file;
      file.name = name;
      file.sha256 = last.hex();
      file.size_bytes = bytes.size();
      if (!url_root.empty()) file.url = url_root + name;
      change.document->page.files.push_back(file);
    }
    pages.apply(index, {change}, clock.wall_ms(), "test");
    return last;
  }
  void remove_project(const std::string& index, const std::string& project) {
    pages.apply(index, {{.project = project, .document = std::nullopt}}, clock.wall_ms(), "test");
  }
  // As if it had been put this long before the clock's present.
  void age(const Digest& digest, int64_t age_ms) {
    const auto machine_ms = SystemClock().wall_ms();
    const auto back = std::chrono::milliseconds(machine_ms - clock.wall_ms() + age_ms);
    std::filesystem::last_write_time(blobs->path(digest), std::filesystem::file_time_type::clock::now() - back);
  }
  void damage(const Digest& digest, const std::string& bytes = "something else") {
    remove_file(blobs->path(digest));
    write_file_atomic(blobs->path(digest), bytes);
  }
  CareScope scope() { return {config, catalog, pages, *blobs, clock, events, stop}; }

  TempDir dir;
  MirrorConfig config = default_mirror_config(dir.path() / "storage");
  ManualClock clock{SystemClock().wall_ms()};
  RecordedEvents events;
  Catalog catalog{config.storage / "catalog.db"};
  PageStore pages{catalog};
  std::unique_ptr<BlobStore> blobs = open_blob_store(config.storage / "blobs", Durability::none);
  std::function<bool()> stop = [] { return false; };
};

}  // namespace dae::mirror::testing
