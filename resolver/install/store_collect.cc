#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/hash.h"
#include "resolver/install/env_state.h"
#include "resolver/install/store_entry.h"
#include "resolver/install/store_work.h"

namespace dae::resolver {
namespace {

// What the registered environments were made of.
struct Needs {
  std::set<std::string> linked;   // "<digest>-<tag>": by symbolic links
  std::set<std::string> sharing;  // the same: files of their own, or shared inodes
  std::vector<Path> gone;         // roots of environments that are no more
  bool unknown = false;           // an environment does not say what it needs

  bool is_linked(const EntryName& entry) const {
    return unknown || linked.contains(entry.digest_hex + "-" + entry.tag);
  }
  bool is_shared(const EntryName& entry) const { return sharing.contains(entry.digest_hex + "-" + entry.tag); }
};

void add_needs(const Path& env, Needs& needs) {
  try {
    const auto state = read_env_state(env);
    if (!state) return;
    auto& names = state->link_mode == link_mode_name(LinkMode::symlink) ? needs.linked : needs.sharing;
    for (const auto* packages : {&state->packages, &state->applying}) {
      for (const InstalledPackage& package : *packages) {
        // The second is that of a free-threaded interpreter (store_tag()).
        for (const char* end : {"", "t"}) names.insert(package.digest + "-" + state->cache_tag + end);
      }
    }
  } catch (const Error&) {
    needs.unknown = true;
  }
}

Needs read_needs(const Path& store) {
  Needs out;
  for (const std::string& name : list_dir(store / kStoreRoots)) {
    const Path root = store / kStoreRoots / name;
    const auto text = read_file_if_exists(root, 64 << 10);
    if (!text || name.starts_with('.')) continue;
    const Path env = *text;
    if (file_info(env / "dae-env.json")) {
      add_needs(env, out);
    } else {
      out.gone.push_back(root);
    }
  }
  return out;
}

struct Entry {
  EntryName name;
  Path dir;
  uint64_t bytes = 0;
  int64_t used_ms = 0;
};

uint64_t bytes_below(const Path& dir) {
  uint64_t out = 0;
  try {
    for (const WalkEntry& entry : walk_tree(dir)) out += entry.info.is_file() ? entry.info.size_bytes : 0;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::not_found) throw;  // somebody removes it at this moment
  }
  return out;
}

bool is_part_of_the_store(const std::string& name) {
  return name == kStoreLock || name == kStoreRoots || name == kStoreTemporary;
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
  if (read_file_if_exists(root, 64 << 10) == path) return;
  make_dirs(root.parent_path());
  write_file_atomic(root, path, 0644, store.durable ? Durability::fsync : Durability::contents);
}

std::vector<StoreRemoval> plan_collection(const StorePaths& store, uint64_t limit_bytes, int64_t now_ms) {
  std::vector<StoreRemoval> out;
  const Needs needs = read_needs(store.unpacked);
  for (const Path& path : abandoned_work(store.unpacked, now_ms)) {
    out.push_back({path, bytes_below(path), "left by a run that ended early"});
  }
  for (const Path& path : needs.gone) out.push_back({path, 0, "its environment is gone"});
  std::vector<Entry> entries;
  uint64_t total = 0;
  for (const std::string& name : list_dir(store.unpacked)) {
    if (is_part_of_the_store(name)) continue;
    const Path dir = store.unpacked / name;
    const auto entry = parse_entry_name(name);
    const auto text = entry ? read_file_if_exists(dir / "manifest") : std::nullopt;
    const auto wheel = text ? parse_manifest(*text) : std::nullopt;
    if (!wheel) {
      if (entry && needs.is_linked(*entry)) continue;
      out.push_back({dir, bytes_below(dir), "of another version, or broken"});
      continue;
    }
    const auto info = file_info(dir / "manifest");
    total += wheel->size_bytes;
    entries.push_back({*entry, dir, wheel->size_bytes, info ? info->mtime_ns / 1'000'000 : 0});
  }
  std::ranges::stable_sort(entries, {},
                           [&](const Entry& entry) { return std::pair(needs.is_shared(entry.name), entry.used_ms); });
  for (const Entry& entry : entries) {
    if (total <= limit_bytes) break;
    if (needs.is_linked(entry.name)) continue;
    const bool shared = needs.is_shared(entry.name);
    out.push_back(
        {entry.dir, entry.bytes, shared ? "environments have files of their own" : "no environment needs it"});
    total -= entry.bytes;
  }
  return out;
}

uint64_t collect_unpacked(const StorePaths& store, const std::vector<StoreRemoval>& plan) {
  if (plan.empty()) return 0;
  const FileLock alone = FileLock::acquire(store.unpacked / kStoreLock);
  const Needs needs = read_needs(store.unpacked);
  uint64_t freed = 0;
  for (const StoreRemoval& removal : plan) {
    const auto entry = parse_entry_name(removal.path.filename().string());
    if (entry && needs.is_linked(*entry)) continue;
    const Path parent = removal.path.parent_path().filename();
    if (parent == kStoreRoots && std::ranges::find(needs.gone, removal.path) == needs.gone.end()) continue;
    if (parent == kStoreTemporary) {
      remove_abandoned(removal.path);
    } else {
      remove_all(removal.path);
    }
    freed += removal.bytes;
  }
  return freed;
}

}  // namespace dae::resolver
