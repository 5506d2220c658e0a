#pragma once
// `catalog/head`, the one object of a shared storage that is ever replaced: which state all copies of the catalog are
// to come to. Format: share/doc/formats/shared-storage.md.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace dae::mirror {

struct CatalogBase {
  int64_t sequence = 0;  // 0: there is none, an empty catalog
  std::string sha256;
  uint64_t size_bytes = 0;
  int64_t log_bytes = 0;  // of the whole log up to it
};

struct CatalogHead {
  int64_t schema = 0;    // the catalog's `user_version`
  int64_t sequence = 0;  // of the last entry of the log; they count from 1
  int64_t fence = 0;     // of the lease that it was written under
  int64_t made_ms = 0;
  std::string writer;  // host and process, for people
  std::string lease;   // which lease writers hold
  CatalogBase base;
  int64_t log_bytes = 0;            // of the whole log, since the beginning
  std::vector<std::string> recent;  // sha256 of the last entries of the log, the last one last

  std::string last() const { return recent.empty() ? "" : recent.back(); }
};

std::string write_head(const CatalogHead& head);
// Throws Error bad_input, subject = `source`.
CatalogHead parse_head(std::string_view text, const std::string& source);

// One entry of the log: `catalog/log/<sequence>-<sha256 of these bytes>`, a line of JSON and a gzipped changeset.
struct LogEntry {
  int64_t schema = 0, sequence = 0;
  std::string previous;  // sha256 of the entry before; "" for the first
  std::string changes;
};
std::string write_entry(const LogEntry& entry);
LogEntry parse_entry(std::string_view bytes, const std::string& source);  // throws Error bad_input

std::string log_key(int64_t sequence, const std::string& sha256);
std::string base_key(const CatalogBase& base);

}  // namespace dae::mirror
