#include "mirror/index/upstream.h"

#include <algorithm>

#include "base/clock.h"
#include "base/log.h"
#include "base/strings.h"
#include "resolver/source/index.h"

namespace dae::mirror {
namespace {

constexpr int64_t kDefaultFreshMs = 600'000;
constexpr int64_t kLongestFreshMs = 86'400'000;
// A client is waiting: longer than this and it has given up.
constexpr int64_t kPageTimeoutMs = 60'000;
constexpr int64_t kFileTimeoutMs = 30 * 60'000;
constexpr uint64_t kMetadataLimitBytes = 16ull << 20;

Error answered(const std::string& url, int status) {
  return Error(ErrorKind::network, "upstream answered " + std::to_string(status), redact_url(url));
}

// PEP 658: the suffix belongs to the path.
std::string metadata_url(const std::string& url) {
  const size_t query = url.find('?');
  return query == std::string::npos ? url + ".metadata" : url.substr(0, query) + ".metadata" + url.substr(query);
}

}  // namespace

int64_t freshness_ms(const Headers& headers) {
  for (const std::string& part : split(headers.get("Cache-Control"), ',')) {
    const std::string directive = lower(trim(part));
    if (directive == "no-store" || directive == "no-cache") return 0;
    if (directive.rfind("max-age=", 0) != 0) continue;
    const auto seconds = parse_int(std::string_view(directive).substr(8));
    if (seconds && *seconds >= 0) return std::min(*seconds, kLongestFreshMs / 1000) * 1000;
  }
  return kDefaultFreshMs;
}

Upstream::Upstream(const IndexConfig& config, const MirrorConfig& limits, Transport& transport, ProcessRunner& runner,
                   Metrics& metrics)
    : config_(config), limits_(limits), transport_(transport), runner_(runner), metrics_(metrics) {
  if (config_.upstream != "pip") parse_url(config_.upstream);  // a slip is better told at the start
}

const Upstream::Root& Upstream::root() {
  std::lock_guard lock(mutex_);
  if (root_) return *root_;
  Root root{.url = config_.upstream, .origin = "", .user_info = "", .transport = &transport_};
  if (config_.upstream == "pip") {
    const resolver::PipIndex pip = resolver::pip_index(runner_);
    root.url = pip.index_url;
    if (!pip.ca_file.empty()) {
      HttpClientOptions options;
      options.ca_file = pip.ca_file;
      own_transport_ = make_http_client(options);
      root.transport = own_transport_.get();
    }
    log_info("upstream taken from pip", {{"index", config_.name}, {"url", redact_url(root.url)}, {"from", pip.origin}});
  }
  if (root.url.empty() || root.url.back() != '/') root.url += '/';
  const Url parsed = parse_url(root.url);
  root.origin = parsed.origin();
  root.user_info = parsed.user_info;
  root_ = std::move(root);
  return *root_;
}

std::string Upstream::with_credentials(const Root& root, const std::string& url) const {
  if (root.user_info.empty()) return url;
  const Url parsed = parse_url(url);
  if (parsed.origin() != root.origin || !parsed.user_info.empty()) return url;
  return parsed.scheme + "://" + root.user_info + "@" + url.substr(parsed.scheme.size() + 3);
}

HttpResponse Upstream::send(const Root& root, HttpRequest request) {
  try {
    HttpResponse response = root.transport->send(std::move(request));
    metrics_.upstream_bytes += response.body.size();
    return response;
  } catch (const Error& error) {
    metrics_.upstream_errors += 1;
    // Whatever upstream did wrong is no fault of the client's request (400); our own disk stays our own (500).
    if (error.kind() == ErrorKind::io) throw;
    throw Error(ErrorKind::network, error.message(), error.subject(), error.hint()).because(error.cause());
  }
}

UpstreamPage Upstream::page(const std::string& project, const std::string& etag, const std::string& last_modified,
                            bool patient) {
  const Root& index = root();
  HttpRequest request;
  request.url = index.url + project + "/";
  request.headers.add("Accept", resolver::kSimpleAccept);
  if (!etag.empty()) request.headers.add("If-None-Match", etag);
  if (!last_modified.empty()) request.headers.add("If-Modified-Since", last_modified);
  request.timeout_ms = kPageTimeoutMs;
  if (!patient) request.retries = 0;
  request.body_limit_bytes = limits_.page_limit_bytes;
  const std::string asked = request.url;
  const HttpResponse response = send(index, std::move(request));

  UpstreamPage result;
  result.fresh_ms = freshness_ms(response.headers);
  if (response.status == 404 || response.status == 410) return result;
  if (response.status == 304) {
    metrics_.page_revalidations += 1;
    result.kind = UpstreamPage::Kind::unchanged;
    return result;
  }
  if (!response.ok()) {
    metrics_.upstream_errors += 1;
    throw answered(asked, response.status);
  }
  metrics_.page_fetches += 1;
  const std::string page_url = parse_url(response.effective_url.empty() ? asked : response.effective_url).text();
  result.page = resolver::parse_project_page(response.body, response.headers.get("Content-Type"), page_url, project);
  admit_files(result.page, project, index.url);
  result.kind = UpstreamPage::Kind::page;
  result.etag = response.headers.get("ETag");
  result.last_modified = response.headers.get("Last-Modified");
  return result;
}

bool Upstream::fetch_file(const std::string& url, const Digest& digest, std::optional<uint64_t> size_bytes,
                          BlobStore& blobs) {
  const Root& index = root();
  const uint64_t limit = size_bytes.value_or(limits_.file_limit_bytes);
  const auto over_limit = [&] {
    return Error(ErrorKind::network, "upstream's file is larger than it may be", redact_url(url),
                 "the limit is what the index announces, else `limits.file` of mirror.yaml");
  };
  if (limit > limits_.file_limit_bytes) throw over_limit();
  auto writer = blobs.writer();
  HttpRequest request;
  request.url = with_credentials(index, url);
  // A content coding would be undone on the way, and the digest is of the bytes as published.
  request.headers.add("Accept-Encoding", "identity");
  request.timeout_ms = kFileTimeoutMs;
  request.body_limit_bytes = limit;
  request.on_restart = [&] { writer->restart(); };
  request.on_body = [&](std::string_view piece) {
    if (writer->size_bytes() + piece.size() > limit) throw over_limit();
    writer->write(piece);
  };
  const HttpResponse response = send(index, std::move(request));
  if (response.status == 404 || response.status == 410) return false;
  if (!response.ok()) {
    metrics_.upstream_errors += 1;
    throw answered(url, response.status);
  }
  metrics_.file_fetches += 1;
  metrics_.upstream_bytes += writer->size_bytes();
  try {
    writer->commit(digest);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::verification) throw;
    metrics_.upstream_errors += 1;
    log_error("upstream's file does not have the digest that its index announces",
              {{"url", redact_url(url)}, {"sha256", digest.hex()}});
    throw Error(ErrorKind::network, "upstream's bytes do not have the sha256 that its index announces", redact_url(url),
                "nothing was stored; tell whoever runs the upstream index");
  }
  return true;
}

std::optional<std::string> Upstream::fetch_metadata(const std::string& file_url) {
  const Root& index = root();
  HttpRequest request;
  const std::string url = metadata_url(file_url);
  request.url = with_credentials(index, url);
  request.timeout_ms = kPageTimeoutMs;
  request.body_limit_bytes = kMetadataLimitBytes;
  HttpResponse response = send(index, std::move(request));
  if (response.status == 403 || response.status == 404 || response.status == 410) return std::nullopt;
  if (!response.ok()) {
    metrics_.upstream_errors += 1;
    throw answered(url, response.status);
  }
  metrics_.metadata_fetches += 1;
  return std::move(response.body);
}

}  // namespace dae::mirror
