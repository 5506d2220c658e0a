#include "deployer/control_release.h"

#include <fmt/format.h>

#include "mirror/artifact/registry_client.h"

namespace dae::deployer {
namespace {

constexpr uint64_t kConfigLimitBytes = 1ull << 20;

std::string fetch_config(Transport& transport, const std::string& mirror, const std::string& repository,
                         const mirror::Descriptor& config) {
  if (config.size_bytes > kConfigLimitBytes) {
    throw Error(ErrorKind::bad_input, "the configuration of the artifact is larger than 1 MiB", config.digest.oci());
  }
  HttpRequest request;
  request.url = mirror + (mirror.ends_with('/') ? "v2/" : "/v2/") + repository + "/blobs/" + config.digest.oci();
  request.body_limit_bytes = kConfigLimitBytes;
  request.timeout_ms = 30'000;
  const HttpResponse response = transport.send(std::move(request));
  if (!response.ok()) {
    throw Error(ErrorKind::network,
                fmt::format("the mirror answers {} for the artifact's configuration", response.status),
                config.digest.oci(), "push the artifact again with `dae publish`");
  }
  if (Digest::of(response.body) != config.digest) {
    throw Error(ErrorKind::verification, "the artifact's configuration does not match its digest", config.digest.oci());
  }
  return response.body;
}

}  // namespace

Release read_release_from_registry(Transport& transport, const std::string& mirror, const std::string& app,
                                   const std::string& artifact, int64_t now_ms) {
  if (mirror.empty()) {
    throw Error(ErrorKind::refused, "this control plane has no mirror to read releases from", "",
                "start it with `--mirror URL`");
  }
  const Digest digest = Digest::parse(artifact);
  const std::string repository = "apps/" + app;
  const auto found = mirror::RegistryClient(transport, mirror).manifest(repository, digest.oci());
  if (!found) {
    throw Error(ErrorKind::not_found, fmt::format("the mirror has no artifact `{}` of `{}`", digest.short_hex(), app),
                app, "publish it first: `dae publish`");
  }
  if (found->second != digest) {
    throw Error(ErrorKind::verification, "the mirror answered with another artifact", digest.oci())
        .because("it has the digest " + found->second.oci());
  }
  const std::string config = fetch_config(transport, mirror, repository, found->first.config);
  return make_release(parse_json(config, digest.oci()), app, digest, now_ms);
}

Release make_release(const Document& config, const std::string& app, const Digest& artifact, int64_t now_ms) {
  Release release;
  release.config = mirror::app_config_from_value(config);
  if (release.config.name != app) {
    throw Error(ErrorKind::bad_input, fmt::format("the artifact is of app `{}`", release.config.name), app);
  }
  release.app = app;
  release.version = release.config.version;
  release.artifact = artifact.oci();
  release.repository = "apps/" + app;
  release.created_ms = now_ms;
  release.id = release_id(release);
  return release;
}

}  // namespace dae::deployer
