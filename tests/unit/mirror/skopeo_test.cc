// A foreign client copies an artifact out of the registry and into it again; the digest must not change.
#include <gtest/gtest.h>

#include "base/hash.h"
#include "fixture.h"
#include "mirror/artifact/registry_client.h"

namespace dae::mirror {
namespace {

class SilentSink final : public EventSink {
  void emit(const Event&) override {}
};

Digest index_digest(const Path& layout) {
  const Value index = read_json_file(layout / "index.json").root;
  return Digest::parse(index.at("manifests").as_array().at(0).get_string("digest"));
}

struct Skopeo : ::testing::Test {
  void SetUp() override {
    if (!find_program("skopeo")) GTEST_SKIP() << "skopeo is not installed";
  }
  void copy(const std::vector<std::string>& arguments) {
    ProcessSpec spec;
    spec.argv = {"skopeo", "--insecure-policy", "copy", "--quiet"};
    spec.argv.insert(spec.argv.end(), arguments.begin(), arguments.end());
    spec.env["HOME"] = dir.path();
    spec.env["TMPDIR"] = dir.path();
    spec.timeout_ms = 60'000;
    const ProcessResult result = make_process_runner()->run(spec);
    ASSERT_EQ(result.exit_code, 0) << result.err;
  }
  TempDir dir;
  testing::TestMirror mirror{"http://127.0.0.1:1/simple/"};
};

TEST_F(Skopeo, CopiesAnArtifactOutAndInWithItsDigest) {
  const auto blobs = open_blob_store(dir.path() / "blobs");
  const std::string config = R"({"name":"bubbler"})", source(300'000, 's'), wheel(2'000'000, 'w');
  Manifest manifest;
  manifest.config = {kConfigType, blobs->put(config), config.size(), {}};
  const std::string tar_digest = Digest::of("the tar").oci();
  manifest.layers.push_back({kSourceType, blobs->put(source), source.size(), {{kTarDigest, tar_digest}}});
  manifest.layers.push_back({kWheelType, blobs->put(wheel), wheel.size(), {{kTitle, "w-1-py3-none-any.whl"}}});
  SilentSink events;
  RegistryClient client(*mirror.transport, mirror.url());
  client.push("apps/bubbler", "1.0", manifest, *blobs, events);
  const Digest digest = Digest::of(manifest.canonical());

  const std::string host = mirror.url().substr(std::string("http://").size());
  const std::string layout = (dir.path() / "layout").string();
  copy({"--src-tls-verify=false", "docker://" + host + "/apps/bubbler:1.0", "oci:" + layout + ":1.0"});
  EXPECT_EQ(index_digest(layout), digest);
  // Into a registry that has none of it, so that every blob is uploaded the way skopeo does.
  testing::TestMirror second("http://127.0.0.1:1/simple/");
  const std::string other = second.url().substr(std::string("http://").size());
  copy({"--dest-tls-verify=false", "oci:" + layout + ":1.0", "docker://" + other + "/copies/bubbler:1.0"});
  const auto found = RegistryClient(*second.transport, second.url()).manifest("copies/bubbler", "1.0");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->second, digest);
  const auto node = open_blob_store(dir.path() / "node");
  RegistryClient(*second.transport, second.url()).pull_blobs("copies/bubbler", found->first, *node, events);
  EXPECT_EQ(node->read(manifest.layers[1].digest), wheel);
}

}  // namespace
}  // namespace dae::mirror
