#include "resolver/install/unpacked_store.h"

#include <algorithm>

#include "base/clock.h"
#include "base/dir.h"
#include "base/error.h"
#include "resolver/install/store_entry.h"

namespace dae::resolver {
namespace {

constexpr int64_t kDayMs = 24 * 3600 * 1000;

std::optional<StoredWheel> read_entry(const Path& dir) {
  const auto text = read_file_if_exists(dir / "manifest");
  auto wheel = text ? parse_manifest(*text) : std::nullopt;
  if (wheel) wheel->dir = dir;
  return wheel;
}

// The collection takes what was not asked for longest. Once a day is enough to know, and spares the disk the rest.
void note_use(const Path& dir) {
  try {
    const Dir entry = Dir::open(dir);
    const auto info = entry.info("manifest");
    if (info && info->mtime_ns / 1'000'000 + kDayMs < SystemClock().wall_ms()) entry.touch("manifest");
  } catch (const Error&) {
    // Another user's store.
  }
}

}  // namespace

bool StoredWheel::record_is_final() const {
  return entry_points.empty() && std::ranges::none_of(data, &DataFile::rewrite);
}

std::string store_tag(const Interpreter& python) {
  const bool has_suffix = !python.free_threaded || python.cache_tag.ends_with('t');
  return python.cache_tag + (has_suffix ? "" : "t");
}

std::optional<StoredWheel> find_unpacked(const StorePaths& store, const std::string& digest_hex,
                                         const std::string& store_tag) {
  for (const bool bytecode : {false, true}) {
    if (store.bytecode && !bytecode) continue;
    auto found = read_entry(store.unpacked / EntryName{digest_hex, store_tag, bytecode}.text());
    if (!found) continue;
    note_use(found->dir);
    return found;
  }
  return std::nullopt;
}

std::vector<StoredWheel> ensure_unpacked(const std::vector<WheelToInstall>& wheels, const Interpreter& python,
                                         BlobStore& blobs, const StorePaths& store, EventSink& events) {
  const std::string tag = store_tag(python);
  std::vector<std::optional<StoredWheel>> found(wheels.size());
  Unpacker unpacker(python, blobs, store, events);
  for (size_t i = 0; i < wheels.size(); ++i) {
    found[i] = find_unpacked(store, wheels[i].digest.hex(), tag);
    if (!found[i]) unpacker.add(wheels[i]);
  }
  unpacker.finish();
  std::vector<StoredWheel> out;
  for (size_t i = 0; i < wheels.size(); ++i) {
    if (!found[i]) found[i] = find_unpacked(store, wheels[i].digest.hex(), tag);
    if (!found[i]) {
      throw Error(ErrorKind::io, "the unpacked wheel vanished while it was needed", wheels[i].file_name,
                  "does something clean the store while installs run?");
    }
    out.push_back(std::move(*found[i]));
  }
  return out;
}

}  // namespace dae::resolver
