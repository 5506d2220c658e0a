// Answers given again from the event loop: what must be seen at once is.
#include "mirror/index/answer_cache.h"

#include <gtest/gtest.h>

#include "base/hash.h"
#include "one_wheel.h"

namespace dae::mirror {
namespace {

using testing::FakeIndex;
using testing::json_file;
using testing::json_page;
using testing::kJson;
using testing::kWheelName;
using testing::make_wheel;
using testing::TestMirror;

constexpr const char* kPage = "/pypi/simple/demo/";

struct AnswerCaching : testing::OneWheel {};

TEST_F(AnswerCaching, APageThatChangedUpstreamShowsWithItsRefresh) {
  const std::string before = mirror.get(kPage).body;
  EXPECT_EQ(mirror.get(kPage).body, before);
  const std::string other = make_wheel("demo", "2.0");
  upstream.set_page("demo", json_page("demo", {json_file("demo-2.0-py3-none-any.whl", Digest::of(other).hex())}), kJson,
                    "e2");
  EXPECT_EQ(mirror.get(kPage).body, before);
  mirror.clock.advance_ms(601'000);
  EXPECT_NE(mirror.get(kPage).body.find("demo-2.0"), std::string::npos);
  // The file is listed no longer: gone, however often it was answered before.
  EXPECT_EQ(mirror.get(path).status, 404);
}

TEST_F(AnswerCaching, AFileIsGoneAtOnceWhenItsPageNoLongerListsIt) {
  mirror.get(kPage);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(mirror.get(path).body, wheel);
  upstream.set_page("demo", json_page("demo", {}), kJson, "e2");
  mirror.clock.advance_ms(601'000);
  mirror.get(kPage);
  EXPECT_EQ(mirror.get(path).status, 404);
}

TEST_F(AnswerCaching, MetadataThatWasLearnedShowsOnThePageAtOnce) {
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(mirror.page("demo").at("files").as_array().at(0).at("core-metadata"), Value(true));
  }
  EXPECT_EQ(mirror.get(path + ".metadata").status, 200);
  EXPECT_TRUE(mirror.page("demo").at("files").as_array().at(0).at("core-metadata").is_object());
}

TEST_F(AnswerCaching, EveryFormAndCodingIsItsOwnAnswer) {
  const std::vector<std::string> names = [] {
    std::vector<std::string> many;
    for (int i = 0; i < 40; ++i)
      many.push_back(
          json_file("demo-1." + std::to_string(i) + "-py3-none-any.whl", Digest::of(std::to_string(i)).hex()));
    return many;
  }();
  upstream.set_page("demo", json_page("demo", names), kJson, "e2");
  for (int round = 0; round < 3; ++round) {
    const HttpResponse plain = mirror.get(kPage, {{"Accept", kJson}, {"Accept-Encoding", "identity"}});
    const HttpResponse packed = mirror.get(kPage, {{"Accept", kJson}, {"Accept-Encoding", "gzip, deflate"}});
    const HttpResponse html = mirror.get(kPage, {{"Accept", "text/html"}, {"Accept-Encoding", "gzip;q=0"}});
    EXPECT_EQ(plain.headers.get("Content-Encoding"), "");
    EXPECT_EQ(packed.headers.get("Content-Encoding"), "gzip");
    EXPECT_LT(packed.body.size(), plain.body.size() / 2);
    EXPECT_EQ(mirror.get(kPage, {{"Accept", kJson}}).body, plain.body);  // unpacked by the client
    EXPECT_NE(packed.headers.get("ETag"), plain.headers.get("ETag"));
    EXPECT_EQ(html.headers.get("Content-Type"), "text/html; charset=utf-8");
    const std::string etag(packed.headers.get("ETag"));
    EXPECT_EQ(mirror.get(kPage, {{"Accept", kJson}, {"Accept-Encoding", "gzip"}, {"If-None-Match", etag}}).status, 304);
    EXPECT_EQ(mirror.get(kPage, {{"Accept", kJson}, {"Accept-Encoding", "identity"}, {"If-None-Match", etag}}).status,
              200);
    EXPECT_EQ(plain.headers.get("Vary"), "Accept, Accept-Encoding");
  }
}

TEST(AnswerCache, HoldsUntilTheCatalogIsWrittenOrTimeIsUp) {
  const TempDir dir;
  Catalog catalog(dir.path() / "catalog.db");
  ManualClock clock;
  AnswerCache cache(catalog, clock, dir.path());
  ServerRequest request;
  request.method = "GET";
  request.target = "/x";
  ServerResponse response = ServerResponse::text(200, "x");
  response.etag = "e";
  EXPECT_EQ(cache.find(request), nullptr);
  cache.keep(request, response, cache.mark(), clock.wall_ms() + 1000);
  EXPECT_NE(cache.find(request), nullptr);
  clock.advance_ms(1000);
  EXPECT_EQ(cache.find(request), nullptr);

  cache.keep(request, response, cache.mark(), clock.wall_ms() + 1000);
  EXPECT_NE(cache.find(request), nullptr);
  catalog.write([](Database& db) { db.execute("DELETE FROM tags"); });
  EXPECT_EQ(cache.find(request), nullptr);

  const uint64_t mark = cache.mark();
  catalog.write([](Database& db) { db.execute("DELETE FROM tags"); });
  cache.keep(request, response, mark, clock.wall_ms() + 1000);
  EXPECT_EQ(cache.find(request), nullptr) << "made from what was there before the write";
}

TEST(AnswerCache, KeepsNothingThatDependsOnWhoAsks) {
  const TempDir dir;
  Catalog catalog(dir.path() / "catalog.db");
  ManualClock clock;
  AnswerCache cache(catalog, clock, dir.path());
  ServerRequest request;
  request.target = "/x";
  cache.keep(request, ServerResponse::text(200, "x"), cache.mark(), clock.wall_ms() + 1000);
  cache.keep(request, ServerResponse::not_found(), cache.mark(), clock.wall_ms() + 1000);
  EXPECT_NE(cache.find(request), nullptr) << "a 404 replaces nothing";
  request.headers.add("Authorization", "Basic eA==");
  EXPECT_EQ(cache.find(request), nullptr);
  request.target = "/y";
  cache.keep(request, ServerResponse::text(200, "y"), cache.mark(), clock.wall_ms() + 1000);
  request.headers.clear();
  EXPECT_EQ(cache.find(request), nullptr);
}

struct FilesKeptOpen : ::testing::Test {
  void keep(AnswerCache& cache, const std::string& target, const Path& file) {
    ServerRequest request = asking(target);
    ServerResponse response;
    response.file = file;
    cache.keep(request, response, cache.mark(), clock.wall_ms() + 1000);
  }
  static ServerRequest asking(const std::string& target) {
    ServerRequest request;
    request.method = "GET";
    request.target = target;
    return request;
  }
  Path make_file(const std::string& name) {
    write_file_atomic(dir.path() / name, std::string(100'000, 'x'), 0644, Durability::none);
    return dir.path() / name;
  }
  const TempDir dir;
  Catalog catalog{dir.path() / "catalog.db"};
  ManualClock clock;
};

TEST_F(FilesKeptOpen, AreClosedWhenTheyAreRemovedMovedOrReplaced) {
  AnswerCache cache(catalog, clock, dir.path(), 600'000);
  for (const std::string name : {"kept", "removed", "moved", "replaced"}) keep(cache, "/" + name, make_file(name));
  ServerResponse page = ServerResponse::text(200, std::string(100'000, 'y'));  // in a file without a name
  cache.keep(asking("/page"), page, cache.mark(), clock.wall_ms() + 1000);
  const int64_t now_ms = SystemClock().monotonic_ms();
  cache.close_files(now_ms);
  EXPECT_EQ(cache.open_files(), 5u);
  remove_file(dir.path() / "removed");
  rename_path(dir.path() / "moved", dir.path() / "elsewhere");
  make_file("replaced");
  cache.close_files(now_ms);
  EXPECT_EQ(cache.open_files(), 2u);
  for (const char* target : {"/kept", "/page"}) EXPECT_NE(cache.find(asking(target)), nullptr) << target;
  EXPECT_EQ(cache.find(asking("/removed")), nullptr);
}

TEST_F(FilesKeptOpen, AreClosedWhenNobodyAsksForThem) {
  AnswerCache cache(catalog, clock, dir.path(), 600'000);
  keep(cache, "/x", make_file("x"));
  cache.close_files(SystemClock().monotonic_ms() + 59'000);
  EXPECT_EQ(cache.open_files(), 1u);
  cache.close_files(SystemClock().monotonic_ms() + 61'000);
  EXPECT_EQ(cache.open_files(), 0u);
}

TEST_F(FilesKeptOpen, AreLookedAtWithoutARequest) {
  AnswerCache cache(catalog, clock, dir.path(), 5);
  for (int round = 0; round < 2; ++round) {
    keep(cache, "/x", make_file("x"));
    EXPECT_EQ(cache.open_files(), 1u);
    remove_file(dir.path() / "x");
    for (int i = 0; i < 1000 && cache.open_files() > 0; ++i) SystemClock().sleep_ms(2);
    EXPECT_EQ(cache.open_files(), 0u);
  }
}

}  // namespace
}  // namespace dae::mirror
