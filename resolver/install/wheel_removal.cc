#include "resolver/install/wheel_removal.h"

#include <algorithm>

#include "base/error.h"
#include "resolver/install/record.h"
#include "resolver/install/venv.h"

namespace dae::resolver {
namespace {

// What an interpreter may have compiled by itself from modules that go: "pkg/__pycache__/a.*.pyc" of "pkg/a.py".
using RemovedModules = std::map<Path, std::set<std::string>>;  // __pycache__ -> stems

void remove_bytecode(const RemovedModules& modules) {
  for (const auto& [cache, stems] : modules) {
    // In an environment of links this too may be one, into the store of somebody else.
    if (const auto info = file_info(cache); !info || !info->is_dir()) continue;
    for (const std::string& name : list_dir(cache)) {
      if (name.ends_with(".pyc") && stems.contains(name.substr(0, name.find('.')))) remove_file(cache / name);
    }
  }
}

}  // namespace

// What the removal of one wheel has seen.
struct WheelRemover::Work {
  std::vector<Relink> relink;
  std::set<Path> dirs;  // that may be empty now
  std::set<std::string> links;
  RemovedModules modules;
};

void sweep_temporary_files(const Path& dir) {
  for (const std::string& name : list_dir(dir)) {
    if (name.starts_with(".dae-") && name.ends_with(".tmp")) remove_all(dir / name);
  }
}

WheelRemover::WheelRemover(const EnvLayout& layout, const StorePaths& store, Owners& owners, bool repair)
    : layout_(layout),
      store_(store),
      store_root_(std::filesystem::absolute(store.unpacked).lexically_normal().string() + "/"),
      owners_(owners),
      repair_(repair) {}

std::vector<std::string> WheelRemover::targets_and_hashes(const InstalledPackage& package, bool unfinished,
                                                          std::map<std::string, std::string>& hashes) const {
  const Path own = layout_.root / layout_.site_packages() / package.dist_info / "RECORD";
  std::vector<std::string> out;
  auto text = read_file_if_exists(own);
  if (!text && !unfinished) {
    // Whatever tag it was unpacked for: the files are the same.
    for (const std::string& name : list_dir(store_.unpacked)) {
      if (!name.starts_with(package.digest)) continue;
      text = read_file_if_exists(store_.unpacked / name / "site" / package.dist_info / "RECORD");
      if (text) break;
    }
    if (!text) {
      throw Error(ErrorKind::refused, "its RECORD is lost, so what belongs to it is not known", package.name,
                  "remove the environment `" + layout_.root.string() + "`; the next install makes it anew");
    }
  }
  if (!text) return out;
  for (RecordEntry& entry : parse_record(*text, own.string())) {
    std::string target = root_relative(layout_, entry.path);
    if (target.empty()) continue;  // an environment is not to be trusted with paths outside of it
    hashes[target] = std::move(entry.hash);
    out.push_back(std::move(target));
  }
  return out;
}

const std::string& WheelRemover::first_link_above(const std::string& target) {
  static const std::string kNone;
  const size_t slash = target.rfind('/');
  const std::string dir = slash == std::string::npos ? "" : target.substr(0, slash);
  // Where the environment itself stands, links are its owner's business.
  if (dir.empty() || layout_.site_packages().starts_with(dir)) return kNone;
  const auto known = links_above_.find(dir);
  if (known != links_above_.end()) return known->second;
  std::string found = first_link_above(dir);
  if (found.empty()) {
    if (const auto info = file_info(layout_.root / dir); info && info->is_symlink()) found = dir;
  }
  return links_above_[dir] = found;
}

bool WheelRemover::leads_to_entry(const std::string& link, const std::string& digest) const {
  if (digest.empty()) return false;  // not of the store
  const auto target = read_link(layout_.root / link);
  return target && target->starts_with(store_root_ + digest);
}

void WheelRemover::remove_one(const std::string& target, const std::string& hash, const InstalledPackage& package,
                              Work& work) {
  if (package.digest.empty() && is_part_of_venv(layout_, target)) return;
  if (const std::string& link = first_link_above(target); !link.empty()) {
    if (leads_to_entry(link, package.digest)) work.links.insert(link);
    return;
  }
  const std::vector<Owners::Claim> claims = owners_.others(target, package.dist_info);
  if (!claims.empty()) {
    const bool other_bytes = !hash.empty() && claims.back().hash != hash;
    if (other_bytes || leads_to_entry(target, package.digest)) {
      work.relink.push_back({claims.back().dist_info, target});
    }
    return;
  }
  const Path path = layout_.root / target;
  if (const auto info = file_info(path); info && info->is_dir()) return;
  remove_file(path);
  work.dirs.insert(path.parent_path());
  if (!target.ends_with(".py")) return;
  // That of ".py" is called "py.….pyc" (importlib.util.cache_from_source).
  const std::string stem = path.filename() == ".py" ? "py" : path.stem().string();
  work.modules[path.parent_path() / "__pycache__"].insert(stem);
}

std::vector<WheelRemover::Relink> WheelRemover::remove(const InstalledPackage& package, bool unfinished) {
  links_above_.clear();
  const std::string info_target = layout_.site_packages() + "/" + package.dist_info;
  const std::string record_target = info_target + "/RECORD";
  const Path info_dir = layout_.root / info_target;
  Work work;
  std::map<std::string, std::string> hashes;
  for (const std::string& target : targets_and_hashes(package, unfinished, hashes)) {
    if (target != record_target) remove_one(target, hashes[target], package, work);
  }
  remove_bytecode(work.modules);
  for (const auto& [cache, stems] : work.modules) {
    // A link to bytecode alone, of a module at the top.
    const std::string link = cache.lexically_relative(layout_.root).generic_string();
    if (leads_to_entry(link, package.digest)) work.links.insert(link);
    work.dirs.insert(cache);
  }
  const bool info_is_link = work.links.erase(info_target) != 0;
  for (const std::string& link : work.links) {
    remove_file(layout_.root / link);
    work.dirs.insert((layout_.root / link).parent_path());
  }
  if (repair_) std::ranges::for_each(work.dirs, sweep_temporary_files);
  remove_empty_dirs(work.dirs);
  if (info_is_link || leads_to_entry(info_target, package.digest)) {
    remove_file(info_dir);
  } else {
    if (repair_) sweep_temporary_files(info_dir);
    remove_file(layout_.root / record_target);
    remove_empty_dirs({info_dir});
  }
  owners_.forget(package.dist_info);
  return std::move(work.relink);
}

void WheelRemover::remove_empty_dirs(const std::set<Path>& dirs) const {
  const Path site = layout_.root / layout_.site_packages();
  const std::set<Path> keep{layout_.root, layout_.root / "bin", layout_.root / "include", layout_.root / "lib",
                            site,         site.parent_path()};
  std::set<Path> all;
  for (Path dir : dirs) {
    while (!keep.contains(dir) && dir != dir.parent_path() && all.insert(dir).second) dir = dir.parent_path();
  }
  // Children sort behind their parents.
  for (auto it = all.rbegin(); it != all.rend(); ++it) {
    const auto info = file_info(*it);
    if (info && info->is_dir() && list_dir(*it).empty()) remove_all(*it);
  }
}

}  // namespace dae::resolver
