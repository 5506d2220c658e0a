#include "resolver/source/archive_source.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/archive.h"
#include "base/error.h"
#include "base/http.h"
#include "base/strings.h"
#include "base/value.h"
#include "resolver/source/source_tree.h"
#include "resolver/standards/direct_url.h"

namespace dae::resolver {
namespace {

constexpr uint64_t kMaxFileBytes = 4ull << 30;
constexpr uint64_t kMaxUnpackedBytes = 8ull << 30;

// What a URL gave last.
struct Memory {
  std::string etag, last_modified;
  FetchedFile file;
};

Path memory_path(const Path& cache_dir, const std::string& url) {
  return cache_dir / "direct-v1" / (Digest::of(strip_url_credentials(url)).short_hex(32) + ".json");
}

// Anything odd counts as not remembered.
std::optional<Memory> recall(const Path& path, const BlobStore& blobs) {
  const auto text = read_file_if_exists(path, 1 << 16);
  if (!text) return std::nullopt;
  try {
    const Value root = parse_json(*text, path.string()).root;
    Memory out;
    out.etag = root.get_string("etag");
    out.last_modified = root.get_string("last_modified");
    out.file.digest = Digest::parse(root.get_string("sha256"));
    const auto size_bytes = blobs.size_bytes(out.file.digest);
    if (!size_bytes) return std::nullopt;
    out.file.size_bytes = *size_bytes;
    return out;
  } catch (const Error&) {
    return std::nullopt;
  }
}

[[noreturn]] void wrong_digest(const std::string& wanted, const Digest& found, const std::string& label) {
  throw Error(ErrorKind::verification, "its digest is not the one that was stated", label,
              "the file was replaced, or altered on the way; do not install it")
      .because(fmt::format("sha256 {}, stated {}", found.hex(), wanted));
}

void check_answer(const HttpResponse& answer, const std::string& label) {
  if (answer.ok()) return;
  const bool denied = answer.status == 401 || answer.status == 403, gone = answer.status == 404 || answer.status == 410;
  throw Error(denied ? ErrorKind::refused
              : gone ? ErrorKind::not_found
                     : ErrorKind::network,
              fmt::format("the server answered {} {}", answer.status, http_reason(answer.status)), label,
              denied ? "put the credentials of this host in your netrc file" : "");
}

}  // namespace

FetchedFile fetch_direct_file(const std::string& url, const std::string& sha256, const std::string& label,
                              Transport& transport, BlobStore& blobs, const Path& cache_dir, bool offline,
                              EventSink& events) {
  if (!sha256.empty()) {
    const Digest digest = Digest::parse(sha256);
    if (const auto size_bytes = blobs.size_bytes(digest)) return {digest, *size_bytes};
  }
  const Path remembered = memory_path(cache_dir, url);
  std::optional<Memory> memory = recall(remembered, blobs);
  if (memory && !sha256.empty() && memory->file.digest.hex() != sha256) memory.reset();
  if (offline) {
    if (memory) return memory->file;
    throw Error(ErrorKind::refused, "the file is not in the cache, and `--offline` forbids fetching it", label,
                "run it once without `--offline`");
  }
  Activity activity(events, "downloading", label.substr(label.rfind('/') + 1), 0, true);
  const std::unique_ptr<BlobWriter> writer = blobs.writer();
  HttpRequest request;
  request.url = url;
  request.body_limit_bytes = kMaxFileBytes;
  request.headers.add("Accept-Encoding", "identity");  // the digest is that of the file
  if (memory && !memory->etag.empty()) request.headers.add("If-None-Match", memory->etag);
  if (memory && !memory->last_modified.empty()) request.headers.add("If-Modified-Since", memory->last_modified);
  request.on_restart = [&] { writer->restart(); };
  request.on_body = [&](std::string_view bytes) {
    writer->write(bytes);
    activity.progress(writer->size_bytes());
  };
  const HttpResponse answer = transport.send(std::move(request));
  if (answer.status == 304 && memory) {
    activity.finish();
    return memory->file;
  }
  check_answer(answer, label);
  if (writer->size_bytes() == 0 && !answer.body.empty()) writer->write(answer.body);
  FetchedFile out;
  out.size_bytes = writer->size_bytes();
  out.digest = writer->commit();
  if (!sha256.empty() && out.digest.hex() != sha256) {
    blobs.remove(out.digest);
    wrong_digest(sha256, out.digest, label);
  }
  activity.finish();
  make_dirs(remembered.parent_path());
  write_file_atomic(remembered,
                    canonical_json(Value::object({{"etag", answer.headers.get("ETag")},
                                                  {"last_modified", answer.headers.get("Last-Modified")},
                                                  {"sha256", out.digest.hex()}})),
                    0644, Durability::none);
  return out;
}

FetchedFile take_local_file(const Path& path, const std::string& sha256, const std::string& label, BlobStore& blobs) {
  const auto info = file_info(std::filesystem::weakly_canonical(path));
  if (!info || !info->is_file()) throw Error(ErrorKind::not_found, "there is no such file", label);
  if (info->size_bytes > kMaxFileBytes) throw Error(ErrorKind::bad_input, "the file is too large", label);
  try {
    const Digest digest = blobs.copy_in(path, sha256.empty() ? std::optional<Digest>() : Digest::parse(sha256));
    return {digest, info->size_bytes};
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::verification) throw;
    throw Error(ErrorKind::verification, "its digest is not the one that was stated", label,
                "the file was replaced, or altered on the way; do not install it")
        .because(error.message());
  }
}

namespace {

// "Source distribution format": one directory at the top. Archives that are no sdists may have the project there
// itself.
Path top_of(const Path& tree, const std::string& label) {
  const std::vector<std::string> names = list_dir(tree);
  if (names.size() == 1) {
    if (const auto info = file_info(tree / names.front()); info && info->is_dir()) return tree / names.front();
  }
  if (exists(tree / "pyproject.toml") || exists(tree / "setup.py")) return tree;
  if (names.empty()) throw Error(ErrorKind::bad_input, "the archive is empty", label);
  std::string seen;
  for (size_t i = 0; i < std::min<size_t>(names.size(), 3); ++i) seen += (i == 0 ? "`" : ", `") + names[i] + "`";
  throw Error(ErrorKind::bad_input, "a source archive has one directory at its top, this one has not", label)
      .because(names.size() > 3 ? fmt::format("it has {} and {} more", seen, names.size() - 3) : "it has " + seen);
}

}  // namespace

Path unpack_source(const Path& archive, const Path& into, const std::string& label) {
  make_dirs(into);
  ArchiveLimits limits;
  limits.total_bytes = kMaxUnpackedBytes;
  limits.drop_leading_slashes = true;  // PEP 721: MUST
  try {
    unpack_archive(archive, into, limits);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::bad_input) throw;
    throw Error(ErrorKind::bad_input, error.message(), label, error.hint());
  }
  check_links_stay_inside(into, label);
  return top_of(into, label);
}

}  // namespace dae::resolver
