// Pages of an index: cached as HTTP says, one index after another, one request per page.
#include <gtest/gtest.h>

#include <thread>

#include "base/clock.h"
#include "base/error.h"
#include "fake_index.h"
#include "resolver/source/index.h"

namespace dae::resolver {
namespace {

using testing::FakeIndex;

std::string first_url(const std::shared_ptr<const PackedPage>& page) {
  return page->records(0)->at(0).url;
}

class IndexPages : public ::testing::Test {
 protected:
  std::unique_ptr<IndexClient> client(std::vector<IndexSource> indexes, bool offline = false) {
    IndexOptions options;
    options.indexes = std::move(indexes);
    options.cache_dir = dir_.path() / "cache";
    options.offline = offline;
    options.clock = &clock_;
    return make_index_client(*transport_, options, events_);
  }
  std::unique_ptr<IndexClient> client() { return client({index_.simple()}); }

  static ServerResponse html(
      const std::string& links = "<a href=\"../../files/a-1.0-py3-none-any.whl\">a-1.0-py3-none-any.whl</a>") {
    return ServerResponse::text(200, "<!DOCTYPE html><html><body>" + links + "</body></html>", "text/html");
  }
  static ErrorKind kind_of(const std::function<void()>& action) {
    try {
      action();
    } catch (const Error& error) {
      return error.kind();
    }
    ADD_FAILURE() << "no error";
    return ErrorKind::failed;
  }

  TempDir dir_;
  ManualClock clock_;
  NullSink events_;
  FakeIndex index_, second_;
  std::unique_ptr<Transport> transport_ = [] {
    HttpClientOptions options;
    options.retry_base_ms = 1;
    return make_http_client(options);
  }();
};

TEST_F(IndexPages, APageThatSaysNothingAboutItsLifetimeIsKeptTenMinutes) {
  index_.set("/simple/a/", {html(), false, ""});
  ASSERT_EQ(client()->page("a")->files(), 1u);
  clock_.advance_ms(9 * 60 * 1000);
  auto warm = client();
  EXPECT_EQ(first_url(warm->page("A")), index_.url() + "/files/a-1.0-py3-none-any.whl");
  EXPECT_EQ(warm->stats().pages_from_cache, 1);
  EXPECT_EQ(index_.asked("/simple/a/"), 1);
  clock_.advance_ms(2 * 60 * 1000);
  EXPECT_TRUE(client()->page("a"));
  EXPECT_EQ(index_.asked("/simple/a/"), 2);
}

TEST_F(IndexPages, MaxAgeDecidesAndAgeIsTakenOff) {
  ServerResponse page = html();
  page.headers.add("Cache-Control", "public, max-age=100");
  page.headers.add("Age", "40");
  index_.set("/simple/a/", {page, false, ""});
  client()->page("a");
  clock_.advance_ms(59'000);
  client()->page("a");
  EXPECT_EQ(index_.asked("/simple/a/"), 1);
  clock_.advance_ms(2'000);
  client()->page("a");
  EXPECT_EQ(index_.asked("/simple/a/"), 2);
}

TEST_F(IndexPages, ALastModifiedPageIsAskedForAgainButNotSentAgain) {
  index_.set("/simple/a/", {html(), false, "Sat, 21 Nov 2026 00:00:00 GMT"});
  client()->page("a");
  auto again = client();
  EXPECT_EQ(again->page("a")->files(), 1u);
  EXPECT_EQ(index_.last_header("/simple/a/", "If-Modified-Since"), "Sat, 21 Nov 2026 00:00:00 GMT");
  EXPECT_EQ(client()->page("a")->files(), 1u) << "the validator survives a 304 that does not repeat it";
  EXPECT_EQ(index_.last_header("/simple/a/", "If-Modified-Since"), "Sat, 21 Nov 2026 00:00:00 GMT");
}

TEST_F(IndexPages, AnEntityTagIsSentAndA304RenewsThePage) {
  ServerResponse page = html();
  page.etag = "v1";
  page.headers.add("Cache-Control", "max-age=60");
  index_.set("/simple/a/", {page, false, ""});
  client()->page("a");
  clock_.advance_ms(61'000);
  EXPECT_EQ(client()->page("a")->files(), 1u);
  EXPECT_EQ(index_.last_header("/simple/a/", "If-None-Match"), "\"v1\"");
  EXPECT_EQ(index_.asked("/simple/a/"), 2);
  client()->page("a");
  EXPECT_EQ(index_.asked("/simple/a/"), 2) << "fresh again after the 304";
}

TEST_F(IndexPages, NoStoreLeavesNothingBehind) {
  ServerResponse page = html();
  page.headers.add("Cache-Control", "no-store");
  index_.set("/simple/a/", {page, false, ""});
  auto one = client();
  one->page("a");
  one->page("a");
  EXPECT_EQ(index_.asked("/simple/a/"), 1);
  client()->page("a");
  EXPECT_EQ(index_.asked("/simple/a/"), 2);
}

TEST_F(IndexPages, TheFirstIndexThatHasTheNameWins) {
  index_.set("/simple/a/", {html(), false, ""});
  second_.set("/simple/a/", {html(""), false, ""});
  second_.set("/simple/b/", {html("<a href=\"../../files/b-1.0.tar.gz\">b-1.0.tar.gz</a>"), false, ""});
  auto both = client({index_.simple(), second_.simple()});
  EXPECT_EQ(both->page("a")->files(), 1u);
  EXPECT_EQ(second_.asked("/simple/a/"), 0);
  EXPECT_EQ(first_url(both->page("b")), second_.url() + "/files/b-1.0.tar.gz");
  EXPECT_FALSE(both->page("c"));
  EXPECT_EQ(second_.asked("/simple/c/"), 1);
}

TEST_F(IndexPages, ARefusalStopsInsteadOfFallingThroughToTheNextIndex) {
  second_.set("/simple/a/", {html(), false, ""});
  for (const int status : {401, 403}) {
    index_.set_status("/simple/a/", status);
    auto both = client({index_.simple(), second_.simple()});
    EXPECT_EQ(kind_of([&] { both->page("a"); }), ErrorKind::refused);
  }
  EXPECT_EQ(second_.asked(), 0);
}

TEST_F(IndexPages, AServerErrorIsNoAnswer) {
  index_.set_status("/simple/a/", 500);
  auto both = client({index_.simple(), second_.simple()});
  EXPECT_EQ(kind_of([&] { both->page("a"); }), ErrorKind::network);
  index_.set("/simple/a/", {html(), false, ""});
  EXPECT_TRUE(both->page("a")) << "a failure is not remembered";
}

TEST_F(IndexPages, RelativeLinksAreResolvedAgainstWhereARedirectLed) {
  ServerResponse moved = ServerResponse::text(302, "");
  moved.headers.add("Location", "/mirror/deep/a/");
  index_.set("/simple/a/", {moved, false, ""});
  index_.set("/mirror/deep/a/", {html(), false, ""});
  EXPECT_EQ(first_url(client()->page("a")), index_.url() + "/mirror/files/a-1.0-py3-none-any.whl");
}

TEST_F(IndexPages, OfflineUsesWhatIsThereHoweverOld) {
  index_.set("/simple/a/", {html(), false, ""});
  client()->page("a");
  client()->page("missing");
  clock_.advance_ms(int64_t{90} * 24 * 3600 * 1000);
  const int asked = index_.asked();
  auto offline = client({index_.simple()}, true);
  EXPECT_EQ(offline->page("a")->files(), 1u);
  EXPECT_FALSE(offline->page("missing"));
  EXPECT_EQ(kind_of([&] { offline->page("never-seen"); }), ErrorKind::refused);
  EXPECT_EQ(index_.asked(), asked);
}

TEST_F(IndexPages, AMissingPackageIsAskedForAgain) {
  EXPECT_FALSE(client()->page("a"));
  index_.set("/simple/a/", {html(), false, ""});
  EXPECT_TRUE(client()->page("a")) << "it was published in between";
}

TEST_F(IndexPages, ManyWhoWantAPageShareOneRequest) {
  index_.set("/simple/a/", {html(), false, ""});
  auto one = client();
  one->prefetch_pages({"a", "A", "a"});
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) threads.emplace_back([&] { EXPECT_TRUE(one->page("a")); });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(index_.asked("/simple/a/"), 1);
}

TEST_F(IndexPages, PrefetchedPagesOfManyPackagesAllArrive) {
  std::vector<std::string> names;
  for (int i = 0; i < 100; ++i) {
    names.push_back("p" + std::to_string(i));
    index_.set("/simple/" + names.back() + "/", {html(), false, ""});
  }
  auto one = client();
  one->prefetch_pages(names);
  for (const std::string& name : names) EXPECT_TRUE(one->page(name)) << name;
  EXPECT_EQ(one->stats().pages_fetched, 100);
}

TEST_F(IndexPages, CredentialsOfTheIndexAreSentAndNotWrittenDown) {
  index_.set("/simple/a/", {html(), false, ""});
  std::string url = index_.simple();
  url.insert(url.find("//") + 2, "alice:s3cret@");
  auto one = client({url});
  EXPECT_EQ(first_url(one->page("a")), index_.url() + "/files/a-1.0-py3-none-any.whl");
  EXPECT_EQ(index_.last_header("/simple/a/", "Authorization"), "Basic YWxpY2U6czNjcmV0");
  for (const WalkEntry& entry : walk_tree(dir_.path())) {
    if (!entry.info.is_file()) continue;
    EXPECT_EQ(read_file(entry.path).find("s3cret"), std::string::npos) << entry.relative;
  }
}

}  // namespace
}  // namespace dae::resolver
