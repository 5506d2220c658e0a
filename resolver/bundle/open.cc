#include "resolver/bundle/open.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/archive.h"
#include "base/error.h"
#include "base/strings.h"
#include "resolver/source/archive_source.h"
#include "resolver/source/find_links.h"
#include "resolver/standards/direct_url.h"
#include "resolver/standards/names.h"

namespace dae::resolver {
namespace {

constexpr uint64_t kMaxTextBytes = 64ull << 20;
// Wheels with GPU libraries have gigabytes each.
constexpr uint64_t kMaxBundleBytes = 256ull << 30, kMaxMemberBytes = 16ull << 30;

std::string read_text(const Path& root, const char* name) {
  const Path path = root / name;
  const auto info = file_info(path);
  if (!info || !info->is_file()) {
    throw Error(ErrorKind::not_found, fmt::format("this is no bundle: it has no file `{}`", name), root.string(),
                "`dae bundle` makes one");
  }
  return read_file(path, kMaxTextBytes);
}

std::string direct_url_of(const Selected& what, const BundleFile& file, const Path& lock_dir) {
  if (what.directory) {
    Path place = (std::filesystem::absolute(lock_dir) / what.directory->path).lexically_normal();
    if (!place.has_filename()) place = place.parent_path();
    return render_direct_url({file_url(place), what.directory->subdirectory, DirectUrl::Directory{false}});
  }
  if (!file.direct_url.empty()) return render_direct_url(parse_direct_url(file.direct_url, file.path));
  if (!what.direct || what.vcs) return "";
  const std::string url = what.file.path.empty() ? what.file.url : file_url(lock_dir / what.file.path);
  return render_direct_url({url, what.subdirectory, DirectUrl::Archive{{{"sha256", what.file.sha256}}}});
}

class Finder {
 public:
  Finder(const OpenBundle& bundle, const Target& target, const Path& lock_dir)
      : bundle_(bundle), target_(target), lock_dir_(lock_dir) {}

  BundledPackage find(const Selected& what) const {
    const std::string name = normalize_name(what.name);
    if (what.is_wheel) {
      const BundleFile* file = named(what, "wheels/");
      if (file == nullptr) missing(what);
      return ready(what, *file);
    }
    const std::string identity = source_identity(what);
    for (const BundleFile& file : bundle_.manifest.files) {
      if (file.package != name || file.built_from != identity || !bundled_wheel_fits(file, target_)) continue;
      check_there(file);
      return ready(what, file);
    }
    const BundleFile* sdist = what.vcs || what.directory ? nullptr : named(what, "sdists/");
    if (sdist == nullptr) missing(what);
    return {{}, sdist, true, what};
  }

 private:
  BundledPackage ready(const Selected& what, const BundleFile& file) const {
    BundledPackage out;
    out.what = what;
    out.file = &file;
    out.wheel.name = normalize_name(what.name);
    out.wheel.version = what.version.empty() ? file.version : what.version;
    out.wheel.file_name = file.path.substr(file.path.find('/') + 1);
    out.wheel.digest = Digest::parse(file.sha256);
    if (what.direct) out.wheel.direct_url = direct_url_of(what, file, lock_dir_);
    return out;
  }

  // The very file that the lock names.
  const BundleFile* named(const Selected& what, const char* folder) const {
    for (const BundleFile& file : bundle_.manifest.files) {
      if (file.sha256 != what.file.sha256 || file.path != folder + what.file.name) continue;
      check_there(file);
      return &file;
    }
    return nullptr;
  }

  void check_there(const BundleFile& file) const {
    const auto info = file_info(bundle_.root / file.path);
    if (!info || !info->is_file()) {
      throw Error(ErrorKind::not_found, fmt::format("the bundle has lost `{}`", file.path), bundle_.root.string(),
                  "copy it again, or make a new one");
    }
    if (info->size_bytes == file.size_bytes) return;
    throw Error(ErrorKind::verification,
                fmt::format("has {} bytes, the bundle says {}", info->size_bytes, file.size_bytes), file.path,
                "it was altered or cut off on the way; copy the bundle again");
  }

  [[noreturn]] void missing(const Selected& what) const {
    const std::string package = what.version.empty() ? what.name : what.name + " " + what.version;
    throw Error(ErrorKind::not_found, fmt::format("the bundle has no file of `{}` for {}", package, target_.label()),
                bundle_.root.string(), "bundle again with `--target` and the extras and groups that are wanted")
        .because("it was made for " + join(target_labels(bundle_.manifest.targets), ", "));
  }

  const OpenBundle& bundle_;
  const Target& target_;
  const Path& lock_dir_;
};

class RefusingTransport final : public Transport {
 public:
  explicit RefusingTransport(std::string reason) : reason_(std::move(reason)) {}
  HttpResponse send(HttpRequest request) override { refuse(request); }
  std::future<HttpResponse> send_async(HttpRequest request) override { refuse(request); }

 private:
  [[noreturn]] void refuse(const HttpRequest& request) const {
    throw Error(ErrorKind::refused, reason_, strip_url_credentials(request.url));
  }
  const std::string reason_;
};

}  // namespace

OpenBundle open_bundle(const Path& root) {
  OpenBundle out;
  out.root = root;
  out.manifest = parse_bundle_manifest(read_text(root, kBundleManifest), (root / kBundleManifest).string());
  out.lock_text = read_text(root, kBundleLock);
  if (Digest::of(out.lock_text).hex() != out.manifest.lock_sha256) {
    throw Error(ErrorKind::verification, "the lock of the bundle is not the one it was made for",
                (root / kBundleLock).string(), "it was altered; copy the bundle again, or make a new one");
  }
  out.lock = parse_lock(out.lock_text, (root / kBundleLock).string());
  return out;
}

OpenBundle open_bundle_archive(const Path& archive, const Path& into) {
  ArchiveLimits limits;
  limits.total_bytes = kMaxBundleBytes;
  limits.entry_bytes = kMaxMemberBytes;
  unpack_archive(archive, into, limits);
  try {
    return open_bundle(into);
  } catch (const Error& error) {
    // Where it was unpacked says nothing to anybody.
    if (error.kind() != ErrorKind::not_found) throw;
    throw Error(error.kind(), error.message(), archive.string(), error.hint());
  }
}

std::vector<BundledPackage> packages_of_bundle(const OpenBundle& bundle, const Target& target,
                                               const SelectOptions& which, const Path& lock_dir) {
  const Finder finder(bundle, target, lock_dir);
  std::vector<Selected> selected;
  try {
    selected = select(bundle.lock, target, which);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::refused) throw;
    throw Error(error.kind(), error.message(), error.subject(), error.hint())
        .because("the bundle was made for " + join(target_labels(bundle.manifest.targets), ", "));
  }
  std::vector<BundledPackage> out;
  for (const Selected& what : selected) out.push_back(finder.find(what));
  return out;
}

void take_bundled(const OpenBundle& bundle, const BundleFile& file, BlobStore& blobs) {
  take_local_file(bundle.root / file.path, file.sha256, file.path, blobs);
}

std::unique_ptr<Transport> make_refusing_transport(std::string reason) {
  return std::make_unique<RefusingTransport>(std::move(reason));
}

}  // namespace dae::resolver
