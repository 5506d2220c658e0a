#include "cli/cache_folders.h"

#include <algorithm>

#include "base/blob_store.h"
#include "base/error.h"
#include "resolver/source/index_store.h"
#include "resolver/source/packed_page.h"

namespace dae::cli {
namespace {

using resolver::IndexStore;

constexpr int64_t kHourMs = 3600 * 1000;
const std::vector<std::string> kBuilt = {"built-wheels", "built-metadata", "builders", "build-envs", "build-logs"};
const std::vector<std::string> kSources = {"git-v1", "hg-v1", "direct-v1"};
const std::vector<std::string> kRemembered = {"pip-index.json", "interpreters.json", "index/index-traits.json",
                                              "builds", "audit"};
const std::set<std::string> kIndexFiles = {"index-v2.pack", "index-traits.json"};

// Files that vanish while one looks are no failure: others work in these folders.
std::pair<uint64_t, uint64_t> count_tree(const Path& path) {
  const auto info = file_info(path);
  if (!info) return {0, 0};
  if (!info->is_dir()) return {1, info->size_bytes};
  std::pair<uint64_t, uint64_t> out{0, 0};
  try {
    for (const WalkEntry& entry : walk_tree(path)) {
      if (entry.info.is_dir()) continue;
      ++out.first;
      out.second += entry.info.size_bytes;
    }
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::not_found) throw;
  }
  return out;
}

CachePart part_of(std::string name, const Path& root, const std::vector<std::string>& folders) {
  CachePart out{std::move(name)};
  for (const std::string& folder : folders) {
    const auto [files, bytes] = count_tree(root / folder);
    const auto info = file_info(root / folder);
    const uint64_t children = info && info->is_dir() ? list_dir(root / folder).size() : 0;
    out.entries += files != 0 ? std::max<uint64_t>(1, children) : 0;
    out.bytes += bytes;
  }
  return out;
}

}  // namespace

bool CacheFolders::is_old(int64_t changed_ms) const {
  return changed_ms + kHourMs < clock_.wall_ms();
}

std::vector<CacheFolders::Item> CacheFolders::children(const Path& dir) const {
  std::vector<Item> out;
  const auto info = file_info(dir);
  if (!info || !info->is_dir()) return out;
  for (const std::string& name : list_dir(dir)) {
    const auto child = file_info(dir / name);
    if (child) out.push_back({dir / name, count_tree(dir / name).second, child->mtime_ns / 1'000'000});
  }
  return out;
}

std::vector<CacheFolders::Item> CacheFolders::blobs() const {
  std::vector<Item> out;
  const Path root = root_ / "blobs" / "sha256";
  for (const std::string& fold : list_dir(root)) {
    for (Item& item : children(root / fold)) out.push_back(std::move(item));
  }
  return out;
}

std::vector<CacheFolders::Item> CacheFolders::leftovers() const {
  std::vector<Item> out;
  for (Item& item : children(index_dir())) {
    const std::string name = item.path.filename().string();
    const bool temporary = name.starts_with('.');
    if (!kIndexFiles.contains(name) && (!temporary || is_old(item.changed_ms))) out.push_back(std::move(item));
  }
  for (Item& item : children(root_ / "blobs/tmp")) {
    if (is_old(item.changed_ms)) out.push_back(std::move(item));
  }
  for (const resolver::StoreRemoval& removal : plan_collection(unpacked(), UINT64_MAX, clock_.wall_ms())) {
    out.push_back({removal.path, removal.bytes, 0, true});
  }
  return out;
}

std::vector<resolver::StoreNeed> CacheFolders::needed_wheels() const {
  return summarise_unpacked(unpacked()).needed;
}

CacheRemoval CacheFolders::removal_of(const resolver::StoreRemoval& removal) const {
  const bool is_leftover = removal.kind == resolver::StoreRemoval::Kind::leftover;
  CacheRemoval out{is_leftover ? "leftovers" : "unpacked wheels", removal.why, removal.path, removal.bytes};
  out.unpacked = true;
  return out;
}

std::vector<CachePart> CacheFolders::parts() const {
  CachePart pages{"index pages"}, metadata{"metadata"}, dead{"replaced entries"};
  if (exists(index_dir() / "index-v2.pack")) {
    IndexStore store(index_dir(), limit_bytes_, clock_, events_);
    const IndexStore::Summary summary = store.summary();
    pages = {"index pages", summary.pages.entries, summary.pages.bytes};
    metadata = {"metadata", summary.metadata.entries, summary.metadata.bytes};
    dead.bytes = summary.dead_bytes;
  }
  CachePart files{"wheels and sdists"}, unpacked{"unpacked wheels"}, left{"leftovers"};
  for (const Item& item : blobs()) ++files.entries, files.bytes += item.bytes;
  const resolver::StoreSummary wheels = summarise_unpacked(this->unpacked());
  unpacked.entries = wheels.entries;
  unpacked.bytes = wheels.bytes;
  for (const Item& item : leftovers()) ++left.entries, left.bytes += item.bytes;
  return {pages,
          metadata,
          dead,
          files,
          unpacked,
          part_of("built wheels", root_, kBuilt),
          part_of("sources", root_, kSources),
          part_of("remembered answers", root_, kRemembered),
          left};
}

std::vector<CacheRemoval> CacheFolders::prune_plan() const {
  std::vector<CacheRemoval> out;
  uint64_t freed = 0, total = 0;
  for (const CachePart& part : parts()) total += part.bytes;
  const auto drop = [&](const std::string& part, const std::string& why, const Item& item) {
    out.push_back({part, why, item.path, item.bytes});
    freed += item.bytes;
  };
  for (const Item& item : leftovers()) {
    drop("leftovers", "of another version, or of a process that ended early", item);
    out.back().unpacked = item.unpacked;
  }
  const auto wheels = plan_collection(unpacked(), 0, clock_.wall_ms());
  const auto drop_wheels = [&](resolver::StoreRemoval::Kind kind, bool to_the_limit) {
    for (const resolver::StoreRemoval& removal : wheels) {
      if (removal.kind != kind || !is_old(removal.used_ms)) continue;
      if (to_the_limit && total <= freed + limit_bytes_) break;
      out.push_back(removal_of(removal));
      freed += removal.bytes;
    }
  };
  drop_wheels(resolver::StoreRemoval::Kind::unused, false);
  std::vector<std::pair<std::string, Item>> old;
  for (Item& item : blobs()) old.emplace_back("wheels and sdists", std::move(item));
  for (const auto& [part, folders] : {std::pair{"built wheels", kBuilt}, {"sources", kSources}}) {
    for (const std::string& folder : folders) {
      for (Item& item : children(root_ / folder)) old.emplace_back(part, std::move(item));
    }
  }
  std::ranges::stable_sort(old, {}, [](const auto& one) { return one.second.changed_ms; });
  for (const auto& [part, item] : old) {
    if (total <= freed + limit_bytes_) break;
    if (is_old(item.changed_ms)) drop(part, "the oldest, and the cache is over its limit", item);
  }
  drop_wheels(resolver::StoreRemoval::Kind::shared, true);
  if (total > freed + limit_bytes_) {
    const auto pack = file_info(index_dir() / "index-v2.pack");
    const uint64_t excess = total - freed - limit_bytes_;
    if (pack && pack->size_bytes > excess) {
      out.push_back({"index", "what was not used for longest", {}, excess, pack->size_bytes - excess});
    }
  }
  return out;
}

std::vector<CacheRemoval> CacheFolders::clean_plan(bool force) const {
  std::vector<CacheRemoval> out;
  for (const resolver::StoreRemoval& removal : plan_collection(unpacked(), 0, clock_.wall_ms())) {
    out.push_back(removal_of(removal));
  }
  if (force) {
    for (const resolver::StoreNeed& need : needed_wheels()) {
      out.push_back(removal_of({resolver::StoreRemoval::Kind::unused, need.path, need.bytes, 0, ""}));
    }
  }
  for (const std::string& name : list_dir(root_)) {
    if (name == "index" || name == "unpacked") continue;
    out.push_back({name, "", root_ / name, count_tree(root_ / name).second});
  }
  for (const Item& item : children(index_dir())) {
    if (item.path.filename() == "index-v2.pack") {
      out.push_back({"index", "", {}, item.bytes, 0});  // emptied, not removed: others may have it open
    } else {
      out.push_back({"index", "", item.path, item.bytes});
    }
  }
  return out;
}

std::vector<CacheRemoval> CacheFolders::clean_plan(const std::set<std::string>& packages, bool force) const {
  std::vector<CacheRemoval> out;
  if (!exists(index_dir() / "index-v2.pack")) return out;
  IndexStore store(index_dir(), limit_bytes_, clock_, events_);
  CacheRemoval entries{"index", "", {}, 0, UINT64_MAX};
  std::set<std::string> digests;
  const std::vector<IndexStore::Listed> listed = store.list();
  for (const IndexStore::Listed& one : listed) {
    if (one.kind != IndexStore::Kind::page || !one.key.ends_with('/')) continue;
    const size_t slash = one.key.rfind('/', one.key.size() - 2);
    if (!packages.contains(one.key.substr(slash + 1, one.key.size() - slash - 2))) continue;
    entries.index_entries.emplace_back('p', one.key);
    entries.bytes += one.bytes;
    const auto entry = store.find(one.kind, one.key);
    const auto page = entry ? resolver::PackedPage::open(entry->hot, entry->cold, entry->owner) : nullptr;
    for (uint32_t release = 0; page && release < page->releases(); ++release) {
      for (uint32_t file = page->first_file(release); file < page->first_file(release + 1); ++file) {
        digests.emplace(page->digest(release, file).value_or(std::string_view()));
      }
    }
  }
  digests.erase("");
  for (const IndexStore::Listed& one : listed) {
    if (one.kind != IndexStore::Kind::metadata || !digests.contains(one.key.substr(0, 32))) continue;
    entries.index_entries.emplace_back('m', one.key);
    entries.bytes += one.bytes;
  }
  if (!entries.index_entries.empty()) out.push_back(std::move(entries));
  std::set<std::string> names;
  for (const std::string& digest : digests) names.insert(to_hex(digest));
  for (const Item& item : blobs()) {
    if (names.contains(item.path.filename().string())) out.push_back({"wheels and sdists", "", item.path, item.bytes});
  }
  for (const CacheRemoval& removal : clean_plan(force)) {
    if (removal.unpacked && names.contains(removal.path.filename().string().substr(0, 64))) out.push_back(removal);
  }
  for (const Item& item : children(root_ / "built-wheels")) {
    if (!names.contains(item.path.filename().string().substr(0, 64))) continue;
    out.push_back({"built wheels", "", item.path, item.bytes});
  }
  return out;
}

uint64_t CacheFolders::apply(const std::vector<CacheRemoval>& plan, bool force) const {
  std::vector<resolver::StoreRemoval> wheels;
  for (const CacheRemoval& removal : plan) {
    if (removal.unpacked) wheels.push_back({{}, removal.path, removal.bytes, 0, ""});
  }
  uint64_t freed = collect_unpacked(unpacked(), wheels, force);
  IndexStore store(exists(index_dir()) ? index_dir() : Path(), limit_bytes_, clock_, events_);
  for (const CacheRemoval& removal : plan) {
    if (removal.unpacked) continue;
    for (const auto& [kind, key] : removal.index_entries) store.remove(static_cast<IndexStore::Kind>(kind), key);
    if (removal.path.empty() && removal.index_entries.empty()) store.shrink(removal.keep_bytes);
    if (!removal.path.empty()) {
      // Who builds holds a lock beside the folder.
      const Path lock_file = removal.path.string() + ".lock";
      std::optional<FileLock> lock;
      if (exists(lock_file) && !(lock = FileLock::try_acquire(lock_file))) continue;
      remove_all(removal.path);
    }
    freed += removal.bytes;
  }
  return freed;
}

}  // namespace dae::cli
