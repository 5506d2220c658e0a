#pragma once
// RECORD, the list of a distribution's files ("Recording installed projects", formerly PEP 376/627): CSV rows of path,
// hash and size.
#include <array>
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

// A row as it stands in the text, good until the next one.
struct RecordRow {
  std::string_view path, hash, size;
  size_t begin = 0;  // its place in the text
};

// Row by row, without a copy of each. `text` and `source` outlive it.
class RecordReader {
 public:
  RecordReader(std::string_view text, std::string_view source, size_t begin = 0)
      : text_(text), source_(source), at_(begin) {}
  // False at the end. Throws Error bad_input (subject = `source`) on broken CSV.
  bool next(RecordRow& row);

 private:
  std::string quoted();
  const std::string_view text_, source_;
  size_t at_;
  std::array<std::string, 3> unquoted_;
};

// Throws Error bad_input (subject = `source`) on broken CSV, sizes and duplicate paths.
std::vector<RecordEntry> parse_record(std::string_view text, std::string_view source);
std::string render_record(std::vector<RecordEntry> entries);  // sorted by path, "\n" ends each row

}  // namespace dae::resolver
