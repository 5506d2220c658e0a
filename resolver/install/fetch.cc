#include <fmt/format.h>

#include <mutex>

#include "base/error.h"
#include "base/log.h"
#include "base/strings.h"
#include "resolver/install/build.h"
#include "resolver/install/fetch_source.h"
#include "resolver/install/parallel.h"
#include "resolver/source/archive_source.h"
#include "resolver/source/find_links.h"
#include "resolver/standards/names.h"

namespace dae::resolver {
namespace {

// Each waits for one answer, hashes and syncs one file: more than cores, as most of it is waiting.
constexpr size_t kDownloads = 12;
constexpr uint64_t kMaxFileBytes = 4ull << 30;

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

void check_status(const HttpResponse& answer, const Selected& item, CredentialStore& credentials) {
  if (answer.ok()) return;
  const bool denied = answer.status == 401 || answer.status == 403;
  const bool missing = answer.status == 404 || answer.status == 410;
  throw Error(denied    ? ErrorKind::refused
              : missing ? ErrorKind::not_found
                        : ErrorKind::network,
              fmt::format("cannot be downloaded: the server answered {} {}", answer.status, http_reason(answer.status)),
              item.file.name, denied ? credentials.hint(item.file.url) : "")
      .because(redact_url(item.file.url));
}

void download(const Selected& item, const Digest& digest, Transport& transport, BlobStore& blobs, EventSink& events,
              CredentialStore& credentials) {
  Activity activity(events, "downloading", item.file.name, item.file.size_bytes.value_or(0), true);
  const std::unique_ptr<BlobWriter> writer = blobs.writer();
  HttpRequest request;
  request.url = item.file.url;
  request.body_limit_bytes = kMaxFileBytes;
  // A wheel is compressed already; and what is hashed has to be the file, not a coding of it.
  request.headers.add("Accept-Encoding", "identity");
  uint64_t total = item.file.size_bytes.value_or(0);
  request.on_headers = [&](int, const Headers& headers) {
    if (total == 0) total = static_cast<uint64_t>(parse_int(headers.get("content-length")).value_or(0));
  };
  request.on_restart = [&] { writer->restart(); };
  request.on_body = [&](std::string_view bytes) {
    if (writer->size_bytes() + bytes.size() > item.file.size_bytes.value_or(kMaxFileBytes)) {
      throw Error(ErrorKind::verification, "is larger than it is said to be", item.file.name);
    }
    writer->write(bytes);
    activity.progress(writer->size_bytes(), total);
  };
  credentials.authorise(request);
  const HttpResponse answer = transport.send(std::move(request));
  check_status(answer, item, credentials);
  // A transport without streaming hands the body over at the end.
  if (writer->size_bytes() == 0 && !answer.body.empty()) writer->write(answer.body);
  check_size(item, writer->size_bytes());
  try {
    writer->commit(digest);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::verification) throw;
    throw Error(ErrorKind::verification, "its digest is not the one in the lock", item.file.name,
                "the file was replaced on its index, or altered on the way; do not install it")
        .because(error.message());
  }
  activity.finish();
}

void take_in(const Selected& item, const Digest& digest, Transport& transport, BlobStore& blobs, EventSink& events,
             const Path& base_dir, const std::function<CredentialStore&()>& credentials) {
  if (blobs.has(digest)) return;
  const auto local = path_of_file_url(item.file.url);
  if (item.file.path.empty() && !local) {
    if (!item.file.url.empty()) return download(item, digest, transport, blobs, events, credentials());
    throw Error(ErrorKind::bad_input, "the lock says neither where it is nor how to get it", item.file.name);
  }
  const Path path = item.file.path.empty() ? *local : base_dir / item.file.path;
  if (const auto info = file_info(path)) check_size(item, info->size_bytes);
  take_local_file(path, digest.hex(), item.file.name, blobs);
}

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
  CredentialStore own;
  CredentialStore* store = &own;
  std::once_flag asked;
  const auto credentials = [&]() -> CredentialStore& {
    std::call_once(asked, [&] { store = options.credentials ? &options.credentials() : store; });
    return *store;
  };
  std::vector<WheelToInstall> out(selected.size());
  parallel_for(selected.size(), kDownloads, [&](size_t i) {
    const Selected& item = selected[i];
    if (item.vcs || item.directory) return;
    out[i] = {normalize_name(item.name), item.version, item.file.name, digest_of(item), ""};
    take_in(item, out[i].digest, transport, blobs, events, options.base_dir, credentials);
    if (item.direct) out[i].direct_url = archive_direct_url(item, out[i].digest, options.base_dir);
  });
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
