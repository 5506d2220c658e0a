#include "resolver/install/owners.h"

#include <algorithm>

#include "base/error.h"
#include "resolver/standards/names.h"

namespace dae::resolver {

namespace {

// Without an empty, "." or ".." part: std::filesystem takes 2 us to find out.
bool is_plain(std::string_view path) {
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view part = path.substr(begin, end - begin);
    if (part.empty() || part == "." || part == "..") return false;
    begin = end + 1;
  }
  return true;
}

}  // namespace

std::string root_relative(const EnvLayout& layout, const std::string& record_path) {
  if (is_plain(record_path)) return layout.site_packages() + "/" + record_path;
  const Path path(record_path);
  if (path.is_absolute()) {
    const std::string relative = path.lexically_normal().lexically_relative(layout.root).generic_string();
    return relative.empty() || relative.starts_with("..") ? "" : relative;
  }
  const std::string normal = (Path(layout.site_packages()) / path).lexically_normal().generic_string();
  return normal.starts_with("..") || normal == "." ? "" : normal;
}

std::string record_relative(const EnvLayout& layout, const std::string& root_path) {
  const std::string site = layout.site_packages() + "/";
  if (root_path.starts_with(site)) return root_path.substr(site.size());
  return Path(root_path).lexically_relative(layout.site_packages()).generic_string();
}

std::vector<RecordEntry> read_installed_record(const EnvLayout& layout, const std::string& dist_info) {
  const Path path = layout.root / layout.site_packages() / dist_info / "RECORD";
  const auto text = read_file_if_exists(path);
  return text ? parse_record(*text, path.string()) : std::vector<RecordEntry>();
}

std::string distribution_of(const std::string& dist_info) {
  return normalize_name(dist_info.substr(0, dist_info.find('-')));
}

void Owners::read() {
  if (known_) return;
  known_ = true;
  for (const std::string& name : list_dir(layout_.root / layout_.site_packages())) {
    if (name.ends_with(".dist-info") && !expected_.contains(name)) read_one(name);
  }
}

void Owners::read_one(const std::string& dist_info) {
  auto text = read_file_if_exists(layout_.root / layout_.site_packages() / dist_info / "RECORD");
  if (!text) return;
  std::vector<std::pair<size_t, Row>> rows;
  const auto record = records_.emplace(dist_info, std::move(*text)).first;
  try {
    RecordReader reader(record->second, dist_info);
    for (RecordRow row; reader.next(row);) rows.push_back({key_of(row.path), {&*record, row.begin}});
  } catch (const Error&) {
    return;  // a foreign distribution with a broken RECORD claims nothing that could be known
  }
  rows_.insert(rows.begin(), rows.end());
}

// Paths as RECORD has them, as most need no look at their parts.
size_t Owners::key_of(std::string_view path) const {
  constexpr std::hash<std::string_view> kHash;
  if (is_plain(path)) return kHash(path);
  const std::string inside = root_relative(layout_, std::string(path));
  return inside.empty() ? 0 : kHash(record_relative(layout_, inside));
}

std::vector<Owners::Claim> Owners::others(const std::string& root_path, const std::string& dist_info) {
  read();
  std::vector<Claim> out;
  const auto [first, last] = rows_.equal_range(key_of(record_relative(layout_, root_path)));
  for (auto it = first; it != last; ++it) {
    const auto& [owner, text] = *it->second.record;
    if (owner == dist_info) continue;
    RecordRow row;
    RecordReader(text, owner, it->second.begin).next(row);
    if (root_relative(layout_, std::string(row.path)) == root_path) out.push_back({owner, std::string(row.hash)});
  }
  return out;
}

void Owners::forget(const std::string& dist_info) {
  read();
  const auto record = records_.find(dist_info);
  if (record == records_.end()) return;
  try {
    RecordReader reader(record->second, dist_info);
    for (RecordRow row; reader.next(row);) {
      auto [it, last] = rows_.equal_range(key_of(row.path));
      while (it != last && it->second.record != &*record) ++it;
      if (it != last) rows_.erase(it);
    }
  } catch (const Error&) {
    // It claimed nothing.
  }
  records_.erase(record);
}

void Owners::expect(const std::string& dist_info) {
  expected_.insert(dist_info);
  if (known_) forget(dist_info);
}

void Owners::learn(const std::string& dist_info) {
  expected_.erase(dist_info);
  if (!known_) return;  // the first question reads it with the others
  read_one(dist_info);
}

}  // namespace dae::resolver
