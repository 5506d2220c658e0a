#include "mirror/site/survey.h"

#include <algorithm>

namespace dae::mirror {
namespace {

// 5,000 rows take about two milliseconds.
constexpr int64_t kNamesAtOnce = 5000;

std::vector<std::string> index_names(Catalog& catalog) {
  return catalog.read([](Database& db) {
    std::vector<std::string> out;
    // One step of the table's own order for each index, not one for each project.
    Statement next = db.prepare("SELECT min(index_name) FROM projects WHERE index_name > ?");
    for (std::string last;;) {
      next.bind(1, last);
      if (!next.step() || next.is_null(0)) return out;
      out.push_back(last = next.text(0));
      next.reset();
    }
  });
}

// False: these were the last.
bool read_names(Catalog& catalog, const std::string& index, std::string& last, NameList& out) {
  return catalog.read([&](Database& db) {
    Statement rows =
        db.prepare("SELECT name, document <> '' FROM projects WHERE index_name = ? AND name > ? ORDER BY name LIMIT ?");
    rows.bind(1, index).bind(2, last).bind(3, kNamesAtOnce);
    int64_t count = 0;
    while (rows.step()) {
      ++count;
      last = rows.text(0);
      if (rows.integer(1) != 0) out.add(last);
    }
    return count == kNamesAtOnce;
  });
}

// Digests are spread evenly: 256 parts of the table are about as large as each other.
void count_files(Catalog& catalog, std::map<std::string, int64_t>& files) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (int part = 0; part < 256; ++part) {
    const std::string from{kDigits[static_cast<size_t>(part / 16)], kDigits[static_cast<size_t>(part % 16)]};
    catalog.read([&](Database& db) {
      Statement rows =
          db.prepare("SELECT index_name, count(*) FROM places WHERE sha256 >= ? AND sha256 < ? GROUP BY index_name");
      rows.bind(1, from).bind(2, from + "g");
      while (rows.step()) files[rows.text(0)] += rows.integer(1);
    });
  }
}

}  // namespace

void NameList::add(std::string_view name) {
  starts_.push_back(static_cast<uint32_t>(text_.size()));
  text_.append(name).append(1, '\n');
}

std::string_view NameList::at(size_t position) const {
  const size_t start = starts_.at(position);
  const size_t end = position + 1 < starts_.size() ? starts_[position + 1] : text_.size();
  return std::string_view(text_).substr(start, end - start - 1);
}

size_t NameList::lower_bound(std::string_view text) const {
  size_t low = 0, high = starts_.size();
  while (low < high) {
    const size_t middle = (low + high) / 2;
    if (at(middle) < text) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

bool NameList::has(std::string_view name) const {
  const size_t found = lower_bound(name);
  return found < starts_.size() && at(found) == name;
}

std::pair<size_t, size_t> NameList::with_prefix(std::string_view text) const {
  const size_t first = lower_bound(text);
  // No name has a byte of 0xff.
  return {first, text.empty() ? starts_.size() : lower_bound(std::string(text) + '\xff')};
}

std::vector<uint32_t> NameList::with_inside(std::string_view text) const {
  std::vector<uint32_t> out;
  if (text.empty() || text.find('\n') != std::string_view::npos) return out;
  const std::string_view all = text_;
  for (size_t found = all.find(text); found != std::string_view::npos;) {
    const auto after = std::upper_bound(starts_.begin(), starts_.end(), found);
    const auto position = static_cast<uint32_t>(after - starts_.begin() - 1);
    if (!at(position).starts_with(text)) out.push_back(position);
    // On with the next name.
    if (after == starts_.end()) break;
    found = all.find(text, *after);
  }
  return out;
}

Survey survey(Catalog& catalog) {
  Survey out;
  for (const std::string& index : index_names(catalog)) {
    NameList& names = out.names[index];
    for (std::string last; read_names(catalog, index, last, names);) {
    }
  }
  count_files(catalog, out.files);
  return out;
}

}  // namespace dae::mirror
