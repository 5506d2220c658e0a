#include "mirror/storage/storage.h"

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

StorageParts parts_on_servers(const MirrorConfig& config, Clock& clock) {
  const SharedPlace& place = *config.shared;
  StorageParts parts;
  parts.client = make_http_client(client_options());
  parts.objects = open_s3(place.bucket, find_s3_credentials(), *parts.client, clock);
  parts.lease_name = place.lease ? place.lease->text() : "";
  parts.lease = place.lease ? make_etcd_lease(*place.lease, process_name(), *parts.client, clock)
                            : make_file_lease(config.storage / "writer.lock");
  if (!place.lease) return parts;
  parts.lease_of = [base = *place.lease, &client = *parts.client, &clock](const std::string& work) {
    EtcdPlace own = base;
    own.key += "/" + work;
    return make_etcd_lease(own, process_name(), client, clock);
  };
  return parts;
}

}  // namespace

std::string storage_text(const MirrorConfig& config) {
  return config.shared ? config.shared->bucket.text() : config.storage.string();
}

std::unique_ptr<Storage> open_storage(const MirrorConfig& config, Clock& clock, const StorageOptions& options) {
  if (config.shared) {
    make_dirs(config.storage);
    return open_shared_storage(config, parts_on_servers(config, clock), clock, options);
  }
  if (!options.create && !exists(config.storage / "catalog.db")) {
    throw Error(ErrorKind::not_found, "there is no mirror", config.storage.string(),
                "name it with `--config` or `--storage`");
  }
  return std::make_unique<FolderStorage>(config.storage, options);
}

}  // namespace dae::mirror
