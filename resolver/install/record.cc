#include "resolver/install/record.h"

#include <algorithm>
#include <unordered_set>

#include "base/error.h"
#include "base/strings.h"

namespace dae::resolver {
namespace {

// A quoted cell of RFC 4180, `at` behind its opening quote; it leaves `at` behind what ends the cell's text.
std::string quoted_cell(std::string_view text, size_t& at, std::string_view source) {
  std::string cell;
  for (; at < text.size(); ++at) {
    if (text[at] != '"') {
      cell += text[at];
    } else if (at + 1 < text.size() && text[at + 1] == '"') {
      cell += text[++at];
    } else {
      ++at;
      return cell;
    }
  }
  throw Error(ErrorKind::bad_input, "RECORD has an open quote", std::string(source));
}

// RFC 4180 with either line end; returns false at the end of the text.
bool next_row(std::string_view text, size_t& at, std::vector<std::string>& row, std::string_view source) {
  row.clear();
  if (at >= text.size()) return false;
  while (true) {
    std::string cell;
    if (at < text.size() && text[at] == '"') cell = quoted_cell(text, ++at, source);
    const size_t end = std::min(text.find_first_of(",\n", at), text.size());
    const bool is_last = end == text.size() || text[end] == '\n';
    std::string_view rest = text.substr(at, end - at);
    if (is_last && rest.ends_with('\r')) rest.remove_suffix(1);
    cell += rest;
    row.push_back(std::move(cell));
    at = end + 1;
    if (is_last) return true;
  }
}

void append_cell(std::string& out, const std::string& cell) {
  if (cell.find_first_of(",\"\r\n") == std::string::npos) {
    out += cell;
  } else {
    out += '"' + replace_all(cell, "\"", "\"\"") + '"';
  }
}

}  // namespace

std::vector<RecordEntry> parse_record(std::string_view text, std::string_view source) {
  std::vector<RecordEntry> out;
  std::vector<std::string> row;
  size_t at = 0;
  while (next_row(text, at, row, source)) {
    if (row.size() == 1 && row[0].empty()) continue;
    if (row.size() < 3) throw Error(ErrorKind::bad_input, "RECORD has a row without three cells", std::string(source));
    RecordEntry entry{std::move(row[0]), std::move(row[1]), std::nullopt};
    if (!row[2].empty()) {
      const auto size_bytes = parse_int(row[2]);
      if (!size_bytes || *size_bytes < 0) {
        throw Error(ErrorKind::bad_input, "RECORD has a size that is no number: `" + row[2] + "`", std::string(source));
      }
      entry.size_bytes = static_cast<uint64_t>(*size_bytes);
    }
    out.push_back(std::move(entry));
  }
  std::unordered_set<std::string_view> seen;
  seen.reserve(out.size());
  for (const RecordEntry& entry : out) {
    if (!seen.insert(entry.path).second) {
      throw Error(ErrorKind::bad_input, "RECORD lists `" + entry.path + "` twice", std::string(source));
    }
  }
  return out;
}

std::string render_record(std::vector<RecordEntry> entries) {
  std::ranges::sort(entries, {}, &RecordEntry::path);
  std::string out;
  for (const RecordEntry& entry : entries) {
    append_cell(out, entry.path);
    out += ',';
    append_cell(out, entry.hash);
    out += ',';
    if (entry.size_bytes) out += std::to_string(*entry.size_bytes);
    out += '\n';
  }
  return out;
}

}  // namespace dae::resolver
