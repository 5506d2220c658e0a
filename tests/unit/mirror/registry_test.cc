#include <gtest/gtest.h>

#include "base/hash.h"
#include "fixture.h"

namespace dae::mirror {
namespace {

using testing::TestMirror;

constexpr const char* kManifest = "application/vnd.oci.image.manifest.v1+json";
constexpr const char* kIndex = "application/vnd.oci.image.index.v1+json";

std::string oci(const std::string& bytes) {
  return Digest::of(bytes).oci();
}

std::string descriptor(const std::string& type, const std::string& bytes, const std::string& extra = "") {
  return R"({"mediaType":")" + type + R"(","digest":")" + oci(bytes) + R"(","size":)" + std::to_string(bytes.size()) +
         extra + "}";
}

std::string manifest_of(const std::string& config, const std::string& layer, const std::string& extra = "") {
  return R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":)" +
         descriptor("application/vnd.test.config", config) + R"(,"layers":[)" +
         descriptor("application/vnd.test.layer", layer) + "]" + extra + "}";
}

struct Registry : ::testing::Test {
  void push_blob(const std::string& repository, const std::string& bytes) {
    const HttpResponse response =
        mirror.send("POST", "/v2/" + repository + "/blobs/uploads/?digest=" + oci(bytes), {}, bytes);
    ASSERT_EQ(response.status, 201) << response.body;
    ASSERT_EQ(response.headers.get("Location"), "/v2/" + repository + "/blobs/" + oci(bytes));
  }
  HttpResponse put_manifest(const std::string& repository, const std::string& reference, const std::string& bytes,
                            const std::string& type = kManifest) {
    return mirror.send("PUT", "/v2/" + repository + "/manifests/" + reference, {{"Content-Type", type}}, bytes);
  }
  // With its blobs.
  std::string push(const std::string& repository, const std::string& tag, const std::string& layer,
                   const std::string& extra = "") {
    push_blob(repository, "{}");
    push_blob(repository, layer);
    const std::string manifest = manifest_of("{}", layer, extra);
    EXPECT_EQ(put_manifest(repository, tag.empty() ? oci(manifest) : tag, manifest).status, 201);
    return manifest;
  }
  std::string error_code(const HttpResponse& response) {
    return parse_json(response.body, "error").root.at("errors").as_array().at(0).get_string("code");
  }
  std::string open(const std::string& repository) {
    const HttpResponse response = mirror.send("POST", "/v2/" + repository + "/blobs/uploads/");
    EXPECT_EQ(response.status, 202);
    return std::string(response.headers.get("Location"));
  }
  TestMirror mirror{"http://127.0.0.1:1/simple/"};
};

TEST_F(Registry, SaysThatItSpeaksTheProtocol) {
  EXPECT_EQ(mirror.get("/v2/").status, 200);
  EXPECT_EQ(mirror.get("/v2").status, 200);
}

TEST_F(Registry, TakesABlobInOnePost) {
  push_blob("team/thing", "hello");
  const HttpResponse blob = mirror.get("/v2/team/thing/blobs/" + oci("hello"));
  EXPECT_EQ(blob.body, "hello");
  EXPECT_EQ(blob.headers.get("Docker-Content-Digest"), oci("hello"));
  const HttpResponse head = mirror.send("HEAD", "/v2/team/thing/blobs/" + oci("hello"));
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.headers.get("Content-Length"), "5");
  EXPECT_EQ(mirror.get("/v2/team/thing/blobs/" + oci("hello"), {{"Range", "bytes=1-2"}}).body, "el");
  EXPECT_EQ(mirror.get("/v2/team/thing/blobs/" + oci("hello"), {{"Range", "bytes=9-"}}).status, 416);
}

TEST_F(Registry, TakesABlobByPostAndPut) {
  const std::string location = open("team/thing");
  const HttpResponse put = mirror.send("PUT", location + "?digest=" + oci("hello"), {}, "hello");
  EXPECT_EQ(put.status, 201) << put.body;
  EXPECT_EQ(mirror.get(std::string(put.headers.get("Location"))).body, "hello");
  EXPECT_EQ(mirror.get(location).status, 404);  // the session is over
}

TEST_F(Registry, TakesAnEmptyBlob) {
  push_blob("team/thing", "");
  const HttpResponse blob = mirror.get("/v2/team/thing/blobs/" + oci(""));
  EXPECT_EQ(blob.status, 200);
  EXPECT_EQ(blob.body, "");
}

TEST_F(Registry, TakesChunksInOrderOnly) {
  const std::string location = open("team/thing");
  const HttpResponse first = mirror.send("PATCH", location, {{"Content-Range", "0-3"}}, "abcd");
  EXPECT_EQ(first.status, 202) << first.body;
  EXPECT_EQ(first.headers.get("Range"), "0-3");
  const HttpResponse wrong = mirror.send("PATCH", location, {{"Content-Range", "8-11"}}, "ijkl");
  EXPECT_EQ(wrong.status, 416);
  EXPECT_EQ(wrong.headers.get("Range"), "0-3");
  EXPECT_EQ(mirror.send("PATCH", location, {{"Content-Range", "0-3"}}, "abcd").status, 416);  // sent again
  const HttpResponse status = mirror.get(location);
  EXPECT_EQ(status.status, 204);
  EXPECT_EQ(status.headers.get("Range"), "0-3");
  EXPECT_EQ(mirror.send("PATCH", location, {{"Content-Range", "4-7"}}, "efgh").status, 202);
  EXPECT_EQ(mirror.send("PUT", location + "?digest=" + oci("abcdefghij"), {{"Content-Range", "9-10"}}, "ij").status,
            416);
  const HttpResponse last =
      mirror.send("PUT", location + "?digest=" + oci("abcdefghij"), {{"Content-Range", "8-9"}}, "ij");
  EXPECT_EQ(last.status, 201) << last.body;
  EXPECT_EQ(mirror.get("/v2/team/thing/blobs/" + oci("abcdefghij")).body, "abcdefghij");
}

TEST_F(Registry, RefusesAChunkWhoseRangeIsNotItsLength) {
  const std::string location = open("team/thing");
  EXPECT_EQ(mirror.send("PATCH", location, {{"Content-Range", "0-9"}}, "abcd").status, 400);
  EXPECT_EQ(mirror.send("PATCH", location, {{"Content-Range", "x"}}, "abcd").status, 400);
  EXPECT_EQ(mirror.get(location).status, 204);
}

TEST_F(Registry, KeepsAnUploadOverARestartUntilItExpires) {
  const std::string location = open("team/thing");
  EXPECT_EQ(mirror.send("PATCH", location, {}, "abcd").status, 202);
  mirror.restart();
  EXPECT_EQ(mirror.get(location).headers.get("Range"), "0-3");
  EXPECT_EQ(mirror.send("PATCH", location, {}, "efgh").status, 202);
  mirror.clock.advance_ms(25 * 3'600'000);
  mirror.restart();
  EXPECT_EQ(mirror.get(location).status, 404);
  EXPECT_TRUE(list_dir(mirror.config.storage / "uploads").empty());
}

TEST_F(Registry, AnUploadWithoutBytesLeavesNothingOnDisk) {
  const std::string location = open("team/thing");
  EXPECT_TRUE(list_dir(mirror.config.storage / "uploads").empty());
  EXPECT_EQ(mirror.get(location).status, 204);
  EXPECT_EQ(mirror.send("PATCH", location).status, 202);  // an empty chunk is none
  EXPECT_TRUE(list_dir(mirror.config.storage / "uploads").empty());
  mirror.restart();
  EXPECT_EQ(mirror.get(location).status, 404);
}

TEST_F(Registry, KnowsTheDigestOfAChunkSentBeforeARestart) {
  for (const bool restart : {false, true}) {
    const std::string location = open("team/thing"), bytes = restart ? "again" : "once";
    EXPECT_EQ(mirror.send("PATCH", location, {}, bytes).status, 202);
    if (restart) mirror.restart();
    const std::string wrong = open("team/thing");
    EXPECT_EQ(mirror.send("PATCH", wrong, {}, "else").status, 202);
    EXPECT_EQ(mirror.send("PUT", location + "?digest=" + oci(bytes)).status, 201);
    EXPECT_EQ(mirror.send("PUT", wrong + "?digest=" + oci(bytes)).status, 400);
    EXPECT_EQ(mirror.get("/v2/team/thing/blobs/" + oci(bytes)).body, bytes);
  }
}

TEST(RegistryLimits, StopABlobThatGrowsTooLarge) {
  TestMirror small("http://127.0.0.1:1/simple/", [](MirrorConfig& config) { config.file_limit_bytes = 6; });
  const HttpResponse whole =
      small.send("POST", "/v2/team/thing/blobs/uploads/?digest=" + oci("abcdefgh"), {}, "abcdefgh");
  EXPECT_EQ(whole.status, 413);
  const std::string location(small.send("POST", "/v2/team/thing/blobs/uploads/").headers.get("Location"));
  EXPECT_EQ(small.send("PATCH", location, {}, "abcd").status, 202);
  EXPECT_EQ(small.send("PATCH", location, {}, "efgh").status, 413);
  EXPECT_EQ(small.send("PATCH", location, {}, "ef").status, 202);
}

TEST_F(Registry, CancelsAnUpload) {
  const std::string location = open("team/thing");
  EXPECT_EQ(mirror.send("DELETE", location).status, 204);
  EXPECT_EQ(mirror.send("DELETE", location).status, 404);
  EXPECT_TRUE(list_dir(mirror.config.storage / "uploads").empty());
}

TEST_F(Registry, RefusesABlobWithAnotherDigest) {
  const HttpResponse post = mirror.send("POST", "/v2/team/thing/blobs/uploads/?digest=" + oci("other"), {}, "hello");
  EXPECT_EQ(post.status, 400);
  EXPECT_EQ(error_code(post), "DIGEST_INVALID");
  const HttpResponse put = mirror.send("PUT", open("team/thing") + "?digest=" + oci("other"), {}, "hello");
  EXPECT_EQ(put.status, 400);
  EXPECT_EQ(mirror.get("/v2/team/thing/blobs/" + oci("hello")).status, 404);
  EXPECT_EQ(mirror.get("/v2/team/thing/blobs/sha256:zz").status, 400);
}

TEST_F(Registry, AnUploadBelongsToItsRepository) {
  std::string location = open("team/thing");
  location.replace(location.find("thing"), 5, "other");
  EXPECT_EQ(mirror.send("PATCH", location, {}, "abcd").status, 404);
}

TEST_F(Registry, MountsWhatAnotherRepositoryHas) {
  push_blob("team/a", "shared");
  EXPECT_EQ(mirror.get("/v2/team/b/blobs/" + oci("shared")).status, 404);
  const std::string uploads = "/v2/team/b/blobs/uploads/?mount=" + oci("shared");
  EXPECT_EQ(mirror.send("POST", uploads + "&from=team/none").status, 202);
  EXPECT_EQ(mirror.send("POST", uploads + "&from=team/a").status, 201);
  EXPECT_EQ(mirror.get("/v2/team/b/blobs/" + oci("shared")).body, "shared");
  EXPECT_EQ(mirror.send("POST", "/v2/team/c/blobs/uploads/?mount=" + oci("shared")).status, 201);
  EXPECT_EQ(mirror.send("POST", "/v2/team/c/blobs/uploads/?mount=" + oci("nowhere")).status, 202);
}

TEST_F(Registry, KeepsAManifestByteForByte) {
  const std::string manifest = push("team/thing", "v1", "layer", R"(,  "x" : 1 )");
  for (const std::string& reference : {std::string("v1"), oci(manifest)}) {
    const HttpResponse got = mirror.get("/v2/team/thing/manifests/" + reference);
    EXPECT_EQ(got.status, 200);
    EXPECT_EQ(got.body, manifest);
    EXPECT_EQ(got.headers.get("Content-Type"), kManifest);
    EXPECT_EQ(got.headers.get("Docker-Content-Digest"), oci(manifest));
    EXPECT_EQ(mirror.send("HEAD", "/v2/team/thing/manifests/" + reference).headers.get("Content-Length"),
              std::to_string(manifest.size()));
  }
  const HttpResponse none = mirror.get("/v2/team/thing/manifests/v2");
  EXPECT_EQ(none.status, 404);
  EXPECT_EQ(error_code(none), "MANIFEST_UNKNOWN");
}

TEST_F(Registry, RefusesManifestsThatAreNone) {
  push_blob("team/thing", "{}");
  push_blob("team/thing", "layer");
  const std::string good = manifest_of("{}", "layer");
  EXPECT_EQ(put_manifest("team/thing", "v1", "{").status, 400);
  EXPECT_EQ(put_manifest("team/thing", "v1", "[]").status, 400);
  EXPECT_EQ(put_manifest("team/thing", "v1", R"({"schemaVersion":1})").status, 400);
  EXPECT_EQ(put_manifest("team/thing", "v1", good, kIndex).status, 400);
  EXPECT_EQ(put_manifest("team/thing", "v1", R"({"schemaVersion":2})", "text/plain").status, 400);
  EXPECT_EQ(put_manifest("team/thing", "-v1", good).status, 400);
  EXPECT_EQ(put_manifest("team/thing", oci("other"), good).status, 400);
  EXPECT_EQ(put_manifest("Team/thing", "v1", good).status, 400);
  EXPECT_EQ(put_manifest("team/thing", "v1", std::string((4u << 20) + 1, ' ')).status, 413);
  EXPECT_EQ(put_manifest("team/thing", "v1", good, "application/vnd.oci.image.manifest.v1+json; charset=utf-8").status,
            201);
}

TEST_F(Registry, RefusesAManifestWhoseBlobsAreMissing) {
  push_blob("team/thing", "{}");
  push_blob("team/other", "layer");  // elsewhere does not count
  const HttpResponse missing = put_manifest("team/thing", "v1", manifest_of("{}", "layer"));
  EXPECT_EQ(missing.status, 400);
  EXPECT_EQ(error_code(missing), "MANIFEST_BLOB_UNKNOWN");
  const std::string foreign = R"({"schemaVersion":2,"config":)" + descriptor("application/vnd.test.config", "{}") +
                              R"(,"layers":[)" +
                              descriptor("application/vnd.oci.image.layer.nondistributable.v1.tar", "elsewhere") + "]}";
  EXPECT_EQ(put_manifest("team/thing", "v1", foreign).status, 201);
}

TEST_F(Registry, TakesAnIndexOfManifestsItHas) {
  const std::string manifest = push("team/thing", "", "layer");
  const auto index_of = [](const std::string& bytes) {
    return R"({"schemaVersion":2,"manifests":[)" + descriptor(kManifest, bytes) + "]}";
  };
  EXPECT_EQ(put_manifest("team/thing", "all", index_of(manifest), kIndex).status, 201);
  EXPECT_EQ(put_manifest("team/thing", "all", index_of("nothing"), kIndex).status, 400);
  EXPECT_EQ(mirror.get("/v2/team/thing/manifests/all").headers.get("Content-Type"), kIndex);
}

TEST_F(Registry, NeverMovesATagOfAnApp) {
  const std::string first = push("apps/bubbler", "1.0", "one");
  push_blob("apps/bubbler", "two");
  const std::string second = manifest_of("{}", "two");
  const HttpResponse moved = put_manifest("apps/bubbler", "1.0", second);
  EXPECT_EQ(moved.status, 409);
  EXPECT_EQ(error_code(moved), "DENIED");
  EXPECT_EQ(mirror.get("/v2/apps/bubbler/manifests/" + oci(second)).status, 404);
  EXPECT_EQ(put_manifest("apps/bubbler", "1.0", first).status, 201);
  // Not by way of deletion either.
  EXPECT_EQ(mirror.send("DELETE", "/v2/apps/bubbler/manifests/1.0").status, 202);
  EXPECT_EQ(mirror.get("/v2/apps/bubbler/manifests/1.0").status, 404);
  EXPECT_EQ(put_manifest("apps/bubbler", "1.0", second).status, 409);
  EXPECT_EQ(put_manifest("apps/bubbler", "1.0", first).status, 201);
  EXPECT_EQ(mirror.get("/v2/apps/bubbler/manifests/1.0").body, first);
}

TEST_F(Registry, MovesTagsElsewhere) {
  push("team/thing", "latest", "one");
  const std::string second = push("team/thing", "latest", "two");
  EXPECT_EQ(mirror.get("/v2/team/thing/manifests/latest").body, second);
}

TEST_F(Registry, ListsTagsInPages) {
  EXPECT_EQ(mirror.get("/v2/team/none/tags/list").status, 404);
  for (const char* tag : {"c", "a", "B", "d"}) push("team/thing", tag, "layer");
  const auto tags = [&](const HttpResponse& response) {
    return parse_json(response.body, "tags").root.get_strings("tags");
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(tags(mirror.get("/v2/team/thing/tags/list")), (Names{"B", "a", "c", "d"}));
  const HttpResponse page = mirror.get("/v2/team/thing/tags/list?n=2");
  EXPECT_EQ(tags(page), (Names{"B", "a"}));
  EXPECT_EQ(page.headers.get("Link"), "</v2/team/thing/tags/list?n=2&last=a>; rel=\"next\"");
  const HttpResponse rest = mirror.get("/v2/team/thing/tags/list?n=2&last=a");
  EXPECT_EQ(tags(rest), (Names{"c", "d"}));
  EXPECT_FALSE(rest.headers.has("Link"));
  const HttpResponse none = mirror.get("/v2/team/thing/tags/list?n=0");
  EXPECT_EQ(tags(none), Names{});
  EXPECT_FALSE(none.headers.has("Link"));
  EXPECT_EQ(tags(mirror.get("/v2/team/thing/tags/list?last=c")), Names{"d"});
  EXPECT_EQ(mirror.get("/v2/team/thing/tags/list?n=many").status, 400);
}

TEST_F(Registry, TagsAManifestPushedByDigest) {
  push_blob("team/thing", "{}");
  push_blob("team/thing", "layer");
  const std::string manifest = manifest_of("{}", "layer");
  const HttpResponse put = put_manifest("team/thing", oci(manifest) + "?tag=a&tag=b", manifest);
  EXPECT_EQ(put.status, 201);
  EXPECT_EQ(put.headers.get("OCI-Tag"), "a, b");
  EXPECT_EQ(mirror.get("/v2/team/thing/manifests/b").body, manifest);
}

TEST_F(Registry, ListsWhoRefersToAManifest) {
  const std::string subject = push("team/thing", "v1", "layer");
  const auto referrers = [&](const std::string& query = "") {
    return mirror.get("/v2/team/thing/referrers/" + oci(subject) + query);
  };
  EXPECT_EQ(referrers().status, 200);
  EXPECT_EQ(referrers().headers.get("Content-Type"), kIndex);
  EXPECT_EQ(parse_json(referrers().body, "index").root.at("manifests").size(), 0u);
  push_blob("team/thing", "sbom");
  const std::string sbom =
      manifest_of("{}", "sbom",
                  R"(,"artifactType":"application/vnd.test.sbom","annotations":{"made":"today"},"subject":)" +
                      descriptor(kManifest, subject));
  const HttpResponse put = put_manifest("team/thing", oci(sbom), sbom);
  EXPECT_EQ(put.status, 201);
  EXPECT_EQ(put.headers.get("OCI-Subject"), oci(subject));
  const std::string plain = manifest_of("{}", "sbom", R"(,"subject":)" + descriptor(kManifest, subject));
  EXPECT_EQ(put_manifest("team/thing", oci(plain), plain).status, 201);
  EXPECT_EQ(parse_json(referrers().body, "index").root.at("manifests").size(), 2u);
  const HttpResponse filtered = referrers("?artifactType=application/vnd.test.sbom");
  EXPECT_EQ(filtered.headers.get("OCI-Filters-Applied"), "artifactType");
  const Value list = parse_json(filtered.body, "index").root.at("manifests");
  ASSERT_EQ(list.size(), 1u);
  EXPECT_EQ(list.as_array()[0].get_string("digest"), oci(sbom));
  EXPECT_EQ(list.as_array()[0].at("annotations").get_string("made"), "today");
  // Without an artifactType the config's type stands in.
  EXPECT_EQ(
      parse_json(referrers("?artifactType=application/vnd.test.config").body, "index").root.at("manifests").size(), 1u);
  EXPECT_EQ(mirror.get("/v2/team/thing/referrers/nonsense").status, 400);
}

TEST_F(Registry, DeletesTagsManifestsAndBlobs) {
  const std::string manifest = push("team/thing", "v1", "layer");
  put_manifest("team/thing", "v2", manifest);
  EXPECT_EQ(mirror.send("DELETE", "/v2/team/thing/manifests/v1").status, 202);
  EXPECT_EQ(mirror.get("/v2/team/thing/manifests/v1").status, 404);
  EXPECT_EQ(mirror.get("/v2/team/thing/manifests/v2").status, 200);
  EXPECT_EQ(mirror.send("DELETE", "/v2/team/thing/manifests/" + oci(manifest)).status, 202);
  EXPECT_EQ(mirror.get("/v2/team/thing/manifests/v2").status, 404);
  EXPECT_EQ(mirror.send("DELETE", "/v2/team/thing/manifests/v2").status, 404);
  EXPECT_EQ(mirror.send("DELETE", "/v2/team/thing/blobs/" + oci("layer")).status, 202);
  EXPECT_EQ(mirror.get("/v2/team/thing/blobs/" + oci("layer")).status, 404);
  EXPECT_EQ(mirror.send("DELETE", "/v2/team/thing/blobs/" + oci("layer")).status, 404);
  EXPECT_TRUE(parse_json(mirror.get("/v2/team/thing/tags/list").body, "tags").root.get_strings("tags").empty());
}

TEST_F(Registry, RefusesNamesOutsideTheGrammar) {
  for (const char* name : {"Team", "team/-x", "team/x-", "te..am", "team___x", "_team"}) {
    const int status = mirror.send("POST", "/v2/" + std::string(name) + "/blobs/uploads/").status;
    EXPECT_EQ(status, 400) << name;
  }
  for (const char* name : {"a", "a/b/c", "a.b_c__d-e---f/0"}) {
    EXPECT_EQ(mirror.send("POST", "/v2/" + std::string(name) + "/blobs/uploads/").status, 202) << name;
  }
}

}  // namespace
}  // namespace dae::mirror
