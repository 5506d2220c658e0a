#include "mirror/mirror.h"

#include <fmt/format.h>

#include "base/clock.h"
#include "mirror/index/index_routes.h"
#include "mirror/registry/registry_routes.h"
#include "mirror/serving/access_log.h"
#include "mirror/serving/limits.h"
#include "mirror/site/site.h"
#include "mirror/storage/storage.h"
#include "mirror/tree/publisher.h"
#include "mirror/upload/upload_routes.h"

namespace dae::mirror {
namespace {

constexpr int kWorkers = 160;
constexpr int kWaitingForUpstream = 128;
constexpr size_t kRenderCacheBytes = 32u << 20;

std::vector<std::string> names_of(const std::vector<IndexConfig>& indexes) {
  std::vector<std::string> names;
  for (const IndexConfig& index : indexes) names.push_back(index.name);
  return names;
}

class RunningMirror final : public Mirror {
 public:
  RunningMirror(const MirrorConfig& config, Transport& transport, ProcessRunner& runner, Clock& clock)
      : config_(config.serving.read_only ? as_read_only(config) : config),
        clock_(clock),
        lock_(take_storage(config.storage)),
        storage_(open_storage(config_, clock, {.create = true, .follow = true})),
        blobs_(storage_->blobs()),
        catalog_(storage_->catalog()),
        pages_(catalog_),
        policies_(config.indexes, catalog_, pages_, clock),
        indexes_(make_indexes(transport, runner)),
        files_(indexes_, pages_, blobs_, metrics_, gate_, policies_),
        registry_(catalog_, clock),
        uploads_(catalog_, blobs_, clock, config.storage / "uploads", config.file_limit_bytes),
        server_(start()) {}

  std::string url() const override { return server_->url(); }
  void drain(int64_t grace_ms) override { server_->drain(grace_ms); }

 private:
  // Two mirrors in one storage would each believe the upload sessions to be theirs.
  static FileLock take_storage(const Path& storage) {
    make_dirs(storage);
    auto lock = FileLock::try_acquire(storage / "mirror.lock");
    if (!lock) {
      throw Error(ErrorKind::refused, "another mirror uses this storage", storage.string(),
                  "stop it, or give this one a `storage` of its own");
    }
    return std::move(*lock);
  }

  Indexes make_indexes(Transport& transport, ProcessRunner& runner) {
    Indexes indexes;
    for (const IndexConfig& index : config_.indexes) {
      if (index.overlay.is_overlay()) continue;
      auto upstream = std::make_unique<Upstream>(index, config_, transport, runner, metrics_);
      indexes[index.name] = std::make_unique<PullThroughIndex>(index, std::move(upstream), pages_, clock_, metrics_,
                                                               gate_, policies_.overlays());
    }
    return indexes;
  }

  std::unique_ptr<HttpServer> start() {
    std::vector<Route> routes;
    add_probe_routes(routes);
    add_registry_routes(routes, registry_service_);
    add_upload_routes(routes, upload_service_, config_.indexes);
    add_index_routes(routes, index_service_);
    add_site_routes(routes, site_service_);
    if (config_.serving.read_only) refuse_writing(routes);
    raise_open_files(config_.serving.connections);
    ServerOptions options;
    options.max_connections = config_.serving.connections;
    options.header_timeout_ms = config_.serving.header_timeout_ms;
    options.idle_timeout_ms = config_.serving.idle_timeout_ms;
    options.address = config_.address;
    options.port = config_.port;
    options.passed_socket = true;
    options.workers = kWorkers;
    options.server_name = "dae-mirror";
    // On the storage's own file system, so that a whole blob is taken over by rename.
    options.spool_dir = config_.storage / "spool";
    remove_all(options.spool_dir);
    make_dirs(options.spool_dir);
    options.known_answer = [this](const ServerRequest& request) { return answers_.find(request); };
    if (tree_) {
      index_service_.on_left_to_nginx = [this](const Digest& digest, const std::string& file) {
        tree_->note_asked(digest, file);
      };
    }
    if (!config_.serving.access_log.empty()) access_log_ = std::make_unique<AccessLog>(config_.serving);
    options.on_access = [this](const ServerRequest& request, int status, uint64_t bytes, int64_t duration_ms) {
      metrics_.count_request(request, status, bytes);
      if (access_log_) access_log_->add(request, status, bytes, duration_ms);
    };
    return start_http_server(std::move(options), std::move(routes));
  }

  void add_probe_routes(std::vector<Route>& routes) {
    routes.push_back({.method = "GET", .pattern = "/healthz", .handle = [this](const ServerRequest&) {
                        catalog_.read([](Database& db) { db.prepare("SELECT 1").step(); });
                        return ServerResponse::text(200, "ok\n");
                      }});
    routes.push_back({.method = "GET", .pattern = "/metrics", .handle = [this](const ServerRequest&) {
                        return ServerResponse::text(200, metrics_.render(blobs_, clock_) + storage_metrics(),
                                                    "text/plain; version=0.0.4; charset=utf-8");
                      }});
  }

  // Only where there is a shared catalog that this machine may be behind.
  std::string storage_metrics() const {
    const auto state = storage_->state();
    if (!state) return "";
    return fmt::format(
        "# HELP dae_mirror_catalog_sequence changes of the shared catalog that are known here\n"
        "# TYPE dae_mirror_catalog_sequence counter\ndae_mirror_catalog_sequence {}\n"
        "# HELP dae_mirror_catalog_looked_seconds since the shared catalog was last looked at\n"
        "# TYPE dae_mirror_catalog_looked_seconds gauge\ndae_mirror_catalog_looked_seconds {:.3f}\n",
        state->sequence, static_cast<double>(state->looked_ago_ms) / 1000);
  }

  MirrorConfig config_;
  Clock& clock_;
  Metrics metrics_;
  Gate gate_{kWaitingForUpstream};
  FileLock lock_;
  std::unique_ptr<Storage> storage_;
  BlobStore& blobs_;
  Catalog& catalog_;
  PageStore pages_;
  Policies policies_;
  Indexes indexes_;
  FileStore files_;
  RenderCache rendered_{kRenderCacheBytes};
  Snapshots snapshots_{catalog_};
  RegistryStore registry_;
  Uploads uploads_;
  AnswerCache answers_{catalog_, clock_, config_.storage / "spool"};
  IndexService index_service_{indexes_, pages_, files_, blobs_, rendered_, answers_, policies_, snapshots_};
  RegistryService registry_service_{
      registry_, uploads_, blobs_, config_.file_limit_bytes, config_.sparse_manifests, answers_, &files_.flights()};
  Publisher publisher_{catalog_, pages_, blobs_, clock_, names_of(config_.indexes)};
  UploadService upload_service_{catalog_, publisher_, clock_, config_.storage / "spool", config_.upload_limit_bytes};
  SiteService site_service_{config_, catalog_, pages_, registry_, blobs_, policies_, clock_};
  std::unique_ptr<AccessLog> access_log_;
  std::unique_ptr<TreePublisher> tree_ =
      publish_tree(config_, {indexes_, pages_, policies_, catalog_}, config_.storage / "blobs");
  std::unique_ptr<HttpServer> server_;  // last: handlers use all of the above
};

class MirrorOnSystemClock final : public Mirror {
 public:
  MirrorOnSystemClock(const MirrorConfig& config, Transport& transport, ProcessRunner& runner)
      : mirror_(config, transport, runner, clock_) {}
  std::string url() const override { return mirror_.url(); }
  void drain(int64_t grace_ms) override { mirror_.drain(grace_ms); }

 private:
  SystemClock clock_;
  RunningMirror mirror_;
};

}  // namespace

std::unique_ptr<Mirror> start_mirror(const MirrorConfig& config, Transport& upstream, ProcessRunner& runner) {
  return std::make_unique<MirrorOnSystemClock>(config, upstream, runner);
}

std::unique_ptr<Mirror> start_mirror(const MirrorConfig& config, Transport& upstream, ProcessRunner& runner,
                                     Clock& clock) {
  return std::make_unique<RunningMirror>(config, upstream, runner, clock);
}

}  // namespace dae::mirror
