#include "resolver/audit/feed_download.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/http.h"
#include "base/strings.h"
#include "base/value.h"

namespace dae::resolver {
namespace {

struct Memory {
  std::string etag, last_modified;
  Digest digest;
  int64_t checked_ms = 0;
};

Path memory_path(const FeedAccess& access, const std::string& label) {
  return access.cache_dir / "audit" / (Digest::of(label).short_hex(32) + ".json");
}

// Anything odd counts as not remembered.
std::optional<Memory> recall(const Path& path, const FeedAccess& access) {
  const auto text = read_file_if_exists(path, 1 << 16);
  if (!text) return std::nullopt;
  try {
    const Value root = parse_json(*text, path.string()).root;
    Memory out{root.get_string("etag"), root.get_string("last_modified"), Digest::parse(root.get_string("sha256")),
               root.get_integer("checked_ms")};
    if (!access.blobs.has(out.digest)) return std::nullopt;
    return out;
  } catch (const Error&) {
    return std::nullopt;
  }
}

void remember(const Path& path, const Memory& memory) {
  make_dirs(path.parent_path());
  const Value root = Value::object({{"etag", memory.etag},
                                    {"last_modified", memory.last_modified},
                                    {"sha256", memory.digest.hex()},
                                    {"checked_ms", memory.checked_ms}});
  write_file_atomic(path, canonical_json(root) + "\n", 0644, Durability::contents);
}

bool is_loopback(const std::string& host) {
  return host == "localhost" || host == "[::1]" ||
         (host.starts_with("127.") && host.find_first_not_of("0123456789.") == std::string::npos);
}

void check_address(const std::string& address, const std::string& label) {
  const Url url = parse_url(address);
  if (url.scheme == "https" || (url.scheme == "http" && is_loopback(url.host))) return;
  throw Error(ErrorKind::refused, "a feed of advisories is fetched over https only", label,
              "anybody on the way could leave advisories out of it");
}

void check_answer(const HttpResponse& answer, const std::string& label, CredentialStore& credentials) {
  if (answer.ok()) return;
  const bool denied = answer.status == 401 || answer.status == 403, gone = answer.status == 404 || answer.status == 410;
  throw Error(denied ? ErrorKind::refused
              : gone ? ErrorKind::not_found
                     : ErrorKind::network,
              fmt::format("the server answered {} {}", answer.status, http_reason(answer.status)), label,
              denied ? credentials.hint(label) : "");
}

HttpRequest request_for(const std::string& url, const std::optional<Memory>& memory, const FeedAccess& access) {
  HttpRequest request;
  request.url = url;
  request.body_limit_bytes = access.limit_bytes;
  request.headers.add("Accept-Encoding", "identity");
  if (memory && !memory->etag.empty()) request.headers.add("If-None-Match", memory->etag);
  if (memory && !memory->last_modified.empty()) request.headers.add("If-Modified-Since", memory->last_modified);
  access.credentials.authorise(request);
  return request;
}

Error with_way_out(const Error& error, const std::string& label, const std::optional<Memory>& memory,
                   const FeedAccess& access) {
  Error out(ErrorKind::network, "the feed cannot be fetched", label);
  out.because(error.message() + (error.cause().empty() ? "" : ": " + error.cause()));
  if (memory) {
    out.with_hint(fmt::format("`--offline` uses what was fetched {} ago",
                              format_duration(access.clock.wall_ms() - memory->checked_ms)));
  }
  return out;
}

}  // namespace

bool is_feed_url(std::string_view feed) {
  return feed.find("://") != std::string_view::npos;
}

DownloadedFeed download_feed(const std::string& url, const FeedAccess& access) {
  DownloadedFeed out;
  out.label = parse_url(url).text();
  check_address(url, out.label);
  const Path path = memory_path(access, out.label);
  std::optional<Memory> memory = recall(path, access);
  if (access.offline) {
    if (!memory) {
      throw Error(ErrorKind::refused, "the feed was never fetched, and `--offline` forbids it", out.label,
                  "run it once without `--offline`, or name a file with `--feed`");
    }
    out.file = access.blobs.path(memory->digest);
    out.checked_ms = memory->checked_ms;
    out.from_cache = true;
    out.keep = [] {};
    return out;
  }
  Activity activity(access.events, "fetching advisories", out.label, 0, true);
  const std::unique_ptr<BlobWriter> writer = access.blobs.writer();
  HttpRequest request = request_for(url, memory, access);
  request.on_restart = [&] { writer->restart(); };
  request.on_body = [&](std::string_view bytes) {
    writer->write(bytes);
    activity.progress(writer->size_bytes());
  };
  HttpResponse answer;
  try {
    answer = access.transport.send(std::move(request));
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::network) throw;
    throw with_way_out(error, out.label, memory, access);
  }
  if (!answer.effective_url.empty()) check_address(answer.effective_url, out.label);
  if (answer.status != 304 || !memory) {
    check_answer(answer, out.label, access.credentials);
    if (writer->size_bytes() == 0 && !answer.body.empty()) writer->write(answer.body);
    memory = Memory{std::string(answer.headers.get("etag")), std::string(answer.headers.get("last-modified")),
                    writer->commit(), 0};
  }
  memory->checked_ms = access.clock.wall_ms();
  activity.finish();
  out.file = access.blobs.path(memory->digest);
  out.checked_ms = memory->checked_ms;
  out.keep = [path, kept = *memory] { remember(path, kept); };
  return out;
}

}  // namespace dae::resolver
