#pragma once
// Brings what was fetched into the store and the index, many projects at once: bytes first, then the pages that name
// them. Two flushes of the file system a batch instead of three for each file; killed anywhere, the next sync finds
// either the old page or the new one, and unfinished files that it goes on with.
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/blob_store.h"
#include "base/clock.h"
#include "mirror/index/page_store.h"

namespace dae::mirror::sync {

// One thread. `blobs` is opened without flushing: `flush` does it for all that was written so far.
class Publisher {
 public:
  // Called before every step that changes what is on the disk; for tests that end the process there.
  using OnStep = std::function<void(const char* step)>;
  Publisher(Catalog& catalog, PageStore& pages, BlobStore& blobs, std::function<void()> flush, std::string index,
            Clock& clock, OnStep on_step);

  // Stored, or waiting to be; and safe from a sweep from now on.
  bool holds(const Digest& digest);
  Path path(const Digest& digest) const;                           // of what it holds; may have to be fetched first
  std::optional<uint64_t> size_bytes(const Digest& digest) const;  // of what it holds
  void add_part(const Digest& digest, const Path& part);           // complete and checked
  void add_bytes(const Digest& digest, const std::string& bytes);  // of this digest
  struct Provenance {
    Digest file;
    std::string name, url;
    Digest bytes;
  };
  void add_provenance(Provenance provenance) { provenances_.push_back(std::move(provenance)); }
  struct Validators {
    std::string etag, last_modified;
  };
  void add_change(ProjectChange change, Validators validators);
  // Its serial is no longer what is listed here: the next sync looks at the project whatever the list says.
  void add_doubt(const std::string& project);
  void publish_if_due();
  void publish();

 private:
  void store_bytes();
  void note_provenances();
  void update_heads();

  Catalog& catalog_;
  PageStore& pages_;
  BlobStore& blobs_;
  std::function<void()> flush_;
  std::string index_;
  Clock& clock_;
  OnStep on_step_;
  std::map<Digest, Path> parts_;
  std::vector<Provenance> provenances_;
  std::vector<ProjectChange> changes_;
  std::map<std::string, Validators> validators_;
  std::set<std::string> doubts_;
  int64_t first_ms_ = 0;  // monotonic, of the oldest change that waits
};

}  // namespace dae::mirror::sync
