#pragma once
// The artifact: an OCI image manifest (image-spec 1.1 "manifest") whose layers are the source tree and one wheel each.
// Format: share/doc/formats/artifact.md. Built by builder/, held by a registry, unpacked by deployer/.
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/hash.h"
#include "base/value.h"

namespace dae::mirror {

inline constexpr const char* kManifestType = "application/vnd.oci.image.manifest.v1+json";
inline constexpr const char* kArtifactType = "application/vnd.dae.app.v1";
inline constexpr const char* kConfigType = "application/vnd.dae.config.v1+json";
inline constexpr const char* kSourceType = "application/vnd.dae.source.v1.tar+zstd";
inline constexpr const char* kWheelType = "application/vnd.dae.wheel.v1+zip";
inline constexpr const char* kTitle = "org.opencontainers.image.title";
inline constexpr const char* kTarDigest = "dev.dae.source.tar-digest";  // "sha256:…" of the uncompressed tar

struct Descriptor {
  std::string media_type;
  Digest digest;
  uint64_t size_bytes = 0;
  std::map<std::string, std::string> annotations;
};

struct Manifest {
  Descriptor config;
  std::vector<Descriptor> layers;  // the source first, then wheels by file name
  std::map<std::string, std::string> annotations;
  std::string canonical() const;  // the bytes whose digest names the artifact
  // Strict; throws Error bad_input with `name` as the document's.
  static Manifest parse(std::string_view bytes, std::string name);
};

struct HealthCheck {
  std::string path = "/";  // web: GET must answer 2xx or 3xx
  int64_t interval_ms = 1000;
  int64_t timeout_ms = 5000;
  int passes = 3;
};

struct Instance {
  std::string name;          // "web"
  std::string type = "web";  // web | daemon | cron | service
  std::string wsgi;          // "app:app"; gunicorn serves it unless `command` is given
  std::string command;       // POSIX quoting, no shell; $DAE_SOCKET and $PORT are set for it
  std::string schedule;      // cron
  int64_t workers = 1;
  int64_t count = 1;
  HealthCheck health;
};

struct StageConfig {
  std::string name;  // "pre", "prod"
  std::string group;
  std::vector<std::string> batches = {"1", "25%", "100%"};
  int64_t bake_ms = 30'000;
  int64_t max_fail = 0;
  std::string confirm = "auto";  // auto | manual
};

// What app.yaml says, as it travels in the artifact's config blob.
struct AppConfig {
  std::string name;
  std::string version;                                       // "1.4.0+2.g3fa1c9d20b11"
  std::string revision;                                      // VCS commit, or ""
  std::string python;                                        // specifier
  std::vector<std::pair<std::string, std::string>> targets;  // python, platform
  std::vector<Instance> instances;                           // in file order
  std::map<std::string, std::string> env;
  std::vector<std::string> resources;
  std::map<std::string, std::string> static_files;  // url prefix -> directory
  std::vector<std::string> gateway_hosts;
  std::map<std::string, std::vector<std::string>> hooks;
  std::vector<StageConfig> stages;  // empty: pre, then prod
  std::string lock_digest;
};
Value to_value(const AppConfig& config);
AppConfig app_config_from_value(const Document& document);  // strict; unknown keys refused
std::vector<StageConfig> default_stages();

// A tag may not hold '+' (distribution-spec, "Pulling manifests"): the version's is written as '_'.
std::string tag_of_version(const std::string& version);

}  // namespace dae::mirror
