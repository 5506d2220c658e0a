#include "resolver/install/wheel_removal.h"

#include <algorithm>

#include "base/error.h"
#include "resolver/install/record.h"
#include "resolver/install/venv.h"
#include "resolver/install/wheel_check.h"

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

// `hash` as in RECORD, which need not say.
bool has_contents(const Path& path, const std::string& hash) {
  return hash.empty() || "sha256=" + digest_base64url(sha256_file(path)) == hash;
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
    : layout_(layout), store_(store), owners_(owners), repair_(repair) {}

std::vector<RecordEntry> WheelRemover::targets(const InstalledPackage& package, bool unfinished) const {
  const Path own = layout_.root / layout_.site_packages() / package.dist_info / "RECORD";
  std::vector<RecordEntry> out;
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
    entry.path = root_relative(layout_, entry.path);
    // An environment is not to be trusted with paths outside of it.
    if (!entry.path.empty()) out.push_back(std::move(entry));
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
  // In whichever store: nothing but an entry has such a name, and the store may have moved.
  return target && !digest.empty() && target->find("/" + digest + "-") != std::string::npos;
}

// What a user made of a file that both have stays, except where a killed run may have left half of it.
bool WheelRemover::has_to_be_linked(const RecordEntry& entry, const Owners::Claim& claim,
                                    const std::string& digest) const {
  const Path path = layout_.root / entry.path;
  if (leads_to_entry(entry.path, digest) || !exists(path)) return true;
  const bool is_file = !std::filesystem::is_directory(path);
  return is_file && (repair_ || entry.hash != claim.hash) && !has_contents(path, claim.hash);
}

void WheelRemover::remove_one(const RecordEntry& entry, const InstalledPackage& package, Work& work) {
  const std::string& target = entry.path;
  if (package.digest.empty() && is_part_of_venv(layout_, target)) return;
  if (const std::string& link = first_link_above(target); !link.empty()) {
    if (leads_to_entry(link, package.digest)) work.links.insert(link);
    return;
  }
  const std::vector<Owners::Claim> claims = owners_.others(target, package.dist_info);
  if (!claims.empty()) {
    // Of several the last name's is the one that stays, as in Conflicts.
    const auto& claim =
        *std::ranges::max_element(claims, {}, [](const Owners::Claim& one) { return distribution_of(one.dist_info); });
    if (has_to_be_linked(entry, claim, package.digest)) work.relink.push_back({claim.dist_info, target});
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
  Work work;
  for (const RecordEntry& entry : targets(package, unfinished)) {
    if (entry.path != record_target) remove_one(entry, package, work);
  }
  remove_bytecode(work.modules);
  for (const auto& [cache, stems] : work.modules) {
    // A link to bytecode alone, of a module at the top.
    const std::string link = cache.lexically_relative(layout_.root).generic_string();
    if (leads_to_entry(link, package.digest)) work.links.insert(link);
    work.dirs.insert(cache);
  }
  work.links.erase(info_target);
  for (const std::string& link : work.links) {
    remove_file(layout_.root / link);
    work.dirs.insert((layout_.root / link).parent_path());
  }
  if (repair_) std::ranges::for_each(work.dirs, sweep_temporary_files);
  remove_empty_dirs(work.dirs);
  return std::move(work.relink);
}

void WheelRemover::remove_record(const InstalledPackage& package) {
  const std::string target = layout_.site_packages() + "/" + package.dist_info;
  const Path dir = layout_.root / target;
  const auto info = file_info(dir);
  if (info && info->is_symlink()) {
    // Else it is that of another wheel of the same version.
    if (leads_to_entry(target, package.digest)) remove_file(dir);
  } else if (info && info->is_dir()) {
    if (repair_) sweep_temporary_files(dir);
    remove_file(dir / "RECORD");
    remove_empty_dirs({dir});
  }
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
