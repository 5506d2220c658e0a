#include "resolver/install/verify.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>

#include "base/error.h"
#include "base/strings.h"
#include "resolver/install/env_state.h"
#include "resolver/install/owners.h"
#include "resolver/install/parallel.h"
#include "resolver/install/store_collect.h"
#include "resolver/install/verify_file.h"

namespace dae::resolver {
namespace {

using Kind = VerifyFinding::Kind;

struct Distribution {
  std::string name, dist_info;
  bool foreign = false;
};

class Verifying {
 public:
  Verifying(const Path& env, const StorePaths& store, EventSink& events, const VerifyOptions& options)
      : layout_(layout_of(env)),
        store_(std::filesystem::absolute(store.unpacked).lexically_normal()),
        events_(events),
        options_(options) {}

  VerifyReport run() {
    list_distributions();
    for (size_t i = 0; i < distributions_.size(); ++i) read_record(i);
    check_environment();
    check_files();
    find_unlisted(layout_.root / layout_.site_packages(), layout_.site_packages());
    for (const VerifyFinding& finding : report_.findings) trace_to_store(finding);
    std::ranges::sort(report_.findings, {}, [](const VerifyFinding& finding) {
      return std::tie(finding.foreign, finding.distribution, finding.path, finding.kind);
    });
    return std::move(report_);
  }

 private:
  void list_distributions() {
    const auto state = read_env_state(layout_.root);
    std::map<std::string, std::string> ours;  // dist-info -> name
    for (const InstalledPackage& package : state ? state->packages : std::vector<InstalledPackage>()) {
      ours.emplace(package.dist_info, package.name);
      digests_.emplace(package.name, package.digest);
    }
    for (const auto& [dist_info, name] : ours) distributions_.push_back({name, dist_info, false});
    for (const std::string& name : list_dir(layout_.root / layout_.site_packages())) {
      if (name.ends_with(".egg-info")) report_.unchecked.push_back(name);
      if (!name.ends_with(".dist-info") || ours.contains(name)) continue;
      distributions_.push_back({distribution_of(name), name, true});
    }
    report_.distributions = ours.size();
    report_.foreign = distributions_.size() - ours.size();
  }

  void read_record(size_t index) {
    const Distribution& one = distributions_[index];
    const std::string path = layout_.site_packages() + "/" + one.dist_info + "/RECORD";
    const auto bad = [&](const std::string& why) {
      report_.findings.push_back({Kind::bad_record, one.name, path, why, one.foreign});
      if (!one.foreign) report_.lost_records.insert(layout_.root / path);
    };
    covered_.insert(layout_.site_packages() + "/" + one.dist_info);
    if (!exists(layout_.root / path)) {
      if (!one.foreign) return bad("it is gone");
      report_.unchecked.push_back(one.dist_info);
      return;
    }
    try {
      for (RecordEntry& row : parse_record(read_file(layout_.root / path), path)) {
        const std::string target = root_relative(layout_, row.path);
        if (target.empty() && !one.foreign) throw Error(ErrorKind::bad_input, "it lists `" + row.path + "` outside");
        if (!target.empty()) claim(target, {index, std::move(row.hash), row.size_bytes});
      }
    } catch (const Error& error) {
      bad(error.cause().empty() ? error.message() : error.message() + ": " + error.cause());
    }
  }

  void claim(const std::string& target, FileClaim claim) {
    claims_[target].push_back(std::move(claim));
    for (size_t slash = target.rfind('/'); slash != std::string::npos && slash != 0;
         slash = target.rfind('/', slash - 1)) {
      if (!claimed_dirs_.insert(target.substr(0, slash)).second) break;
    }
  }

  // What the environment needs before any package does.
  void check_environment() {
    const auto lacks = [&](Kind kind, const std::string& path, const std::string& detail) {
      report_.findings.push_back({kind, "", path, detail, false});
      report_.damaged_environment = true;
    };
    if (!exists(layout_.root / "pyvenv.cfg")) lacks(Kind::missing, "pyvenv.cfg", "");
    if (exists(layout_.python())) return;
    const auto target = read_link(layout_.python());
    lacks(target ? Kind::broken_link : Kind::missing, "bin/python", target ? "to " + *target : "");
  }

  void check_files() {
    std::vector<const std::pair<const std::string, std::vector<FileClaim>>*> work;
    for (const auto& item : claims_) work.push_back(&item);
    Activity activity(events_, "verifying", layout_.root.string(), work.size());
    std::mutex mutex;
    std::atomic<uint64_t> bytes = 0;
    size_t done = 0;
    parallel_for(work.size(), cpu_threads(), [&](size_t i) {
      const auto& [target, claims] = *work[i];
      FileVerdict verdict = verify_file(layout_, target, claims, options_.hashes);
      bytes += verdict.hashed_bytes;
      const std::lock_guard hold(mutex);
      for (const auto& [kind, detail] : verdict.findings) add(kind, target, claims, detail);
      activity.progress(++done, work.size());
    });
    activity.finish();
    report_.files = work.size();
    report_.bytes = bytes;
  }

  void add(Kind kind, const std::string& target, const std::vector<FileClaim>& claims, const std::string& detail) {
    for (const FileClaim& claim : claims) {
      const Distribution& owner = distributions_[claim.owner];
      report_.findings.push_back({kind, owner.name, target, detail, owner.foreign});
      if (!owner.foreign) report_.damaged.insert(owner.name);
    }
  }

  // Links into the store are followed: what somebody put there is imported from here.
  void find_unlisted(const Path& dir, const std::string& relative) {
    for (const std::string& name : list_dir(dir)) {
      const std::string target = relative + "/" + name;
      if (claims_.contains(target) || name == "__pycache__") continue;
      if (name.ends_with(".egg-info") || name.ends_with(".egg")) continue;
      const auto info = file_info(dir / name);
      if (!info) continue;
      std::error_code error;
      const bool is_dir = std::filesystem::is_directory(dir / name, error);
      if (is_dir && claimed_dirs_.contains(target)) {
        find_unlisted(dir / name, target);
      } else if (!covered_.contains(target) && (!is_dir || holds_files(dir / name))) {
        report_.findings.push_back({Kind::unlisted, "", target, is_dir ? "a directory" : "", false});
      }
    }
  }

  // What an interpreter compiled stays when its module goes, and does nothing without it.
  static bool holds_files(const Path& dir) {
    const auto tree = walk_tree(dir, [](const WalkEntry& entry) { return entry.path.filename() != "__pycache__"; });
    return std::ranges::any_of(tree, [](const WalkEntry& entry) { return !entry.info.is_dir(); });
  }

  // Is the damage in the store, so that installing from it again would bring it back?
  void trace_to_store(const VerifyFinding& finding) {
    if (finding.kind == Kind::bad_record && !finding.foreign) report_.damaged.insert(finding.distribution);
    if (finding.foreign) return;
    const Path path = layout_.root / finding.path;
    if (const auto entry = entry_behind(path)) {
      blame(*entry);
    } else if (const auto digest = digests_.find(finding.distribution); digest != digests_.end()) {
      for (const Path& shared : entries_sharing(path, digest->second)) blame(shared);
    }
  }

  // Whoever is linked into an entry is installed anew with it.
  void blame(const Path& entry) {
    if (exists(entry)) report_.damaged_entries.insert(entry);
    for (const auto& [name, digest] : digests_) {
      if (entry.filename().string().starts_with(digest)) report_.damaged.insert(name);
    }
  }

  // The entry that links on the way to `path` lead into.
  std::optional<Path> entry_behind(const Path& path) const {
    for (Path at = path; at != layout_.root && at != at.parent_path(); at = at.parent_path()) {
      const auto target = read_link(at);
      if (!target || !target->starts_with(store_.string() + "/")) continue;
      return store_ / *Path(*target).lexically_relative(store_).begin();
    }
    return std::nullopt;
  }

  std::vector<Path> entries_sharing(const Path& path, const std::string& digest) const {
    std::vector<Path> out;
    const auto info = file_info(path);
    if (!info || !info->is_file()) return out;
    for (const std::string& name : list_dir(store_)) {
      if (!name.starts_with(digest)) continue;
      const auto same = [&](const WalkEntry& entry) {
        std::error_code error;
        return entry.info.inode == info->inode && std::filesystem::equivalent(entry.path, path, error);
      };
      if (std::ranges::any_of(walk_tree(store_ / name), same)) out.push_back(store_ / name);
    }
    return out;
  }

  const EnvLayout layout_;
  const Path store_;
  EventSink& events_;
  const VerifyOptions& options_;
  VerifyReport report_;
  std::vector<Distribution> distributions_;
  std::map<std::string, std::string> digests_;  // name -> hex, of ours
  std::map<std::string, std::vector<FileClaim>> claims_;
  std::set<std::string> claimed_dirs_;
  std::set<std::string> covered_;  // dist-infos: complained of otherwise
};

}  // namespace

std::string_view finding_name(Kind kind) {
  switch (kind) {
    case Kind::changed:
      return "changed";
    case Kind::missing:
      return "missing";
    case Kind::unlisted:
      return "unlisted";
    case Kind::broken_script:
      return "broken-script";
    case Kind::broken_link:
      return "broken-link";
    case Kind::not_executable:
      return "not-executable";
    case Kind::bad_record:
      return "bad-record";
  }
  return "";
}

EnvLayout layout_of(const Path& env) {
  std::string tag, version;
  try {
    if (const auto state = read_env_state(env)) {
      tag = state->cache_tag;
      version = state->python_version;
    }
  } catch (const Error&) {
    // Whoever needs the state reads it, and says what is wrong with it.
  }
  std::optional<std::string> found;
  for (const std::string& name : list_dir(env / "lib")) {
    if (!name.starts_with("python3.") || !exists(env / "lib" / name / "site-packages")) continue;
    const std::string expected = replace_all(tag, "cpython-3", "python3.");
    if (!found || name == expected || name == expected + "t") found = name;
  }
  // All packages may be gone, and the environment still know what it had.
  if (!found && !version.empty()) found = "python" + version.substr(0, version.find('.', version.find('.') + 1));
  if (!found) throw Error(ErrorKind::not_found, "there is no Python environment", env.string(), "run `dae install`");
  version = found->substr(6);
  if (version.ends_with('t')) version.pop_back();
  return EnvLayout(env, version, "lib/" + *found + "/site-packages");
}

VerifyReport verify_environment(const Path& env, const StorePaths& store, EventSink& events,
                                const VerifyOptions& options) {
  return Verifying(env, store, events, options).run();
}

InstallPlan repair_plan(const VerifyReport& report, std::vector<WheelToInstall> wheels) {
  InstallPlan plan;
  plan.make_environment = report.damaged_environment;
  for (const WheelToInstall& wheel : wheels) plan.remove.emplace_back(wheel.name, wheel.version);
  plan.add = std::move(wheels);
  std::ranges::sort(plan.add, {}, &WheelToInstall::name);
  std::ranges::sort(plan.remove);
  return plan;
}

void remove_damage(const VerifyReport& report, const StorePaths& store) {
  for (const Path& path : report.lost_records) {
    // Behind a link it is the store's, and goes with its entry. Else the store's stands in for it when it is gone.
    if (!read_link(path.parent_path())) remove_file(path);
  }
  std::vector<StoreRemoval> entries;
  for (const Path& entry : report.damaged_entries) entries.push_back({StoreRemoval::Kind::leftover, entry, 0, 0, ""});
  collect_unpacked(store, entries, true);
}

}  // namespace dae::resolver
