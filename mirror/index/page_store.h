#pragma once
// Upstream's pages as rows of the catalog: what each project's page said, and what was learned about its files.
#include <optional>
#include <string>
#include <vector>

#include "mirror/catalog.h"
#include "mirror/index/upstream.h"

namespace dae::mirror {

struct ProjectRow {
  int64_t id = 0;
  bool present = false;  // false: upstream said 404
  std::string etag, last_modified;
  int64_t fetched_ms = 0, fresh_until_ms = 0;
  int64_t revision = 0;  // changes with whatever the page says
};

struct FileRow {
  std::string index, project, url;
  std::optional<uint64_t> size_bytes;
  bool has_metadata = false;
  std::string metadata_sha256;        // announced
  std::string known_metadata_sha256;  // held by us
};

struct ProjectCount {
  std::string index;
  int64_t projects = 0, files = 0;
};

// Thread-safe.
class PageStore {
 public:
  explicit PageStore(Catalog& catalog) : catalog_(catalog) {}

  std::optional<ProjectRow> find(const std::string& index, const std::string& project);
  // Replaces what was known; kind `unchanged` only moves the times.
  void store(const std::string& index, const std::string& project, const UpstreamPage& page, int64_t now_ms,
             int64_t fresh_until_ms);
  void postpone(int64_t project_id, int64_t fresh_until_ms);
  // With upstream's URLs. Sizes and metadata digests that were learned are filled in.
  resolver::ProjectPage load(const ProjectRow& row, const std::string& project);
  std::vector<std::string> names(const std::string& index);
  // Every index that lists this file, by name.
  std::vector<FileRow> find_file(const Digest& digest, const std::string& name);
  void learn_size(const Digest& digest, uint64_t size_bytes);
  void learn_metadata(const Digest& digest, const Digest& metadata);
  std::vector<ProjectCount> counts();

 private:
  Catalog& catalog_;
};

}  // namespace dae::mirror
