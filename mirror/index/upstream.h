#pragma once
// The index that a pull-through index is a mirror of: where it is and how it is asked. Keeps nothing.
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/blob_store.h"
#include "base/http_client.h"
#include "base/partial_download.h"
#include "base/process.h"
#include "mirror/metrics.h"
#include "mirror/mirror.h"
#include "resolver/standards/simple_page.h"

namespace dae::mirror {

inline constexpr const char* kProvenanceType = "application/vnd.pypi.integrity.v1+json";  // PEP 740

struct UpstreamPage {
  enum class Kind { page, unchanged, absent };
  Kind kind = Kind::absent;
  resolver::ProjectPage page;  // only files that may be mirrored, see admit_files()
  std::string etag, last_modified;
  int64_t fresh_ms = 0;  // how long it may be answered without asking again
  int64_t serial = 0;    // X-PyPI-Last-Serial; 0: it is not told
};

using FileWatch = BlobWatch;  // called on the HTTP client's thread

// Thread-safe.
class Upstream {
 public:
  Upstream(const IndexConfig& config, const MirrorConfig& limits, Transport& transport, ProcessRunner& runner,
           Metrics& metrics);

  // Conditional when validators are given. Throws Error network for whatever is not a page, a 304 or a 404.
  // `patient`: try again on trouble; without, somebody has a kept page to answer with.
  UpstreamPage page(const std::string& project, const std::string& etag, const std::string& last_modified,
                    bool patient);
  // Streams the file into the blob store, from where an earlier attempt ended. Bytes that do not have this digest are
  // never kept: Error network.
  // False: upstream has no such file.
  bool fetch_file(const std::string& url, const Digest& digest, std::optional<uint64_t> size_bytes, BlobStore& blobs,
                  const FileWatch& watch = {});
  // A small file, wholly; nullopt: upstream has no such file.
  std::optional<std::string> fetch_metadata(const std::string& file_url);
  std::optional<std::string> fetch_provenance(const std::string& url);

  // The parts of the above, for whoever drives many requests at once. What goes to transport() may hold credentials.
  HttpRequest page_request(const std::string& project, const std::string& etag, const std::string& last_modified);
  UpstreamPage read_page(const HttpResponse& response, const std::string& project);
  HttpRequest list_request();  // of all names
  HttpRequest metadata_request(const std::string& file_url);
  std::string authorized(const std::string& file_url);  // with credentials, where they belong
  std::string shown_url();                              // of the index, for people
  Reach reach();                                        // of every request made for this index
  Transport& transport();

 private:
  struct Root {
    std::string url;  // ends with '/'; may carry credentials: never into a message or the catalog
    std::string origin, user_info;
    Transport* transport;
  };
  // Asked for on first use: a registry alone must start where there is no pip.
  const Root& root();
  std::string with_credentials(const Root& root, const std::string& url) const;
  HttpResponse send(const Root& root, HttpRequest request);
  std::optional<std::string> fetch_small(HttpRequest request, const std::string& shown);
  std::shared_ptr<PartialDownload> begin_file(Download want, const Path& part, const FileWatch& watch);

  IndexConfig config_;
  MirrorConfig limits_;
  Transport& transport_;
  ProcessRunner& runner_;
  Metrics& metrics_;
  std::mutex mutex_;
  std::optional<Root> root_;
  std::unique_ptr<Transport> own_transport_;  // when pip names a CA file
};

// Drops what must not be mirrored: no sha256 (our paths are digests), a name that is no wheel or sdist of `project`,
// another scheme than http(s), a second file of the same name, and a loopback, link-local or private address that is
// not the index's own host (a page must not steer us into our own network).
void admit_files(resolver::ProjectPage& page, const std::string& project, const std::string& index_url);
// How long an answer with these headers is fresh: max-age up to a day, else 10 minutes.
int64_t freshness_ms(const Headers& headers);

}  // namespace dae::mirror
