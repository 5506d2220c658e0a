#include "mirror/index/upstream.h"

#include <algorithm>
#include <chrono>

#include "base/clock.h"
#include "base/log.h"
#include "base/strings.h"
#include "resolver/source/index.h"

namespace dae::mirror {
namespace {

// A dae mirror behind nginx answers this one itself: with the serials that files of pages do not have.
constexpr const char* kUserAgent = "dae-mirror/1";
constexpr int64_t kDefaultFreshMs = 600'000;
constexpr int64_t kLongestFreshMs = 86'400'000;
// A client is waiting: longer than this and it has given up.
constexpr int64_t kPageTimeoutMs = 60'000;
constexpr uint64_t kProvenanceLimitBytes = 4ull << 20;
constexpr int64_t kStopPollMs = 100;
constexpr uint64_t kMetadataLimitBytes = 16ull << 20;
constexpr uint64_t kListLimitBytes = 256ull << 20;

Error answered(const std::string& url, int status) {
  return Error(ErrorKind::network, "upstream answered " + std::to_string(status), redact_url(url));
}

// PEP 658: the suffix belongs to the path.
std::string metadata_url(const std::string& url) {
  const size_t query = url.find('?');
  return query == std::string::npos ? url + ".metadata" : url.substr(0, query) + ".metadata" + url.substr(query);
}

// A stop does not wait for an upstream that says nothing; the transfer ends with its next bytes, or its client.
std::future<HttpResponse> answer_unless_stopped(Transport& transport, HttpRequest request, const FileWatch& watch) {
  std::future<HttpResponse> answer = transport.send_async(std::move(request));
  while (watch.stop && answer.wait_for(std::chrono::milliseconds(kStopPollMs)) != std::future_status::ready) {
    if (*watch.stop) throw Error(ErrorKind::interrupted, "the mirror stops");
  }
  return answer;
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
  // A slip is better told at the start; a private index has none.
  if (config_.upstream != "pip" && !config_.upstream.empty()) parse_url(config_.upstream);
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
  HttpRequest request = page_request(project, etag, last_modified);
  if (!patient) request.retries = 0;
  return read_page(send(root(), std::move(request)), project);
}

HttpRequest Upstream::page_request(const std::string& project, const std::string& etag,
                                   const std::string& last_modified) {
  HttpRequest request;
  request.url = root().url + project + "/";
  request.headers.add("Accept", resolver::kSimpleAccept);
  request.headers.add("User-Agent", kUserAgent);
  if (!etag.empty()) request.headers.add("If-None-Match", etag);
  if (!last_modified.empty()) request.headers.add("If-Modified-Since", last_modified);
  request.timeout_ms = kPageTimeoutMs;
  request.body_limit_bytes = limits_.page_limit_bytes;
  request.reach = reach();
  return request;
}

UpstreamPage Upstream::read_page(const HttpResponse& response, const std::string& project) {
  const Root& index = root();
  UpstreamPage result;
  result.fresh_ms = freshness_ms(response.headers);
  result.serial = std::max<int64_t>(0, parse_int(response.headers.get("X-PyPI-Last-Serial")).value_or(0));
  if (response.status == 404 || response.status == 410) return result;
  if (response.status == 304) {
    metrics_.page_revalidations += 1;
    result.kind = UpstreamPage::Kind::unchanged;
    return result;
  }
  const std::string asked = index.url + project + "/";
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

HttpRequest Upstream::list_request() {
  HttpRequest request;
  request.url = root().url;
  request.headers.add("Accept", resolver::kSimpleAccept);
  request.headers.add("User-Agent", kUserAgent);
  request.body_limit_bytes = kListLimitBytes;
  request.reach = reach();
  return request;
}

HttpRequest Upstream::metadata_request(const std::string& file_url) {
  HttpRequest request;
  request.url = authorized(metadata_url(file_url));
  request.timeout_ms = kPageTimeoutMs;
  request.body_limit_bytes = kMetadataLimitBytes;
  request.reach = reach();
  return request;
}

std::string Upstream::authorized(const std::string& file_url) {
  return with_credentials(root(), file_url);
}

std::string Upstream::shown_url() {
  return redact_url(root().url);
}

Reach Upstream::reach() {
  return {.outward_only = true, .inward_host = parse_url(root().url).host};
}

Transport& Upstream::transport() {
  return *root().transport;
}

std::shared_ptr<PartialDownload> Upstream::begin_file(Download want, const Path& part, const FileWatch& watch) {
  const auto begin_at = [&](const Path& at) {
    if (watch.on_progress) {
      want.on_progress = [watch, at](uint64_t done, uint64_t total) { watch.on_progress(at, done, total); };
    }
    return PartialDownload::begin(want, at);
  };
  if (auto file = begin_at(part)) return file;
  // Another process is at it: this one does not wait for it.
  Path own = part;
  own += "-" + random_hex(8);
  if (auto file = begin_at(own)) return file;
  throw Error(ErrorKind::io, "cannot lock the unfinished file", own);
}

bool Upstream::fetch_file(const std::string& url, const Digest& digest, std::optional<uint64_t> size_bytes,
                          BlobStore& blobs, const FileWatch& watch) {
  const Root& index = root();
  if (size_bytes.value_or(0) > limits_.file_limit_bytes) {
    throw Error(ErrorKind::network, "upstream's file is larger than it may be", redact_url(url),
                "`limits.file` of mirror.yaml is the limit");
  }
  Download want;
  want.url = with_credentials(index, url);
  want.digest = digest;
  want.size_bytes = size_bytes;
  want.limit_bytes = limits_.file_limit_bytes;
  want.reach = reach();
  want.on_restart = watch.on_restart;
  want.stop = watch.stop;
  std::shared_ptr<PartialDownload> file;
  try {
    file = begin_file(std::move(want), blobs.part(digest), watch);
    const uint64_t kept_bytes = file->done_bytes();
    while (!file->complete()) {
      const auto pause_ms = file->take_answer(answer_unless_stopped(*index.transport, file->request(), watch));
      if (pause_ms) SystemClock().sleep_ms(*pause_ms);
    }
    metrics_.file_fetches += 1;
    metrics_.upstream_bytes += file->done_bytes() - std::min(kept_bytes, file->done_bytes());
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::not_found) return false;
    if (error.kind() == ErrorKind::io || error.kind() == ErrorKind::interrupted) throw;
    metrics_.upstream_errors += 1;
    if (error.kind() != ErrorKind::verification) {
      throw Error(ErrorKind::network, error.message(), redact_url(url), error.hint()).because(error.cause());
    }
    log_error("upstream's file is not what its index announces",
              {{"url", redact_url(url)}, {"sha256", digest.hex()}, {"why", error.what()}});
    throw Error(ErrorKind::network, "upstream's bytes do not have the sha256 or the size that its index announces",
                redact_url(url), "nothing was stored; tell whoever runs the upstream index");
  }
  blobs.adopt_part(file->part(), digest);
  return true;
}

std::optional<std::string> Upstream::fetch_small(HttpRequest request, const std::string& shown) {
  HttpResponse response = send(root(), std::move(request));
  if (response.status == 403 || response.status == 404 || response.status == 410) return std::nullopt;
  if (!response.ok()) {
    metrics_.upstream_errors += 1;
    throw answered(shown, response.status);
  }
  return std::move(response.body);
}

std::optional<std::string> Upstream::fetch_metadata(const std::string& file_url) {
  auto text = fetch_small(metadata_request(file_url), metadata_url(file_url));
  if (text) metrics_.metadata_fetches += 1;
  return text;
}

std::optional<std::string> Upstream::fetch_provenance(const std::string& url) {
  HttpRequest request;
  request.url = authorized(url);
  request.headers.add("Accept", kProvenanceType);
  request.timeout_ms = kPageTimeoutMs;
  request.body_limit_bytes = kProvenanceLimitBytes;
  request.reach = reach();
  return fetch_small(std::move(request), url);
}

}  // namespace dae::mirror
