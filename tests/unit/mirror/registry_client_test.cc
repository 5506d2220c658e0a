#include "mirror/artifact/registry_client.h"

#include <gtest/gtest.h>

#include <atomic>

#include "fixture.h"

namespace dae::mirror {
namespace {

using testing::FakeIndex;
using testing::json_file;
using testing::json_page;
using testing::make_wheel;
using testing::TestMirror;

struct CountingSink final : EventSink {
  void emit(const Event& event) override { failed = failed || event.failed; }
  std::atomic<bool> failed{false};
};

struct Client : ::testing::Test {
  Descriptor put(const std::string& type, const std::string& bytes, const std::string& title = "") {
    Descriptor descriptor{type, local->put(bytes), bytes.size(), {}};
    if (!title.empty()) descriptor.annotations[kTitle] = title;
    return descriptor;
  }
  Manifest artifact(const std::string& source, int wheels = 6) {
    Manifest manifest;
    manifest.config = put(kConfigType, R"({"name":"bubbler"})");
    manifest.layers.push_back(put(kSourceType, source));
    manifest.layers[0].annotations[kTarDigest] = Digest::of("the tar of " + source).oci();
    for (int i = 0; i < wheels; ++i) {
      const std::string name = "w" + std::to_string(i) + "-1.0-py3-none-any.whl";
      manifest.layers.push_back(put(kWheelType, std::string(10'000 + static_cast<size_t>(i), 'w'), name));
    }
    return manifest;
  }
  TempDir dir;
  std::unique_ptr<BlobStore> local = open_blob_store(dir.path() / "local");
  std::unique_ptr<BlobStore> node = open_blob_store(dir.path() / "node");
  TestMirror mirror{"http://127.0.0.1:1/simple/"};
  RegistryClient client{*mirror.transport, mirror.url() + "/"};
  CountingSink events;
};

TEST_F(Client, PushesAndPullsAnArtifact) {
  const Manifest manifest = artifact("source");
  const PushResult pushed = client.push("apps/bubbler", "1.0", manifest, *local, events);
  EXPECT_EQ(pushed.blobs_sent, 8);
  EXPECT_EQ(pushed.blobs_total, 8);
  EXPECT_EQ(pushed.bytes_sent, pushed.bytes_total);
  const auto found = client.manifest("apps/bubbler", "1.0");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->second, Digest::of(manifest.canonical()));
  EXPECT_EQ(found->first.canonical(), manifest.canonical());
  EXPECT_EQ(client.pull_blobs("apps/bubbler", found->first, *node, events), pushed.bytes_total);
  for (const Descriptor& layer : manifest.layers) {
    EXPECT_EQ(node->read(layer.digest), local->read(layer.digest));
  }
  EXPECT_EQ(client.pull_blobs("apps/bubbler", found->first, *node, events), 0u);
  EXPECT_FALSE(events.failed);
}

TEST_F(Client, SendsOnlyWhatIsMissing) {
  client.push("apps/bubbler", "1.0", artifact("source"), *local, events);
  const PushResult again = client.push("apps/bubbler", "1.0", artifact("source"), *local, events);
  EXPECT_EQ(again.blobs_sent, 0);
  const PushResult next = client.push("apps/bubbler", "1.1", artifact("changed"), *local, events);
  EXPECT_EQ(next.blobs_sent, 1);
  EXPECT_EQ(next.bytes_sent, 7u);
  // Another app with the same wheels: mounted, not sent.
  EXPECT_EQ(client.push("apps/other", "1.0", artifact("source"), *local, events).blobs_sent, 0);
}

TEST_F(Client, DoesNotSendAWheelThatTheIndexPulledThrough) {
  FakeIndex upstream;
  const std::string wheel = make_wheel("demo", "1.0"), name = "demo-1.0-py3-none-any.whl";
  upstream.set_file(name, wheel);
  upstream.set_page("demo", json_page("demo", {json_file(name, Digest::of(wheel).hex())}),
                    "application/vnd.pypi.simple.v1+json");
  TestMirror both(upstream.simple_url());
  both.get(both.file_path("demo", name));
  Manifest manifest = artifact("source", 0);
  manifest.layers.push_back(put(kWheelType, wheel, name));
  RegistryClient to_both(*both.transport, both.url());
  EXPECT_EQ(to_both.push("apps/bubbler", "1.0", manifest, *local, events).blobs_sent, 2);
}

TEST_F(Client, RefusesToMoveATag) {
  client.push("apps/bubbler", "1.0", artifact("source"), *local, events);
  try {
    client.push("apps/bubbler", "1.0", artifact("changed"), *local, events);
    FAIL() << "moved";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::refused);
  }
  EXPECT_THROW(client.push("apps/bubbler", "1.0+2.gabc", artifact("x"), *local, events), Error);
  EXPECT_THROW(client.push("Apps", "1.0", artifact("x"), *local, events), Error);
}

TEST_F(Client, RefusesToPushWhatItDoesNotHave) {
  Manifest manifest = artifact("source");
  local->remove(manifest.layers[2].digest);
  EXPECT_THROW(client.push("apps/bubbler", "1.0", manifest, *local, events), Error);
  EXPECT_FALSE(client.manifest("apps/bubbler", "1.0"));
}

TEST_F(Client, FindsNothingWhereNothingIs) {
  EXPECT_FALSE(client.manifest("apps/none", "1.0"));
  EXPECT_FALSE(client.manifest("apps/none", Digest::of("x").oci()));
  EXPECT_TRUE(client.tags("apps/none").empty());
}

TEST_F(Client, ListsAllTagsOverAllPages) {
  ServerOptions options;
  options.loops = 1;
  std::atomic<int> asked{0};
  const auto server = start_http_server(
      options, {{.method = "GET", .pattern = "/v2/{+}/tags/list", .handle = [&](const ServerRequest& request) {
                   const int64_t last = std::stoi("0" + request.query_value("last"));
                   const Value page = Value::object({{"tags", Value::strings(std::vector{std::to_string(last + 1)})}});
                   ServerResponse response = ServerResponse::json(200, canonical_json(page));
                   const std::string next = "<?last=" + std::to_string(last + 1) + ">; rel=\"next\"";
                   if (last < 2) response.headers.set("Link", next);
                   ++asked;
                   return response;
                 }}});
  RegistryClient paged(*mirror.transport, server->url());
  EXPECT_EQ(paged.tags("apps/bubbler"), (std::vector<std::string>{"1", "2", "3"}));
  EXPECT_EQ(asked, 3);
  // And as the mirror tells them.
  client.push("apps/bubbler", "1.0", artifact("source", 0), *local, events);
  client.push("apps/bubbler", "1.1", artifact("changed", 0), *local, events);
  EXPECT_EQ(client.tags("apps/bubbler"), (std::vector<std::string>{"1.0", "1.1"}));
}

// A registry that answers with something else than it should.
struct Liar : Client {
  Liar() {
    manifest = artifact("source", 0);
    ServerOptions options;
    options.loops = 1;
    server = start_http_server(
        options, {{.method = "GET",
                   .pattern = "/v2/{+}/blobs/{}",
                   .handle = [this](const ServerRequest&) { return ServerResponse::text(200, blob); }},
                  {.method = "GET", .pattern = "/v2/{+}/manifests/{}", .handle = [this](const ServerRequest&) {
                     ServerResponse response = ServerResponse::text(200, "{}", kManifestType);
                     response.headers.set("Docker-Content-Digest", Digest::of("another").oci());
                     return response;
                   }}});
  }
  Manifest manifest;
  std::string blob;
  std::unique_ptr<HttpServer> server;
};

TEST_F(Liar, IsFoundOut) {
  RegistryClient lied_to(*mirror.transport, server->url());
  for (const char* lie : {"sourcf", "sour", "source and much more", ""}) {
    blob = lie;
    Manifest one;
    one.config = manifest.layers[0];
    EXPECT_THROW(lied_to.pull_blobs("apps/bubbler", one, *node, events), Error) << lie;
    EXPECT_FALSE(node->has(manifest.layers[0].digest));
  }
  EXPECT_THROW(lied_to.manifest("apps/bubbler", "1.0"), Error);
}

}  // namespace
}  // namespace dae::mirror
