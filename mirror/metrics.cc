#include "mirror/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace dae::mirror {
namespace {

constexpr int64_t kBlobCountMaxAgeMs = 60'000;

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

// A fixed, small set: a label made from a path would let a client fill our memory.
constexpr std::array<const char*, 6> kClassNames = {"index", "metadata", "other", "package", "probe", "registry"};
enum RouteClass : size_t { kIndex, kMetadata, kOther, kPackage, kProbe, kRegistry };

RouteClass route_class(std::string_view path) {
  if (path.rfind("/v2/", 0) == 0) return kRegistry;
  if (path.rfind("/packages/", 0) == 0) return ends_with(path, ".metadata") ? kMetadata : kPackage;
  if (path.find("/simple/") != std::string_view::npos) return kIndex;
  if (path == "/healthz" || path == "/metrics") return kProbe;
  return kOther;
}

void metric(std::string& out, std::string_view name, std::string_view type, std::string_view help, uint64_t value) {
  fmt::format_to(std::back_inserter(out), "# HELP {0} {2}\n# TYPE {0} {1}\n{0} {3}\n", name, type, help, value);
}

}  // namespace

void Metrics::count_request(const ServerRequest& request, int status, uint64_t bytes) {
  Served& served = served_[route_class(request.path)][static_cast<size_t>(std::clamp(status / 100, 0, 5))];
  served.requests += 1;
  served.bytes += bytes;
}

Metrics::BlobCount Metrics::count_blobs(const BlobStore& blobs, const Clock& clock) {
  {
    std::lock_guard lock(mutex_);
    if (counted_ms_ >= 0 && clock.monotonic_ms() - counted_ms_ < kBlobCountMaxAgeMs) return blob_count_;
  }
  BlobCount count;
  blobs.for_each_near([&](const Digest&, uint64_t size_bytes) {
    count.blobs += 1;
    count.bytes += size_bytes;
  });
  std::lock_guard lock(mutex_);
  counted_ms_ = clock.monotonic_ms();
  return blob_count_ = count;
}

std::string Metrics::render(const BlobStore& blobs, const Clock& clock) {
  const BlobCount held = count_blobs(blobs, clock);
  std::string requests, bytes;
  for (size_t route = 0; route < served_.size(); ++route) {
    for (size_t status = 0; status < served_[route].size(); ++status) {
      const Served& served = served_[route][status];
      const uint64_t count = served.requests;
      if (count == 0) continue;
      const std::string labels = fmt::format("{{route=\"{}\",status=\"{}xx\"}}", kClassNames[route], status);
      requests += fmt::format("dae_mirror_requests_total{} {}\n", labels, count);
      bytes += fmt::format("dae_mirror_sent_bytes_total{} {}\n", labels, served.bytes.load());
    }
  }
  std::string out = "# HELP dae_mirror_requests_total requests answered\n# TYPE dae_mirror_requests_total counter\n" +
                    requests + "# HELP dae_mirror_sent_bytes_total bytes of answers\n" +
                    "# TYPE dae_mirror_sent_bytes_total counter\n" + bytes;
  metric(out, "dae_mirror_blobs", "gauge", "blobs held", held.blobs);
  metric(out, "dae_mirror_blob_bytes", "gauge", "bytes of the blobs held", held.bytes);
  metric(out, "dae_mirror_upstream_pages_total", "counter", "project pages fetched", page_fetches);
  metric(out, "dae_mirror_upstream_revalidations_total", "counter", "project pages found unchanged",
         page_revalidations);
  metric(out, "dae_mirror_upstream_files_total", "counter", "files fetched", file_fetches);
  metric(out, "dae_mirror_upstream_metadata_total", "counter", "metadata files fetched", metadata_fetches);
  metric(out, "dae_mirror_metadata_extracted_total", "counter", "metadata taken out of wheels", metadata_extractions);
  metric(out, "dae_mirror_upstream_bytes_total", "counter", "bytes fetched", upstream_bytes);
  metric(out, "dae_mirror_upstream_errors_total", "counter", "fetches that failed", upstream_errors);
  metric(out, "dae_mirror_stale_pages_total", "counter", "pages answered stale, upstream being down", stale_pages);
  return out;
}

}  // namespace dae::mirror
