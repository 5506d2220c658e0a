#include "resolver/install/store_collect.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/error.h"
#include "base/hash.h"
#include "resolver/install/env_state.h"
#include "resolver/install/store_entry.h"
#include "resolver/install/store_work.h"

namespace dae::resolver {
namespace {

// What the registered environments were made of.
class Needs {
 public:
  explicit Needs(const Path& store) {
    for (const std::string& name : list_dir(store / kStoreRoots)) {
      if (name.starts_with('.')) continue;
      const auto env = registered_environment(store / kStoreRoots / name);
      if (!env) continue;
      if (file_info(Path(*env) / "dae-env.json")) {
        add(*env);
      } else {
        gone_.push_back(store / kStoreRoots / name);
      }
    }
  }

  // Those that are linked into it by symbolic links, or that do not say.
  std::vector<Path> linked(const EntryName& entry) const {
    std::set<Path> out = silent_;
    if (const auto found = linked_.find(key(entry)); found != linked_.end()) {
      out.insert(found->second.begin(), found->second.end());
    }
    return {out.begin(), out.end()};
  }
  bool is_linked(const EntryName& entry) const { return !silent_.empty() || linked_.contains(key(entry)); }
  bool is_shared(const EntryName& entry) const { return sharing_.contains(key(entry)); }
  const std::vector<Path>& gone() const { return gone_; }

 private:
  static std::string key(const EntryName& entry) { return entry.digest_hex + "-" + entry.tag; }

  void add(const Path& env) {
    try {
      const auto state = read_env_state(env);
      if (!state) return;
      const bool is_linked = state->link_mode == link_mode_name(LinkMode::symlink);
      for (const auto* packages : {&state->packages, &state->applying}) {
        for (const InstalledPackage& package : *packages) {
          // The second is that of a free-threaded interpreter (store_tag()).
          for (const char* end : {"", "t"}) {
            const std::string name = package.digest + "-" + state->cache_tag + end;
            if (is_linked) {
              linked_[name].insert(env);
            } else {
              sharing_.insert(name);
            }
          }
        }
      }
    } catch (const Error&) {
      silent_.insert(env);
    }
  }

  std::map<std::string, std::set<Path>> linked_;
  std::set<std::string> sharing_;
  std::set<Path> silent_;
  std::vector<Path> gone_;
};

struct Entry {
  EntryName name;
  Path dir;
  uint64_t bytes = 0;
  int64_t used_ms = 0;
};

struct Listing {
  std::vector<Entry> entries;
  std::vector<std::pair<Path, std::optional<EntryName>>> others;  // not readable
};

Listing list_store(const Path& store) {
  Listing out;
  for (const std::string& name : list_dir(store)) {
    if (name == kStoreLock || name == kStoreRoots || name == kStoreTemporary) continue;
    const Path dir = store / name;
    const auto entry = parse_entry_name(name);
    const auto text = entry ? read_file_if_exists(dir / "manifest") : std::nullopt;
    const auto wheel = text ? parse_manifest(*text) : std::nullopt;
    const auto info = wheel ? file_info(dir / "manifest") : std::nullopt;
    if (info) {
      out.entries.push_back({*entry, dir, wheel->size_bytes, info->mtime_ns / 1'000'000});
    } else {
      out.others.emplace_back(dir, entry);
    }
  }
  return out;
}

uint64_t bytes_below(const Path& dir) {
  uint64_t out = 0;
  try {
    for (const WalkEntry& entry : walk_tree(dir)) out += entry.info.is_file() ? entry.info.size_bytes : 0;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::not_found) throw;  // somebody removes it at this moment
  }
  return out;
}

}  // namespace

FileLock lock_store_for_use(const StorePaths& store) {
  make_dirs(store.unpacked);
  return FileLock::acquire_shared(store.unpacked / kStoreLock);
}

void register_environment(const StorePaths& store, const Path& env) {
  const Path normal = (std::filesystem::absolute(env) / "").lexically_normal();  // with a slash at its end
  const std::string path = normal.parent_path().string();
  const Path root = store.unpacked / kStoreRoots / Digest::of(path).short_hex(32);
  if (registered_environment(root) == path) return;
  make_dirs(root.parent_path());
  // A link, because a journal keeps its target with its name: a power cut cannot leave an empty one. A file would need
  // a flush for that, 3 to 10 ms on an idle disk, which was a third of an installation of 37 wheels.
  symlink_atomic(path, root);
  if (store.durable) fsync_dir(root.parent_path());
}

std::optional<std::string> registered_environment(const Path& root) {
  if (auto target = read_link(root)) return target;
  return read_file_if_exists(root, 64 << 10);  // files were written before
}

std::vector<StoreRemoval> plan_collection(const StorePaths& store, uint64_t limit_bytes, int64_t now_ms) {
  using Kind = StoreRemoval::Kind;
  std::vector<StoreRemoval> out;
  const Needs needs(store.unpacked);
  for (const Path& path : abandoned_work(store.unpacked, now_ms)) {
    out.push_back({Kind::leftover, path, bytes_below(path), 0, "left by a run that ended early"});
  }
  for (const Path& path : needs.gone()) out.push_back({Kind::leftover, path, 0, 0, "its environment is gone"});
  Listing listing = list_store(store.unpacked);
  for (const auto& [dir, name] : listing.others) {
    if (name && needs.is_linked(*name)) continue;
    out.push_back({Kind::leftover, dir, bytes_below(dir), 0, "of another version, or broken"});
  }
  uint64_t total = 0;
  for (const Entry& entry : listing.entries) total += entry.bytes;
  std::ranges::stable_sort(listing.entries, {},
                           [&](const Entry& entry) { return std::pair(needs.is_shared(entry.name), entry.used_ms); });
  for (const Entry& entry : listing.entries) {
    if (total <= limit_bytes) break;
    if (needs.is_linked(entry.name)) continue;
    const bool shared = needs.is_shared(entry.name);
    out.push_back({shared ? Kind::shared : Kind::unused, entry.dir, entry.bytes, entry.used_ms,
                   shared ? "environments have files of their own" : "no environment needs it"});
    total -= entry.bytes;
  }
  return out;
}

uint64_t collect_unpacked(const StorePaths& store, const std::vector<StoreRemoval>& plan, bool force) {
  if (plan.empty()) return 0;
  const FileLock alone = FileLock::acquire(store.unpacked / kStoreLock);
  const Needs needs(store.unpacked);
  // First out of the way, then to pieces: half an entry must never stand under its name.
  const StoreWork bin(store.unpacked);
  uint64_t freed = 0;
  for (const StoreRemoval& removal : plan) {
    const auto entry = parse_entry_name(removal.path.filename().string());
    if (!force && entry && needs.is_linked(*entry)) continue;
    const Path parent = removal.path.parent_path().filename();
    if (parent == kStoreRoots && std::ranges::find(needs.gone(), removal.path) == needs.gone().end()) continue;
    if (parent == kStoreTemporary) {
      remove_abandoned(removal.path);
    } else if (file_info(removal.path)) {
      rename_path(removal.path, bin.path() / removal.path.filename());
    }
    freed += removal.bytes;
  }
  return freed;
}

StoreSummary summarise_unpacked(const StorePaths& store) {
  const Needs needs(store.unpacked);
  StoreSummary out;
  for (const Entry& entry : list_store(store.unpacked).entries) {
    ++out.entries;
    out.bytes += entry.bytes;
    if (needs.is_linked(entry.name)) out.needed.push_back({entry.dir, entry.bytes, needs.linked(entry.name)});
  }
  return out;
}

}  // namespace dae::resolver
