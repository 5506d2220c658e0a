#include "resolver/install/obstacles.h"

#include <algorithm>
#include <map>

#include "base/error.h"
#include "resolver/install/wheel_check.h"

namespace dae::resolver {

Obstacles::Obstacles(const EnvLayout& layout, const StorePaths& store, Owners& owners, std::vector<std::string> leaving)
    : layout_(layout),
      store_(std::filesystem::absolute(store.unpacked).lexically_normal().string() + "/"),
      owners_(owners),
      leaving_(std::move(leaving)),
      root_(Dir::open(layout.root)) {}

void Obstacles::check(const WheelToInstall& wheel, const StoredWheel& stored) {
  for (const StoredWheel::Top& top : stored.tops) {
    const std::string target = layout_.site_packages() + "/" + top.name;
    if (const auto info = root_.info(target.c_str()); info && !leads_into_store(target)) check_below(stored, top.name);
  }
  for (const StoredWheel::DataFile& file : stored.data) {
    if (!file.rewrite) check_file(file.target, stored.dist_info, file.hash);
  }
  for (const GeneratedFile& file : generated_files(wheel, stored, layout_)) {
    check_file(file.target, stored.dist_info, file.hash);
  }
}

void Obstacles::check_below(const StoredWheel& stored, const std::string& top) {
  const auto is_below = [&](std::string_view name) {
    return name.starts_with(top) && (name.size() == top.size() || name[top.size()] == '/');
  };
  const std::string site = layout_.site_packages() + "/";
  const Path record = stored.site() / stored.dist_info / "RECORD";
  std::map<std::string, std::string> hashes;
  for (RecordEntry& row : parse_record(read_file(record), record.string())) hashes[row.path] = std::move(row.hash);
  const StoredFiles lists = read_stored_files(stored);
  for (const std::string name : lists.dirs) {
    if (!is_below(name)) continue;
    const auto info = root_.info((site + name).c_str());
    if (info && info->is_file() && is_nobodys(site + name, stored.dist_info)) refuse(site + name);
  }
  for (const std::string name : lists.files) {
    if (is_below(name) && !hashes[name].empty()) check_file(site + name, stored.dist_info, hashes[name]);
  }
}

void Obstacles::check_file(const std::string& target, const std::string& dist_info, const std::string& hash) {
  const auto info = root_.info(target.c_str());
  if (!info || info->is_dir() || leads_into_store(target) || !is_nobodys(target, dist_info)) return;
  const Path path = layout_.root / target;
  if (!exists(path) || "sha256=" + digest_base64url(sha256_file(path)) != hash) refuse(target);
}

// The RECORDs of all others are read only for what is not about to leave: an update needs those of what it updates.
bool Obstacles::is_nobodys(const std::string& target, const std::string& dist_info) {
  if (!leaving_targets_) {
    leaving_targets_.emplace();
    for (const std::string& name : leaving_) {
      for (const RecordEntry& row : read_installed_record(layout_, name)) {
        leaving_targets_->insert(root_relative(layout_, row.path));
      }
    }
  }
  return !leaving_targets_->contains(target) && owners_.others(target, dist_info).empty();
}

bool Obstacles::leads_into_store(const std::string& target) const {
  const auto leads_to = root_.read_link(target.c_str());
  return leads_to && leads_to->starts_with(store_);
}

void Obstacles::refuse(const std::string& target) const {
  throw Error(ErrorKind::refused, "a file that dae did not install is in the way", (layout_.root / target).string(),
              "remove it, or the environment as a whole; the next install makes it anew");
}

}  // namespace dae::resolver
