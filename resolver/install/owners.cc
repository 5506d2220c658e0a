#include "resolver/install/owners.h"

#include "base/error.h"
#include "resolver/standards/names.h"

namespace dae::resolver {

std::string root_relative(const EnvLayout& layout, const std::string& record_path) {
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
    if (name.ends_with(".dist-info")) read_one(name);
  }
}

void Owners::read_one(const std::string& dist_info) {
  try {
    for (const RecordEntry& entry : read_installed_record(layout_, dist_info)) {
      claims_.emplace(root_relative(layout_, entry.path), Claim{dist_info, entry.hash});
    }
  } catch (const Error&) {
    // A foreign distribution with a broken RECORD claims nothing that could be known.
  }
}

std::vector<Owners::Claim> Owners::others(const std::string& root_path, const std::string& dist_info) {
  read();
  std::vector<Claim> out;
  const auto [first, last] = claims_.equal_range(root_path);
  for (auto it = first; it != last; ++it) {
    if (it->second.dist_info != dist_info && !expected_.contains(it->second.dist_info)) out.push_back(it->second);
  }
  return out;
}

void Owners::forget(const std::string& dist_info) {
  read();
  std::erase_if(claims_, [&](const auto& claim) { return claim.second.dist_info == dist_info; });
}

void Owners::expect(const std::string& dist_info) {
  expected_.insert(dist_info);
}

void Owners::learn(const std::string& dist_info) {
  expected_.erase(dist_info);
  if (!known_) return;  // the first question reads it with the others
  forget(dist_info);
  read_one(dist_info);
}

}  // namespace dae::resolver
