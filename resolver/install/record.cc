#include "resolver/install/record.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/strings.h"

namespace dae::resolver {
namespace {

// RFC 4180 with either line end; returns false at the end of the text.
bool next_row(std::string_view text, size_t& at, std::vector<std::string>& row, std::string_view source) {
  row.clear();
  if (at >= text.size()) return false;
  std::string cell;
  bool quoted = false;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (quoted) {
      if (c != '"') {
        cell += c;
      } else if (at + 1 < text.size() && text[at + 1] == '"') {
        cell += text[++at];
      } else {
        quoted = false;
      }
    } else if (c == '"' && cell.empty()) {
      quoted = true;
    } else if (c == ',') {
      row.push_back(std::move(cell));
      cell.clear();
    } else if (c == '\n') {
      break;
    } else if (c != '\r' || (at + 1 < text.size() && text[at + 1] != '\n')) {
      cell += c;
    }
  }
  if (quoted) throw Error(ErrorKind::bad_input, "RECORD has an open quote", std::string(source));
  ++at;
  row.push_back(std::move(cell));
  return true;
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
  std::set<std::string> seen;
  std::vector<std::string> row;
  size_t at = 0;
  while (next_row(text, at, row, source)) {
    if (row.size() == 1 && row[0].empty()) continue;
    if (row.size() < 3) throw Error(ErrorKind::bad_input, "RECORD has a row without three cells", std::string(source));
    RecordEntry entry{row[0], row[1], std::nullopt};
    if (!row[2].empty()) {
      const auto size_bytes = parse_int(row[2]);
      if (!size_bytes || *size_bytes < 0) {
        throw Error(ErrorKind::bad_input, "RECORD has a size that is no number: `" + row[2] + "`", std::string(source));
      }
      entry.size_bytes = static_cast<uint64_t>(*size_bytes);
    }
    if (!seen.insert(entry.path).second) {
      throw Error(ErrorKind::bad_input, "RECORD lists `" + entry.path + "` twice", std::string(source));
    }
    out.push_back(std::move(entry));
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
