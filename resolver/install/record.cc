#include "resolver/install/record.h"

#include <algorithm>
#include <array>
#include <unordered_set>

#include "base/error.h"
#include "base/strings.h"

namespace dae::resolver {
namespace {

void append_cell(std::string& out, const std::string& cell) {
  if (cell.find_first_of(",\"\r\n") == std::string::npos) {
    out += cell;
  } else {
    out += '"' + replace_all(cell, "\"", "\"\"") + '"';
  }
}

}  // namespace

// A quoted cell of RFC 4180, `at_` behind its opening quote; leaves it behind the closing one.
std::string RecordReader::quoted() {
  std::string cell;
  for (; at_ < text_.size(); ++at_) {
    if (text_[at_] != '"') {
      cell += text_[at_];
    } else if (at_ + 1 < text_.size() && text_[at_ + 1] == '"') {
      cell += text_[++at_];
    } else {
      ++at_;
      return cell;
    }
  }
  throw Error(ErrorKind::bad_input, "RECORD has an open quote", std::string(source_));
}

bool RecordReader::next(RecordRow& row) {
  std::array<std::string_view, 3> cells;
  for (size_t count = 0; at_ < text_.size() || count != 0;) {
    if (count == 0) row.begin = at_;
    std::string unquoted;
    const bool is_quoted = at_ < text_.size() && text_[at_] == '"';
    if (is_quoted) {
      ++at_;
      unquoted = quoted();
    }
    const size_t end = std::min(text_.find_first_of(",\n", at_), text_.size());
    const bool is_last = end == text_.size() || text_[end] == '\n';
    std::string_view cell = text_.substr(at_, end - at_);
    if (is_last && cell.ends_with('\r')) cell.remove_suffix(1);
    if (count < cells.size()) {
      if (is_quoted) cell = unquoted_[count] = unquoted.append(cell);
      cells[count] = cell;
    }
    ++count;
    at_ = end + 1;
    if (!is_last) continue;
    if (count == 1 && cell.empty() && !is_quoted) {  // an empty line
      count = 0;
      continue;
    }
    if (count < cells.size()) {
      throw Error(ErrorKind::bad_input, "RECORD has a row without three cells", std::string(source_));
    }
    row.path = cells[0];
    row.hash = cells[1];
    row.size = cells[2];
    return true;
  }
  return false;
}

std::vector<RecordEntry> parse_record(std::string_view text, std::string_view source) {
  std::vector<RecordEntry> out;
  RecordReader reader(text, source);
  for (RecordRow row; reader.next(row);) {
    RecordEntry entry{std::string(row.path), std::string(row.hash), std::nullopt};
    if (!row.size.empty()) {
      const auto size_bytes = parse_int(row.size);
      if (!size_bytes || *size_bytes < 0) {
        throw Error(ErrorKind::bad_input, "RECORD has a size that is no number: `" + std::string(row.size) + "`",
                    std::string(source));
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
