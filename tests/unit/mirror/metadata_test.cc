#include <gtest/gtest.h>

#include "base/hash.h"
#include "fixture.h"

namespace dae::mirror {
namespace {

using testing::FakeIndex;
using testing::json_file;
using testing::json_page;
using testing::make_wheel;
using testing::make_zip;
using testing::metadata_text;
using testing::TestMirror;

constexpr const char* kJson = "application/vnd.pypi.simple.v1+json";
const std::string kWheelName = "demo-1.0-py3-none-any.whl";
const std::string kSdistName = "demo-1.0.tar.gz";

struct Metadata : ::testing::Test {
  // An index as they were before PEP 658: HTML, and a digest in the fragment.
  void old_page(const std::string& attributes = "") {
    upstream.set_file(kWheelName, wheel);
    upstream.set_page("demo",
                      "<!DOCTYPE html><html><body><a href=\"/files/" + kWheelName + "#sha256=" + sha256 + "\" " +
                          attributes + ">" + kWheelName + "</a></body></html>",
                      "text/html");
  }
  Value first_file() { return mirror.page("demo").at("files").as_array().at(0); }

  std::string wheel = make_wheel("demo", "1.0");
  std::string sha256 = Digest::of(wheel).hex();
  std::string path = "/packages/" + sha256.substr(0, 2) + "/" + sha256 + "/" + kWheelName;
  std::string text = metadata_text("demo", "1.0");
  FakeIndex upstream;
  TestMirror mirror{upstream.simple_url()};
};

TEST_F(Metadata, IsPassedOnWithItsAnnouncedDigest) {
  const std::string digest = Digest::of(text).hex();
  upstream.set_file(kWheelName + ".metadata", text);
  upstream.set_page(
      "demo", json_page("demo", {json_file(kWheelName, sha256, R"(,"core-metadata":{"sha256":")" + digest + "\"}")}),
      kJson);
  EXPECT_EQ(first_file().at("core-metadata").get_string("sha256"), digest);
  EXPECT_EQ(mirror.get(path + ".metadata").body, text);
  EXPECT_EQ(mirror.get(path + ".metadata").status, 200);
  EXPECT_EQ(upstream.metadata, 1);
  EXPECT_EQ(upstream.files, 0);
}

TEST_F(Metadata, WithAnotherDigestThanAnnouncedIsRefused) {
  upstream.set_file(kWheelName + ".metadata", text + "changed");
  upstream.set_page("demo",
                    json_page("demo", {json_file(kWheelName, sha256,
                                                 R"(,"core-metadata":{"sha256":")" + Digest::of(text).hex() + "\"}")}),
                    kJson);
  mirror.page("demo");
  EXPECT_EQ(mirror.get(path + ".metadata").status, 502);
}

TEST_F(Metadata, ComesOutOfTheWheelWhereUpstreamHasNone) {
  old_page();
  EXPECT_TRUE(first_file().at("core-metadata").as_bool());
  const HttpResponse answer = mirror.get(path + ".metadata");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, text);
  EXPECT_EQ(upstream.files, 1);
  // Known now, and announced by digest; the size too.
  EXPECT_EQ(first_file().at("core-metadata").get_string("sha256"), Digest::of(text).hex());
  EXPECT_EQ(first_file().get_integer("size"), static_cast<int64_t>(wheel.size()));
  EXPECT_EQ(mirror.get(path + ".metadata").body, text);
  EXPECT_EQ(upstream.files, 1);
}

TEST_F(Metadata, IsTriedUnannouncedBeforeTheWheelIsPulled) {
  old_page();
  upstream.set_file(kWheelName + ".metadata", text);
  mirror.page("demo");
  EXPECT_EQ(mirror.get(path + ".metadata").body, text);
  EXPECT_EQ(upstream.files, 0);
}

TEST_F(Metadata, OfAServerThatAnswersEverythingIsNotBelieved) {
  old_page();
  upstream.set_file(kWheelName + ".metadata", "<html>welcome</html>");
  mirror.page("demo");
  EXPECT_EQ(mirror.get(path + ".metadata").body, text);
  EXPECT_EQ(upstream.files, 1);
}

TEST_F(Metadata, OfABrokenWheelIsAnError) {
  for (const std::string& bytes : {std::string("no zip at all"), make_zip({{"demo/__init__.py", ""}}),
                                   make_zip({{"evil-1.0.dist-info/METADATA", metadata_text("evil", "1.0")}})}) {
    FakeIndex broken;
    const std::string digest = Digest::of(bytes).hex();
    broken.set_file(kWheelName, bytes);
    broken.set_page("demo", json_page("demo", {json_file(kWheelName, digest)}), kJson);
    TestMirror in_front(broken.simple_url());
    const std::string wheel_path = in_front.file_path("demo", kWheelName);
    EXPECT_EQ(in_front.get(wheel_path + ".metadata").status, 502);
    EXPECT_EQ(in_front.get(wheel_path).status, 200);  // the bytes are what upstream published
  }
}

TEST_F(Metadata, OfAnSdistIsOnlyWhatUpstreamAnnounces) {
  const std::string digest = Digest::of("sdist").hex();
  upstream.set_file(kSdistName, "sdist");
  upstream.set_page("demo", json_page("demo", {json_file(kSdistName, digest)}), kJson);
  const Value file = first_file();
  EXPECT_TRUE(file.find("core-metadata") == nullptr || !file.at("core-metadata").as_bool());
  EXPECT_EQ(mirror.get(mirror.file_path("demo", kSdistName) + ".metadata").status, 404);
  EXPECT_EQ(upstream.files, 0);
}

TEST_F(Metadata, AndEverythingElseOfAnOldPageIsKept) {
  old_page("data-requires-python=\"&gt;=3.8\" data-yanked=\"broken &amp; old\"");
  const Value file = first_file();
  EXPECT_EQ(file.get_string("requires-python"), ">=3.8");
  EXPECT_EQ(file.get_string("yanked"), "broken & old");
  const std::string html = mirror.get("/pypi/simple/demo/").body;
  EXPECT_NE(html.find("data-yanked=\"broken &amp; old\""), std::string::npos) << html;
  EXPECT_NE(html.find("data-dist-info-metadata"), std::string::npos) << html;
}

}  // namespace
}  // namespace dae::mirror
