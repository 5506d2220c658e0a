#include "mirror/artifact/artifact.h"

#include <gtest/gtest.h>

#include <functional>

#include "base/strings.h"
#include "mirror/artifact/app_rules.h"

namespace dae::mirror {
namespace {

std::string golden(const std::string& name) {
  return std::string(trim(read_file(Path(DAE_SOURCE_DIR) / "tests/data/golden" / name)));
}

Manifest sample() {
  Manifest out;
  out.config = {kConfigType, Digest::of("config"), 6, {}};
  out.layers.push_back({kSourceType, Digest::of("source"), 1234, {{kTarDigest, Digest::of("tar").oci()}}});
  out.layers.push_back({kWheelType, Digest::of("click"), 98, {{kTitle, "click-8.1.7-py3-none-any.whl"}}});
  out.layers.push_back({kWheelType, Digest::of("flask"), 99, {{kTitle, "flask-3.0.0-py3-none-any.whl"}}});
  out.annotations = {{kTitle, "bubbler"},
                     {"org.opencontainers.image.version", "1.4.0+2.g3fa1c9d20b11"},
                     {"org.opencontainers.image.created", "2023-11-14T22:13:20Z"}};
  return out;
}

AppConfig sample_config() {
  AppConfig out;
  out.name = "bubbler";
  out.version = "1.4.0+2.g3fa1c9d20b11";
  out.revision = "3fa1c9d20b11d3a5c0ffee0000000000deadbeef";
  out.python = ">=3.11,<3.13";
  out.targets = {{"3.11", "manylinux_2_36_x86_64"}};
  Instance web;
  web.name = "web";
  web.wsgi = "app:app";
  web.workers = 4;
  web.health = {"/healthz", 1000, 2000, 3};
  Instance indexer;
  indexer.name = "indexer";
  indexer.type = "daemon";
  indexer.command = "python indexer.py";
  indexer.count = 2;
  Instance nightly;
  nightly.name = "nightly";
  nightly.type = "cron";
  nightly.schedule = "0 3 * * *";
  nightly.command = "python nightly.py";
  out.instances = {web, indexer, nightly};
  out.env = {{"FLASK_ENV", "production"}};
  out.resources = {"mysql", "memcache"};
  out.static_files = {{"/static", "static/"}};
  out.gateway_hosts = {"bubbler.example"};
  out.hooks = {{"after_switch", {"python warm.py"}}};
  out.stages = default_stages();
  out.stages[1].batches = {"1", "25%", "100%"};
  out.stages[1].confirm = "manual";
  out.lock_digest = Digest::of("lock").oci();
  return out;
}

std::string manifest_fault(const std::string& bytes) {
  try {
    Manifest::parse(bytes, "m");
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::bad_input);
    return error.message();
  }
  return "accepted";
}

std::string config_fault(const std::function<void(Value&)>& change) {
  Document document{"c", to_value(sample_config())};
  change(document.root);
  try {
    app_config_from_value(document);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::bad_input);
    return error.message();
  }
  return "accepted";
}

// The bytes name artifacts that are deployed somewhere: they change only with the format's version.
TEST(Manifest, HasTheBytesOfTheGoldenFile) {
  EXPECT_EQ(sample().canonical(), golden("artifact-manifest.json"));
}
TEST(AppConfig, HasTheBytesOfTheGoldenFile) {
  EXPECT_EQ(canonical_json(to_value(sample_config())), golden("artifact-config.json"));
}

TEST(Manifest, ReadsBackWhatItWrote) {
  const std::string bytes = sample().canonical();
  const Manifest read = Manifest::parse(bytes, "m");
  EXPECT_EQ(read.canonical(), bytes);
  EXPECT_EQ(read.layers.size(), 3u);
  EXPECT_EQ(read.layers[1].size_bytes, 98u);
  EXPECT_EQ(read.layers[1].digest, Digest::of("click"));
}

TEST(Manifest, RefusesBytesThatAreNotCanonical) {
  const std::string bytes = sample().canonical();
  EXPECT_EQ(manifest_fault(bytes + "\n"), "the manifest is not in canonical form");
  EXPECT_EQ(manifest_fault(pretty_json(parse_json(bytes, "m").root)), "the manifest is not in canonical form");
}

TEST(Manifest, RefusesWhatIsNoArtifactOfOurs) {
  const std::string bytes = sample().canonical();
  EXPECT_EQ(manifest_fault(replace_all(bytes, kArtifactType, "application/other")),
            "`artifactType` must be `application/vnd.dae.app.v1`");
  EXPECT_EQ(manifest_fault(replace_all(bytes, "\"schemaVersion\":2", "\"schemaVersion\":3")),
            "`schemaVersion` must be between 2 and 2");
  EXPECT_EQ(manifest_fault(replace_all(bytes, kConfigType, "application/json")),
            "`config.mediaType` must be `application/vnd.dae.config.v1+json`");
  EXPECT_EQ(manifest_fault(replace_all(bytes, "\"layers\":", "\"layer\":")), "unknown key `layer`");
  EXPECT_EQ(manifest_fault(replace_all(bytes, "\"schemaVersion\"", "\"extra\":1,\"schemaVersion\"")),
            "unknown key `extra`");
}

TEST(Manifest, RefusesLayersOutOfOrderOrWithoutTheirNames) {
  Manifest wrong = sample();
  std::swap(wrong.layers[1], wrong.layers[2]);
  EXPECT_EQ(manifest_fault(wrong.canonical()), "wheels must be sorted by file name, each named once");
  wrong = sample();
  wrong.layers[2].annotations[kTitle] = "click-8.1.7-py3-none-any.whl";
  EXPECT_EQ(manifest_fault(wrong.canonical()), "wheels must be sorted by file name, each named once");
  wrong = sample();
  wrong.layers[1].annotations[kTitle] = "../click.whl";
  EXPECT_EQ(manifest_fault(wrong.canonical()),
            "annotation `org.opencontainers.image.title` must be the file name of a wheel");
  wrong = sample();
  wrong.layers[0].annotations.clear();
  EXPECT_EQ(manifest_fault(wrong.canonical()), "the source layer has no valid annotation `dev.dae.source.tar-digest`");
  wrong = sample();
  wrong.layers.erase(wrong.layers.begin());
  EXPECT_EQ(manifest_fault(wrong.canonical()), "the first layer must be `application/vnd.dae.source.v1.tar+zstd`");
  wrong = sample();
  wrong.layers.clear();
  EXPECT_EQ(manifest_fault(wrong.canonical()), "`layers` must be a list of 1 to 10000 layers");
}

TEST(Manifest, RefusesDigestsAndSizesThatAreNone) {
  const std::string bytes = sample().canonical();
  EXPECT_EQ(manifest_fault(replace_all(bytes, Digest::of("config").oci(), "sha512:00")),
            "`config.digest` must be `sha256:` and 64 hex digits");
  EXPECT_EQ(manifest_fault(replace_all(bytes, "\"size\":98", "\"size\":-1")), "`layers[1].size` must be at least 0");
}

TEST(AppConfig, ReadsBackWhatItWrote) {
  const Value value = to_value(sample_config());
  const AppConfig read = app_config_from_value({"c", value});
  EXPECT_EQ(to_value(read), value);
  EXPECT_EQ(read.instances[1].name, "indexer");  // in file order
  EXPECT_EQ(read.stages[1].confirm, "manual");
}

TEST(AppConfig, RefusesUnknownKeys) {
  EXPECT_EQ(config_fault([](Value& root) { root.set("nmae", "x"); }), "unknown key `nmae`");
  EXPECT_EQ(config_fault([](Value& root) {
              root.set("gateway", Value::object({{"template", "x"}}));
            }),
            "unknown key `template` in `gateway`");
  EXPECT_EQ(config_fault([](Value& root) { root.set("format", 2); }), "`format` must be between 1 and 1");
}

TEST(AppConfig, RefusesWhatWouldBecomeADangerousPathOrLine) {
  const auto with = [](const char* key, Value value) {
    return config_fault([&](Value& root) { root.set(key, std::move(value)); });
  };
  EXPECT_EQ(with("name", "../x"), "`../x` is not allowed as `name`");
  EXPECT_EQ(with("static", Value::object({{"/s", "../.."}})), "`../..` is not allowed as `static`");
  EXPECT_EQ(with("static", Value::object({{"/s; root /", "s"}})), "`/s; root /` is not allowed as `static`");
  EXPECT_EQ(with("gateway", Value::object({{"hosts", Value::strings(std::vector<std::string>{"a; b"})}})),
            "`a; b` is not allowed as `hosts`");
  EXPECT_EQ(with("env", Value::object({{"A=B", "x"}})), "`A=B` is not allowed as `env`");
  EXPECT_EQ(with("instances", Value(Value::Array{Value::object({{"name", "a/b"}, {"type", "web"}})})),
            "`a/b` is not allowed as `name`");
  EXPECT_EQ(with("instances", Value(Value::Array{Value::object({{"name", "a"}, {"type", "vm"}})})),
            "`vm` is not allowed as `type`");
  const Value twice = Value::object({{"name", "a"}, {"type", "web"}});
  EXPECT_EQ(with("instances", Value(Value::Array{twice, twice})), "`a` is in `instances` twice");
}

TEST(AppRules, BatchesAreCountsOrPercents) {
  for (const char* good : {"1", "12", "1%", "100%"}) EXPECT_TRUE(is_batch(good)) << good;
  for (const char* bad : {"", "0", "0%", "101%", "-1", "1.5", "01", "%", "1 %", "9999999"})
    EXPECT_FALSE(is_batch(bad)) << bad;
}

TEST(AppRules, HostsMayHaveAWildcardInFront) {
  for (const char* good : {"a", "a.example", "*.a.example", ".a.example"}) EXPECT_TRUE(is_host_name(good)) << good;
  for (const char* bad : {"", "*", "a..b", "-a", "a-", "A", "a b", "a;b", "a.*"})
    EXPECT_FALSE(is_host_name(bad)) << bad;
}

}  // namespace
}  // namespace dae::mirror
