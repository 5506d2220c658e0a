#include "mirror/storage/storage.h"

#include <fmt/format.h>

#include "base/error.h"

namespace dae::mirror {
namespace {

class FolderStorage final : public Storage {
 public:
  FolderStorage(const Path& folder, const StorageOptions& options)
      : folder_(folder), catalog_(folder / "catalog.db"), blobs_(open_blob_store(folder / "blobs", options.blobs)) {}

  Catalog& catalog() override { return catalog_; }
  BlobStore& blobs() override { return *blobs_; }
  void flush() override { sync_file_system(folder_); }
  std::unique_ptr<HeldLease> exclude(const std::string&) override { return nullptr; }
  uint64_t tidy(int64_t) override { return 0; }

 private:
  const Path folder_;
  Catalog catalog_;
  const std::unique_ptr<BlobStore> blobs_;
};

HttpClientOptions client_options() {
  HttpClientOptions options;
  options.max_per_host = 32;
  options.connect_timeout_ms = 5000;
  return options;
}

// The client outlives what is made with it.
class OnServers final : public Storage {
 public:
  OnServers(const MirrorConfig& config, Clock& clock, const StorageOptions& options)
      : place_(*config.shared),
        clock_(clock),
        client_(make_http_client(client_options())),
        storage_(open_shared_storage(config, parts(config.storage), clock, options)) {}

  Catalog& catalog() override { return storage_->catalog(); }
  BlobStore& blobs() override { return storage_->blobs(); }
  void flush() override { storage_->flush(); }
  void maintain() override { storage_->maintain(); }
  uint64_t tidy(int64_t before_ms) override { return storage_->tidy(before_ms); }
  std::optional<StorageState> state() const override { return storage_->state(); }

  std::unique_ptr<HeldLease> exclude(const std::string& work) override {
    if (!place_.lease) return nullptr;
    EtcdPlace own = *place_.lease;
    own.key += "/" + work;
    try {
      return make_etcd_lease(own, process_name(), *client_, clock_)->acquire(0);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::refused) throw;
      throw Error(ErrorKind::refused, "another process does this already: " + work, place_.bucket.text())
          .because(error.cause());
    }
  }

 private:
  StorageParts parts(const Path& folder) {
    StorageParts parts;
    parts.objects = open_s3(place_.bucket, find_s3_credentials(), *client_, clock_);
    parts.lease_name = place_.lease ? place_.lease->text() : "";
    parts.lease = place_.lease ? make_etcd_lease(*place_.lease, process_name(), *client_, clock_)
                               : make_file_lease(folder / "writer.lock");
    return parts;
  }

  const SharedPlace place_;
  Clock& clock_;
  const std::unique_ptr<Transport> client_;
  const std::unique_ptr<Storage> storage_;
};

}  // namespace

std::string storage_text(const MirrorConfig& config) {
  return config.shared ? config.shared->bucket.text() : config.storage.string();
}

std::unique_ptr<Storage> open_storage(const MirrorConfig& config, Clock& clock, const StorageOptions& options) {
  if (config.shared) {
    make_dirs(config.storage);
    return std::make_unique<OnServers>(config, clock, options);
  }
  if (!options.create && !exists(config.storage / "catalog.db")) {
    throw Error(ErrorKind::not_found, "there is no mirror", config.storage.string(),
                "name it with `--config` or `--storage`");
  }
  return std::make_unique<FolderStorage>(config.storage, options);
}

}  // namespace dae::mirror
