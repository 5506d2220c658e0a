#include <algorithm>
#include <set>

#include "base/error.h"
#include "resolver/bundle/bundle.h"

namespace dae::resolver {
namespace {

// Of no commit and no day: a bundle is its contents.
constexpr int64_t kMtime = 315'532'800;  // 1980-01-01, the earliest that a ZIP can say

Path absolute_path(const Path& path) {
  Path out = std::filesystem::absolute(path).lexically_normal();
  return out.has_filename() ? out : out.parent_path();
}

// A folder that has anything else in it is somebody's, even with a bundle unpacked into it.
bool is_bundle(const Path& path) {
  if (!std::filesystem::is_directory(path)) return is_bundle_archive_name(path);
  static const std::set<std::string> kOurs = {kBundleManifest, kBundleLock, "requirements.txt",
                                              "SHA256SUMS",    "sdists",    "wheels"};
  const std::vector<std::string> names = list_dir(path);
  return std::ranges::all_of(names, [](const std::string& name) { return kOurs.contains(name); });
}

// What stands at `path` is moved into `aside`, to go with it.
void make_room(const Path& path, bool replace, const Path& aside) {
  if (!file_info(path)) return;
  if (!replace) throw Error(ErrorKind::refused, "there is something already", path.string(), "`--force` replaces it");
  if (!is_bundle(path))
    throw Error(ErrorKind::refused, "what stands there is no bundle: it is not replaced", path.string());
  rename_path(path, aside / "replaced");
}

}  // namespace

bool is_bundle_archive_name(const Path& path) {
  const std::string name = path.filename().string();
  return name.ends_with(".tar") || name.ends_with(".tar.zst");
}

void write_bundle_folder(const BundleContents& contents, const Path& path, bool replace, EventSink& events) {
  const Path target = absolute_path(path);
  if (!replace && file_info(target)) {
    throw Error(ErrorKind::refused, "there is something already", target.string(), "`--force` replaces it");
  }
  make_dirs(target.parent_path());
  const TempDir work(".bundle-", target.parent_path());
  const Path fresh = work.path() / "fresh";
  make_dirs(fresh);
  for (const char* folder : {"wheels", "sdists"}) {
    if (std::ranges::any_of(contents.entries, [&](const TarEntry& e) { return e.name.starts_with(folder); })) {
      make_dirs(fresh / folder);
    }
  }
  Activity activity(events, "writing", target.filename().string(), contents.size_bytes, true);
  uint64_t done = 0;
  for (const TarEntry& entry : contents.entries) {
    if (entry.source.empty()) {
      write_file_atomic(fresh / entry.name, entry.bytes, 0644, Durability::none);
      done += entry.bytes.size();
    } else {
      copy_file(entry.source, fresh / entry.name);
      done += file_info(entry.source)->size_bytes;
    }
    activity.progress(done);
  }
  make_room(target, replace, work.path());
  rename_path(fresh, target);
  activity.finish();
}

void write_bundle_archive(const BundleContents& contents, const Path& path, bool replace, EventSink& events) {
  const Path target = absolute_path(path);
  if (!replace && file_info(target)) {
    throw Error(ErrorKind::refused, "there is something already", target.string(), "`--force` replaces it");
  }
  make_dirs(target.parent_path());
  const TempDir work(".bundle-", target.parent_path());
  const Path fresh = work.path() / "fresh";
  Activity activity(events, "writing", target.filename().string());
  if (target.filename().string().ends_with(".zst")) {
    write_tar_zst(fresh, contents.entries, kMtime);
  } else {
    write_tar(fresh, contents.entries, kMtime);
  }
  make_room(target, replace, work.path());
  rename_path(fresh, target);
  activity.finish();
}

}  // namespace dae::resolver
