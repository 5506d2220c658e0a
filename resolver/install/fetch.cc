#include <fmt/format.h>

#include <map>

#include "base/error.h"
#include "base/strings.h"
#include "resolver/install/build.h"
#include "resolver/install/downloads.h"
#include "resolver/install/fetch_source.h"
#include "resolver/install/parallel.h"
#include "resolver/source/archive_source.h"
#include "resolver/source/find_links.h"
#include "resolver/standards/names.h"

namespace dae::resolver {
namespace {

Digest digest_of(const Selected& item) {
  if (Digest::is_valid(item.file.sha256)) return Digest::parse(item.file.sha256);
  const auto found = item.file.hashes.find("sha256");
  if (found != item.file.hashes.end() && Digest::is_valid(found->second)) return Digest::parse(found->second);
  throw Error(ErrorKind::verification, "the lock has no SHA-256 of it, so it cannot be checked", item.file.name,
              "lock again with an index that states hashes");
}

void check_size(const Selected& item, uint64_t found) {
  if (!item.file.size_bytes || *item.file.size_bytes == found) return;
  throw Error(ErrorKind::verification, fmt::format("has {} bytes, the lock says {}", found, *item.file.size_bytes),
              item.file.name);
}

// Archives of this machine, checked and copied in.
void take_local(const Selected& item, const Digest& digest, const Path& path, BlobStore& blobs) {
  if (const auto info = file_info(path)) check_size(item, info->size_bytes);
  take_local_file(path, digest.hex(), item.file.name, blobs);
}

[[noreturn]] void refuse_offline(const std::vector<std::string>& missing) {
  throw Error(ErrorKind::refused,
              fmt::format("{} not in the cache, and `--offline` forbids fetching",
                          missing.size() == 1 ? "a file is" : fmt::format("{} files are", missing.size())),
              missing.size() == 1 ? missing[0] : "", "leave out `--offline`, or fetch once while online")
      .because(join(missing, ", "));
}

// Which files have to come from where, and what becomes of each.
class Fetching {
 public:
  Fetching(const std::vector<Selected>& selected, Transport& transport, BlobStore& blobs, EventSink& events,
           const FetchOptions& options)
      : selected_(selected), transport_(transport), blobs_(blobs), events_(events), options_(options) {}

  // Wheels are complete in the result; of sdists the archive is there.
  std::vector<WheelToInstall> run() {
    out_.resize(selected_.size());
    std::map<Digest, std::vector<size_t>> remote;
    std::vector<std::pair<size_t, Path>> local;
    for (size_t i = 0; i < selected_.size(); ++i) {
      const Selected& item = selected_[i];
      if (item.vcs || item.directory) continue;
      out_[i] = {normalize_name(item.name), item.version, item.file.name, digest_of(item), ""};
      if (item.direct) out_[i].direct_url = archive_direct_url(item, out_[i].digest, options_.base_dir);
      if (is_here(item, out_[i].digest)) {
        tell(i);
      } else if (const auto path = local_path(item)) {
        local.emplace_back(i, *path);
      } else if (!item.file.url.empty()) {
        remote[out_[i].digest].push_back(i);
      } else {
        throw Error(ErrorKind::bad_input, "the lock says neither where it is nor how to get it", item.file.name);
      }
    }
    if (options_.offline && !remote.empty()) refuse_offline(names_of(remote));
    parallel_for(local.size(), cpu_threads(), [&](size_t k) {
      const auto& [i, path] = local[k];
      take_local(selected_[i], out_[i].digest, path, blobs_);
      tell(i);
    });
    if (!remote.empty()) download(remote);
    return std::move(out_);
  }

 private:
  // A blob of another size than the lock says was torn by a power cut, or the lock lies; both show when it is fetched.
  bool is_here(const Selected& item, const Digest& digest) const {
    const auto size_bytes = blobs_.size_bytes(digest);
    if (!size_bytes) return false;
    if (!item.file.size_bytes || *item.file.size_bytes == *size_bytes) return true;
    if (blobs_.verify(digest)) check_size(item, *size_bytes);
    blobs_.remove(digest);
    return false;
  }

  std::optional<Path> local_path(const Selected& item) const {
    if (!item.file.path.empty()) return options_.base_dir / item.file.path;
    return path_of_file_url(item.file.url);
  }

  std::vector<std::string> names_of(const std::map<Digest, std::vector<size_t>>& remote) const {
    std::vector<std::string> names;
    for (const auto& [digest, items] : remote) names.push_back(selected_[items.front()].file.name);
    std::ranges::sort(names);
    return names;
  }

  void tell(size_t i) const {
    if (selected_[i].is_wheel && options_.on_wheel) options_.on_wheel(out_[i]);
  }

  void download(const std::map<Digest, std::vector<size_t>>& remote) {
    CredentialStore own;
    CredentialStore& credentials = options_.credentials ? options_.credentials() : own;
    Downloads downloads(transport_, blobs_, credentials, events_, options_.max_per_host);
    for (const auto& entry : remote) {  // clang 14 does not let a lambda capture a structured binding
      const std::vector<size_t>& items = entry.second;
      downloads.add(selected_[items.front()], entry.first, [this, &items] {
        for (const size_t i : items) tell(i);
      });
    }
    downloads.run();
  }

  const std::vector<Selected>& selected_;
  Transport& transport_;
  BlobStore& blobs_;
  EventSink& events_;
  const FetchOptions& options_;
  std::vector<WheelToInstall> out_;
};

BuildSetup setup_for(const FetchOptions& options) {
  BuildSetup out;
  out.offline = options.offline;
  out.base_dir = options.base_dir;
  out.credentials = options.credentials;
  return out;
}

}  // namespace

std::vector<WheelToInstall> fetch_selected(const std::vector<Selected>& selected, const Interpreter& python,
                                           Transport& transport, BlobStore& blobs, const Path& cache_dir,
                                           ProcessRunner& runner, EventSink& events, const FetchOptions& options) {
  std::vector<WheelToInstall> out = Fetching(selected, transport, blobs, events, options).run();
  std::optional<SourceBuilder> plain;
  // Builds use every core by themselves.
  for (size_t i = 0; i < selected.size(); ++i) {
    const Selected& item = selected[i];
    if (item.is_wheel && !item.vcs && !item.directory) continue;
    if (options.builder == nullptr && !plain) {
      plain.emplace(python, transport, blobs, cache_dir, runner, events, setup_for(options));
    }
    out[i] = wheel_from_source(item, options.builder != nullptr ? *options.builder : *plain, options.build_chain);
    if (options.on_wheel) options.on_wheel(out[i]);
  }
  return out;
}

}  // namespace dae::resolver
