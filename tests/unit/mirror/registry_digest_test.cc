// Content under other names than sha256, and what a repository may do without.
#include <gtest/gtest.h>

#include "base/hash.h"
#include "fixture.h"
#include "mirror/registry/content_digest.h"

namespace dae::mirror {
namespace {

using testing::TestMirror;

constexpr const char* kManifest = "application/vnd.oci.image.manifest.v1+json";
constexpr const char* kIndex = "application/vnd.oci.image.index.v1+json";

std::string sha256(const std::string& bytes) {
  return Digest::of(bytes).oci();
}

std::string sha512(const std::string& bytes) {
  Sha512 hash(Sha512::Length::bits_512);
  hash.update(bytes);
  return "sha512:" + to_hex(hash.finish_bytes());
}

std::string descriptor(const std::string& type, const std::string& digest, size_t size_bytes) {
  return R"({"mediaType":")" + type + R"(","digest":")" + digest + R"(","size":)" + std::to_string(size_bytes) + "}";
}

std::string manifest_of(const std::string& config, const std::string& layer, const std::string& extra = "") {
  return R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":)" +
         descriptor("application/vnd.test.config", sha512(config), config.size()) + R"(,"layers":[)" +
         descriptor("application/vnd.test.layer", sha512(layer), layer.size()) + "]" + extra + "}";
}

struct RegistryDigest : ::testing::Test {
  HttpResponse post_blob(const std::string& repository, const std::string& digest, const std::string& bytes) {
    return mirror.send("POST", "/v2/" + repository + "/blobs/uploads/?digest=" + digest, {}, bytes);
  }
  HttpResponse put_manifest(const std::string& repository, const std::string& reference, const std::string& bytes,
                            const std::string& type = kManifest) {
    return mirror.send("PUT", "/v2/" + repository + "/manifests/" + reference, {{"Content-Type", type}}, bytes);
  }
  std::string push(const std::string& repository, const std::string& layer, const std::string& extra = "") {
    EXPECT_EQ(post_blob(repository, sha512("{}"), "{}").status, 201);
    EXPECT_EQ(post_blob(repository, sha512(layer), layer).status, 201);
    const std::string manifest = manifest_of("{}", layer, extra);
    const HttpResponse put = put_manifest(repository, sha512(manifest), manifest);
    EXPECT_EQ(put.status, 201) << put.body;
    EXPECT_EQ(put.headers.get("Docker-Content-Digest"), sha512(manifest));
    return manifest;
  }
  std::string open(const std::string& query = "") {
    const HttpResponse response = mirror.send("POST", "/v2/team/thing/blobs/uploads/" + query);
    EXPECT_EQ(response.status, 202);
    return std::string(response.headers.get("Location"));
  }
  std::string code(const HttpResponse& response) {
    return parse_json(response.body, "error").root.at("errors").as_array().at(0).get_string("code");
  }
  TestMirror mirror{"http://127.0.0.1:1/simple/"};
};

TEST(ContentDigest, KnowsTheFormsOfTheSpecification) {
  for (const std::string& good :
       {sha256("x"), sha512("x"), std::string("multihash+base58:QmRZxt2b1FVZPNqd8hsiykDL3TdBDeT"),
        std::string("sha384:ab"), std::string("b3:A_b-=")}) {
    EXPECT_TRUE(is_digest_form(good)) << good;
  }
  for (const std::string& bad :
       {std::string("sha256:"), std::string("sha512:ab"), sha256("x") + "0", std::string(":ab"),
        std::string("Sha256:ab"), std::string("sha384"), std::string("sha384:a b")}) {
    EXPECT_FALSE(is_digest_form(bad)) << bad;
  }
  std::string upper = sha512("x");
  upper.back() = 'A';
  EXPECT_FALSE(is_digest_form(upper));
  EXPECT_EQ(ContentDigest::from_row(ContentDigest::parse(sha512("x")).row()).oci(), sha512("x"));
  EXPECT_EQ(ContentDigest::from_row(ContentDigest::parse(sha256("x")).row()).oci(), sha256("x"));
  EXPECT_THROW(ContentDigest::parse("sha384:ab"), Error);
}

TEST_F(RegistryDigest, TakesABlobBySha512InEveryWay) {
  EXPECT_EQ(post_blob("team/thing", sha512("one"), "one").headers.get("Docker-Content-Digest"), sha512("one"));
  EXPECT_EQ(post_blob("team/thing", sha512(""), "").status, 201);
  EXPECT_EQ(mirror.send("PUT", open("?digest-algorithm=sha512") + "?digest=" + sha512("two"), {}, "two").status, 201);
  const std::string once = open();
  EXPECT_EQ(mirror.send("PATCH", once, {}, "three").status, 202);
  EXPECT_EQ(mirror.send("PUT", once + "?digest=" + sha512("three")).status, 201);
  const std::string twice = open();
  EXPECT_EQ(mirror.send("PATCH", twice, {{"Content-Range", "0-1"}}, "fo").status, 202);
  EXPECT_EQ(mirror.send("PATCH", twice, {{"Content-Range", "2-2"}}, "u").status, 202);
  EXPECT_EQ(mirror.send("PUT", twice + "?digest=" + sha512("four"), {{"Content-Range", "3-3"}}, "r").status, 201);
  for (const std::string bytes : {"one", "", "two", "three", "four"}) {
    const HttpResponse blob = mirror.get("/v2/team/thing/blobs/" + sha512(bytes));
    EXPECT_EQ(blob.status, 200) << bytes;
    EXPECT_EQ(blob.body, bytes);
    EXPECT_EQ(blob.headers.get("Docker-Content-Digest"), sha512(bytes));
  }
  EXPECT_EQ(mirror.get("/v2/team/thing/blobs/" + sha256("one")).status, 404);  // nobody pushed it under that name
}

TEST_F(RegistryDigest, RefusesBytesWithAnotherSha512) {
  const HttpResponse post = post_blob("team/thing", sha512("other"), "bytes");
  EXPECT_EQ(post.status, 400);
  EXPECT_EQ(code(post), "DIGEST_INVALID");
  EXPECT_EQ(post_blob("team/thing", sha512("other"), "").status, 400);
  EXPECT_EQ(mirror.send("PUT", open() + "?digest=" + sha512("other"), {}, "bytes").status, 400);
  const std::string chunked = open();
  EXPECT_EQ(mirror.send("PATCH", chunked, {}, "by").status, 202);
  EXPECT_EQ(mirror.send("PUT", chunked + "?digest=" + sha512("other"), {}, "tes").status, 400);
  EXPECT_EQ(mirror.get("/v2/team/thing/blobs/" + sha512("other")).status, 404);
  EXPECT_EQ(put_manifest("team/thing", sha512("other"), R"({"schemaVersion":2,"manifests":[]})", kIndex).status, 400);
}

TEST_F(RegistryDigest, RefusesAlgorithmsItCannotCompute) {
  EXPECT_EQ(code(mirror.send("POST", "/v2/team/thing/blobs/uploads/?digest-algorithm=md5")), "UNSUPPORTED");
  const HttpResponse post = post_blob("team/thing", "sha384:" + std::string(96, 'a'), "bytes");
  EXPECT_EQ(post.status, 400);
  EXPECT_EQ(code(post), "UNSUPPORTED");
}

TEST_F(RegistryDigest, MountsAndDeletesBySha512) {
  EXPECT_EQ(post_blob("team/a", sha512("shared"), "shared").status, 201);
  const std::string mount = "/blobs/uploads/?mount=" + sha512("shared");
  EXPECT_EQ(mirror.send("POST", "/v2/team/b" + mount + "&from=team/none").status, 202);
  EXPECT_EQ(mirror.send("POST", "/v2/team/b" + mount + "&from=team/a").status, 201);
  EXPECT_EQ(mirror.send("POST", "/v2/team/c" + mount).status, 201);
  EXPECT_EQ(mirror.send("POST", "/v2/team/c/blobs/uploads/?mount=" + sha512("nowhere")).status, 202);
  EXPECT_EQ(mirror.get("/v2/team/c/blobs/" + sha512("shared")).body, "shared");
  EXPECT_EQ(mirror.send("DELETE", "/v2/team/c/blobs/" + sha512("shared")).status, 202);
  EXPECT_EQ(mirror.get("/v2/team/c/blobs/" + sha512("shared")).status, 404);
  EXPECT_EQ(mirror.get("/v2/team/b/blobs/" + sha512("shared")).status, 200);
}

TEST_F(RegistryDigest, KeepsAManifestUnderTheNameItWasPushedBy) {
  const std::string manifest = push("team/thing", "layer");
  EXPECT_EQ(mirror.get("/v2/team/thing/manifests/" + sha512(manifest)).body, manifest);
  EXPECT_EQ(mirror.get("/v2/team/thing/manifests/" + sha256(manifest)).status, 404);
  const HttpResponse tagged = put_manifest("team/thing", sha512(manifest) + "?tag=v1", manifest);
  EXPECT_EQ(tagged.headers.get("OCI-Tag"), "v1");
  mirror.restart();
  const HttpResponse by_tag = mirror.get("/v2/team/thing/manifests/v1");
  EXPECT_EQ(by_tag.body, manifest);
  EXPECT_EQ(by_tag.headers.get("Docker-Content-Digest"), sha512(manifest));
  // By tag alone the registry chooses the algorithm.
  EXPECT_EQ(put_manifest("team/thing", "v2", manifest).headers.get("Docker-Content-Digest"), sha256(manifest));
  EXPECT_EQ(mirror.send("DELETE", "/v2/team/thing/manifests/" + sha512(manifest)).status, 202);
  EXPECT_EQ(mirror.get("/v2/team/thing/manifests/v1").status, 404);
  EXPECT_EQ(mirror.get("/v2/team/thing/manifests/v2").status, 200);
}

TEST_F(RegistryDigest, IndexesAndReferrersNameManifestsBySha512) {
  const std::string manifest = push("team/thing", "layer");
  const std::string entry = descriptor(kManifest, sha512(manifest), manifest.size());
  const std::string index = R"({"schemaVersion":2,"manifests":[)" + entry + "]}";
  EXPECT_EQ(put_manifest("team/thing", sha512(index), index, kIndex).status, 201);
  const std::string about = push("team/thing", "sbom", R"(,"subject":)" + entry);
  const Value list =
      parse_json(mirror.get("/v2/team/thing/referrers/" + sha512(manifest)).body, "index").root.at("manifests");
  ASSERT_EQ(list.size(), 1u);
  EXPECT_EQ(list.as_array()[0].get_string("digest"), sha512(about));
}

TEST_F(RegistryDigest, ATagOfAnAppStaysWithItsSha512) {
  const std::string first = push("apps/bubbler", "one"), second = push("apps/bubbler", "two");
  EXPECT_EQ(put_manifest("apps/bubbler", sha512(first) + "?tag=1.0", first).status, 201);
  EXPECT_EQ(put_manifest("apps/bubbler", sha512(second) + "?tag=1.0", second).status, 409);
  EXPECT_EQ(mirror.get("/v2/apps/bubbler/manifests/1.0").body, first);
}

TEST_F(RegistryDigest, ListsRepositoriesInPages) {
  const auto names = [&](const std::string& query) {
    return parse_json(mirror.get("/v2/_catalog" + query).body, "catalog").root.get_strings("repositories");
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(names(""), Names{});
  for (const char* name : {"team/b", "a", "team/a"}) push(name, "layer");
  EXPECT_EQ(post_blob("team/c", sha512("x"), "x").status, 201);  // nothing to pull there
  EXPECT_EQ(names(""), (Names{"a", "team/a", "team/b"}));
  EXPECT_EQ(names("?n=2"), (Names{"a", "team/a"}));
  EXPECT_EQ(mirror.get("/v2/_catalog?n=2").headers.get("Link"), "</v2/_catalog?n=2&last=team%2Fa>; rel=\"next\"");
  EXPECT_EQ(names("?n=2&last=team%2Fa"), Names{"team/b"});
  EXPECT_FALSE(mirror.get("/v2/_catalog?n=2&last=team%2Fa").headers.has("Link"));
  EXPECT_EQ(names("?n=0"), Names{});
}

TEST(RegistrySparse, TakesManifestsOfWhichAPartIsHereWhenToldTo) {
  TestMirror mirror("http://127.0.0.1:1/simple/", [](MirrorConfig& config) { config.sparse_manifests = true; });
  const auto put = [&](const std::string& repository, const std::string& bytes) {
    return mirror.send("PUT", "/v2/" + repository + "/manifests/v1", {{"Content-Type", kIndex}}, bytes).status;
  };
  const std::string index =
      R"({"schemaVersion":2,"manifests":[)" + descriptor(kManifest, sha256("elsewhere"), 9) + "]}";
  EXPECT_EQ(put("team/thing", index), 201);
  EXPECT_EQ(put("apps/bubbler", index), 400);
  // What is here must still have the size that the manifest says.
  const std::string wrong = R"({"schemaVersion":2,"manifests":[)" + descriptor(kIndex, sha256(index), 1) + "]}";
  EXPECT_EQ(put("team/thing", wrong), 400);
}

}  // namespace
}  // namespace dae::mirror
