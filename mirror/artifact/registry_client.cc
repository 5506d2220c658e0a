#include "mirror/artifact/registry_client.h"

#include <mutex>
#include <set>

#include "base/log.h"
#include "base/value.h"
#include "mirror/artifact/parallel.h"
#include "mirror/artifact/registry_reply.h"
#include "mirror/registry/content_digest.h"
#include "mirror/registry/protocol.h"

namespace dae::mirror {
namespace {

constexpr size_t kParallel = 4;
constexpr int kTries = 3;
constexpr size_t kMostTagPages = 1000;

std::string repository_url(const std::string& registry, const std::string& repository) {
  if (!is_repository_name(repository)) {
    throw Error(ErrorKind::bad_input, "not a name that a registry takes", repository,
                "lower-case letters and digits, with `.`, `_`, `-` between them, in parts separated by `/`");
  }
  return registry + "/v2/" + repository;
}

// Config and layers, each digest once, in the manifest's order.
std::vector<Descriptor> distinct_blobs(const Manifest& manifest) {
  std::vector<Descriptor> blobs;
  std::set<Digest> seen;
  const auto add = [&](const Descriptor& descriptor) {
    if (seen.insert(descriptor.digest).second) blobs.push_back(descriptor);
  };
  add(manifest.config);
  for (const Descriptor& layer : manifest.layers) add(layer);
  return blobs;
}

std::string title_of(const Descriptor& descriptor) {
  const auto title = descriptor.annotations.find(kTitle);
  return title == descriptor.annotations.end() ? descriptor.digest.oci() : title->second;
}

// Bytes of several transfers as one activity.
class Meter {
 public:
  Meter(EventSink& events, const std::string& text, const std::string& subject, uint64_t total)
      : activity_(events, text, subject, total, true) {}
  void add(int64_t bytes) {
    std::lock_guard lock(mutex_);
    done_ += bytes;
    activity_.progress(static_cast<uint64_t>(done_));
  }
  void finish(const std::string& text) { activity_.finish(text); }

 private:
  std::mutex mutex_;
  int64_t done_ = 0;
  Activity activity_;
};

bool has_blob(Transport& transport, const std::string& base, const Digest& digest) {
  HttpRequest request;
  request.method = "HEAD";
  request.url = base + "/blobs/" + digest.oci();
  const HttpResponse response = transport.send(request);
  if (response.status == 404) return false;
  if (!response.ok()) throw registry_error("cannot ask for `" + digest.oci() + "`", request.url, response);
  return true;
}

HttpResponse open_upload(Transport& transport, const std::string& url) {
  HttpRequest request;
  request.method = "POST";
  request.url = url;
  return transport.send(std::move(request));
}

// False: nothing had to travel, the registry has these bytes from elsewhere (distribution-spec, "Mounting a blob":
// `from` is optional).
bool send_blob(Transport& transport, const std::string& base, const Descriptor& blob, const BlobStore& blobs) {
  const std::string uploads = base + "/blobs/uploads/";
  HttpResponse opened = open_upload(transport, uploads + "?mount=" + blob.digest.oci());
  if (opened.status == 201) return false;
  if (opened.status >= 400 && opened.status < 500) opened = open_upload(transport, uploads);
  const std::string_view location = opened.headers.get("Location");
  if (opened.status != 202 || location.empty()) {
    throw registry_error("cannot start to push `" + title_of(blob) + "`", uploads, opened);
  }
  HttpRequest put;
  put.method = "PUT";
  put.url = resolve_url(uploads, location);
  put.url += (put.url.find('?') == std::string::npos ? "?digest=" : "&digest=") + percent_encode(blob.digest.oci());
  put.headers.add("Content-Type", "application/octet-stream");
  put.body_file = blobs.path(blob.digest);
  put.retries = 0;  // the session ends with the first try, whatever comes of it
  const std::string url = put.url;
  const HttpResponse response = transport.send(std::move(put));
  if (response.status != 201) throw registry_error("cannot push `" + title_of(blob) + "`", url, response);
  return true;
}

// A broken connection ends an upload session, so that trying again begins with asking again.
bool send_if_missing(Transport& transport, const std::string& base, const Descriptor& blob, const BlobStore& blobs) {
  for (int tries_left = kTries; true;) {
    try {
      return !has_blob(transport, base, blob.digest) && send_blob(transport, base, blob, blobs);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::network || --tries_left == 0) throw;
      log_warn("pushing a blob again", {{"blob", title_of(blob)}, {"why", error.what()}});
    }
  }
}

void require_local(const Descriptor& blob, const BlobStore& blobs) {
  const auto size_bytes = blobs.size_bytes(blob.digest);
  if (!size_bytes) throw Error(ErrorKind::not_found, "a blob of the artifact is not here", title_of(blob));
  if (*size_bytes != blob.size_bytes) {
    throw Error(ErrorKind::verification, "a blob does not have the size that the manifest says", title_of(blob));
  }
}

void fetch_blob(Transport& transport, const std::string& base, const Descriptor& blob, BlobStore& blobs, Meter& meter) {
  auto writer = blobs.writer();
  HttpRequest request;
  request.url = base + "/blobs/" + blob.digest.oci();
  request.headers.add("Accept-Encoding", "identity");
  request.body_limit_bytes = blob.size_bytes;
  const auto too_long = [&] {
    return Error(ErrorKind::verification, "the registry sent more bytes than the manifest says", title_of(blob));
  };
  request.on_restart = [&] {
    meter.add(-static_cast<int64_t>(writer->size_bytes()));
    writer->restart();
  };
  request.on_body = [&](std::string_view piece) {
    if (writer->size_bytes() + piece.size() > blob.size_bytes) throw too_long();
    writer->write(piece);
    meter.add(static_cast<int64_t>(piece.size()));
  };
  const std::string url = request.url;
  const HttpResponse response = transport.send(std::move(request));
  if (!response.ok()) throw registry_error("cannot fetch `" + title_of(blob) + "`", url, response);
  if (writer->size_bytes() != blob.size_bytes) {
    throw Error(ErrorKind::verification, "the registry sent fewer bytes than the manifest says", title_of(blob));
  }
  writer->commit(blob.digest);
}

struct RawManifest {
  std::string bytes;
  Digest digest;
};

std::optional<RawManifest> fetch_manifest(Transport& transport, const std::string& base, const std::string& reference) {
  HttpRequest request;
  request.url = base + "/manifests/" + reference;
  request.headers.add("Accept", kManifestType);
  request.body_limit_bytes = kManifestLimitBytes;
  const std::string url = request.url;
  HttpResponse response = transport.send(std::move(request));
  if (response.status == 404) return std::nullopt;
  if (!response.ok()) throw registry_error("cannot fetch the manifest", url, response);
  RawManifest manifest{std::move(response.body), {}};
  manifest.digest = Digest::of(manifest.bytes);
  const std::string_view stated = response.headers.get("Docker-Content-Digest");
  for (const std::string_view wanted : {std::string_view(reference), stated}) {
    if (!wanted.starts_with("sha256:") || !Digest::is_valid(wanted)) continue;
    if (Digest::parse(wanted) != manifest.digest) {
      throw Error(ErrorKind::verification, "the manifest received does not have the digest it should", redact_url(url))
          .because("expected " + std::string(wanted) + ", got " + manifest.digest.oci());
    }
  }
  return manifest;
}

void put_manifest(Transport& transport, const std::string& base, const std::string& tag, const std::string& bytes) {
  HttpRequest put;
  put.method = "PUT";
  put.url = base + "/manifests/" + tag;
  put.headers.add("Content-Type", kManifestType);
  put.body = bytes;
  const std::string url = put.url;
  const HttpResponse response = transport.send(std::move(put));
  if (response.status != 201) throw registry_error("cannot push the manifest", url, response);
}

}  // namespace

RegistryClient::RegistryClient(Transport& transport, std::string registry)
    : transport_(transport), registry_(std::move(registry)) {
  while (!registry_.empty() && registry_.back() == '/') registry_.pop_back();
  parse_url(registry_);
}

PushResult RegistryClient::push(const std::string& repository, const std::string& tag, const Manifest& manifest,
                                BlobStore& blobs, EventSink& events) {
  const std::string base = repository_url(registry_, repository);
  if (!is_tag(tag)) {
    throw Error(ErrorKind::bad_input, "not a tag that a registry takes", tag,
                "letters, digits, `_`, `.`, `-`; at most 128, and neither `.` nor `-` first");
  }
  const std::string bytes = manifest.canonical();
  const Digest digest = Digest::of(bytes);
  const std::vector<Descriptor> all = distinct_blobs(manifest);
  PushResult result;
  result.blobs_total = static_cast<int>(all.size());
  for (const Descriptor& blob : all) result.bytes_total += blob.size_bytes;
  if (const auto held = fetch_manifest(transport_, base, tag)) {
    if (held->digest == digest) return result;
    throw Error(ErrorKind::refused, "`" + repository + ":" + tag + "` names another artifact already", registry_,
                "one version never has two digests: commit, and build a new one")
        .because("it is " + held->digest.oci() + ", this one is " + digest.oci());
  }
  for (const Descriptor& blob : all) require_local(blob, blobs);
  Meter meter(events, "pushing", repository + ":" + tag, result.bytes_total);
  std::mutex mutex;
  run_parallel(all.size(), kParallel, [&](size_t i) {
    const bool sent = send_if_missing(transport_, base, all[i], blobs);
    meter.add(static_cast<int64_t>(all[i].size_bytes));
    if (!sent) return;
    std::lock_guard lock(mutex);
    result.blobs_sent += 1;
    result.bytes_sent += all[i].size_bytes;
  });
  // Last: whoever sees the tag finds everything it names.
  put_manifest(transport_, base, tag, bytes);
  meter.finish("pushed");
  return result;
}

std::optional<std::pair<Manifest, Digest>> RegistryClient::manifest(const std::string& repository,
                                                                    const std::string& reference) {
  const std::string base = repository_url(registry_, repository);
  const std::string name = repository + (is_tag(reference) ? ":" : "@") + reference;
  if (!is_tag(reference) && !is_digest_form(reference)) {
    throw Error(ErrorKind::bad_input, "neither a tag nor a digest", reference);
  }
  const auto raw = fetch_manifest(transport_, base, reference);
  if (!raw) return std::nullopt;
  return std::pair{Manifest::parse(raw->bytes, name), raw->digest};
}

uint64_t RegistryClient::pull_blobs(const std::string& repository, const Manifest& manifest, BlobStore& blobs,
                                    EventSink& events) {
  const std::string base = repository_url(registry_, repository);
  std::vector<Descriptor> missing;
  uint64_t total = 0;
  for (Descriptor& blob : distinct_blobs(manifest)) {
    if (blobs.has(blob.digest)) continue;
    total += blob.size_bytes;
    missing.push_back(std::move(blob));
  }
  if (missing.empty()) return 0;
  Meter meter(events, "fetching", repository, total);
  run_parallel(missing.size(), kParallel, [&](size_t i) { fetch_blob(transport_, base, missing[i], blobs, meter); });
  meter.finish("fetched");
  return total;
}

std::vector<std::string> RegistryClient::tags(const std::string& repository) {
  std::vector<std::string> tags;
  std::optional<std::string> url = repository_url(registry_, repository) + "/tags/list?n=1000";
  const std::string origin = parse_url(*url).origin();
  for (size_t page = 0; url && page < kMostTagPages; ++page) {
    HttpRequest request;
    request.url = *url;
    const HttpResponse response = transport_.send(request);
    if (response.status == 404) return tags;
    if (!response.ok()) throw registry_error("cannot list tags", *url, response);
    const Value root = parse_json(response.body, *url).root;
    for (std::string& tag : root.get_strings("tags")) {
      if (is_tag(tag)) tags.push_back(std::move(tag));
    }
    url = next_link(response, *url);
    if (url && parse_url(*url).origin() != origin) {
      throw Error(ErrorKind::network, "the registry's list of tags goes on at another host", redact_url(*url));
    }
  }
  return tags;
}

}  // namespace dae::mirror
