#include "resolver/install/wheel_install.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/error.h"
#include "base/hash.h"
#include "base/strings.h"

namespace dae::resolver {
namespace {

void ensure_dir(const Path& dir, MadeDirs& made) {
  if (!made.insert(dir).second) return;
  make_dirs(dir);
}

void put(const Placement& file, const Path& to) {
  if (!file.source.empty()) {
    link_or_copy(file.source, to);
  } else {
    write_file_atomic(to, file.bytes, file.executable ? 0755 : 0644, Durability::none);
  }
}

void replace(const Placement& file, const Path& to) {
  if (const auto info = file_info(to); info && info->is_dir()) {
    throw Error(ErrorKind::refused, "a directory is in the way of a file", to.string());
  }
  remove_file(to);
  put(file, to);
}

// Something stands where the file shall go.
void settle_conflict(const Placement& file, const Path& to, const std::string& dist_info, Owners& owners, bool repair,
                     EventSink& events) {
  if (file.hash.empty()) return replace(file, to);  // bytecode
  const auto info = file_info(to);
  const bool same = info && info->is_file() && info->size_bytes == file.size_bytes &&
                    "sha256=" + digest_base64url(sha256_file(to)) == file.hash;
  const std::vector<Owners::Claim> claims = owners.others(file.target, dist_info);
  if (claims.empty()) {
    if (repair || same) return replace(file, to);
    throw Error(ErrorKind::refused, "a file that dae did not install is in the way", to.string(),
                "remove it, or the environment as a whole; the next install makes it anew");
  }
  if (same) return;
  const std::string other = distribution_of(claims.front().dist_info), own = distribution_of(dist_info);
  const bool ours_stays = own > other;
  warning(events, fmt::format("`{}` and `{}` both install `{}` with different contents; that of `{}` stays", other, own,
                              file.target, ours_stays ? own : other));
  if (ours_stays) replace(file, to);
}

// What an interpreter may have compiled by itself from modules that go: "pkg/__pycache__/a.*.pyc" of "pkg/a.py".
using RemovedModules = std::map<Path, std::set<std::string>>;  // __pycache__ -> stems

void remove_bytecode(const RemovedModules& modules) {
  for (const auto& [cache, stems] : modules) {
    for (const std::string& name : list_dir(cache)) {
      if (name.ends_with(".pyc") && stems.contains(name.substr(0, name.find('.')))) remove_file(cache / name);
    }
  }
}

void remove_empty_dirs(const std::set<Path>& dirs, const EnvLayout& layout) {
  const std::set<Path> keep{layout.root,
                            layout.root / "bin",
                            layout.root / "include",
                            layout.root / "lib",
                            layout.root / layout.site_packages(),
                            (layout.root / layout.site_packages()).parent_path()};
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

}  // namespace

void link_wheel(const WheelPlacement& placement, const std::string& dist_info, const EnvLayout& layout, Owners& owners,
                MadeDirs& made, bool repair, EventSink& events) {
  const Path record = layout.root / layout.site_packages() / dist_info / "RECORD";
  ensure_dir(record.parent_path(), made);
  write_file_atomic(record, placement.record, 0644, Durability::none);
  owners.learn(dist_info);
  for (const Placement& file : placement.files) {
    const Path to = layout.root / file.target;
    ensure_dir(to.parent_path(), made);
    // A generated file would silently replace what is there; a link fails by itself.
    if (file.source.empty() && file_info(to)) {
      settle_conflict(file, to, dist_info, owners, repair, events);
      continue;
    }
    try {
      put(file, to);
    } catch (const Error&) {
      if (!file_info(to)) throw;
      settle_conflict(file, to, dist_info, owners, repair, events);
    }
  }
}

void sweep_temporary_files(const Path& dir) {
  for (const std::string& name : list_dir(dir)) {
    if (name.starts_with(".dae-") && name.ends_with(".tmp")) remove_file(dir / name);
  }
}

std::vector<Relink> unlink_wheel(const std::string& dist_info, const EnvLayout& layout, Owners& owners, bool repair) {
  std::vector<Relink> relink;
  std::set<Path> dirs;
  RemovedModules modules;
  const std::string record_target = layout.site_packages() + "/" + dist_info + "/RECORD";
  for (const RecordEntry& entry : read_installed_record(layout, dist_info)) {
    const std::string target = root_relative(layout, entry.path);
    // RECORD is a file of the environment, and the environment is not to be trusted with paths outside of it.
    if (target.empty() || target == record_target) continue;
    const std::vector<Owners::Claim> claims = owners.others(target, dist_info);
    if (!claims.empty()) {
      if (!entry.hash.empty() && claims.back().hash != entry.hash) relink.push_back({claims.back().dist_info, target});
      continue;
    }
    const Path path = layout.root / target;
    const auto info = file_info(path);
    if (info && info->is_dir()) continue;
    remove_file(path);
    dirs.insert(path.parent_path());
    if (target.ends_with(".py")) modules[path.parent_path() / "__pycache__"].insert(path.stem().string());
  }
  remove_bytecode(modules);
  for (const auto& [cache, stems] : modules) dirs.insert(cache);
  if (repair) std::ranges::for_each(dirs, sweep_temporary_files);
  remove_empty_dirs(dirs, layout);
  const Path info_dir = (layout.root / record_target).parent_path();
  if (repair) sweep_temporary_files(info_dir);
  remove_file(layout.root / record_target);
  remove_empty_dirs({info_dir}, layout);
  owners.forget(dist_info);
  return relink;
}

}  // namespace dae::resolver
