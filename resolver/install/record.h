#pragma once
// RECORD, the list of a distribution's files ("Recording installed projects", formerly PEP 376/627): CSV rows of path,
// hash and size.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dae::resolver {

struct RecordEntry {
  std::string path;  // '/' separated, relative to the directory that holds the dist-info
  std::string hash;  // "sha256=<base64url without padding>", or ""
  std::optional<uint64_t> size_bytes;
};

// Throws Error bad_input (subject = `source`) on broken CSV, sizes and duplicate paths.
std::vector<RecordEntry> parse_record(std::string_view text, std::string_view source);
std::string render_record(std::vector<RecordEntry> entries);  // sorted by path, "\n" ends each row

}  // namespace dae::resolver
