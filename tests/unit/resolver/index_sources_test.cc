// Several indexes, places to find links, refreshing, and indexes that cannot be reached or answer nonsense.
#include <gtest/gtest.h>

#include "base/clock.h"
#include "base/error.h"
#include "fake_index.h"
#include "resolver/source/index.h"
#include "scoped_env.h"
#include "support/error_of.h"
#include "support/zip_writer.h"

namespace dae::resolver {
namespace {

using dae::testing::error_of;
using dae::testing::WheelBuilder;
using testing::FakeIndex;

class Collector final : public EventSink {
 public:
  void emit(const Event& event) override {
    const std::scoped_lock lock(mutex_);
    if (event.type == EventType::warning) warnings_.push_back(event.text);
  }
  std::vector<std::string> warnings() const {
    const std::scoped_lock lock(mutex_);
    return warnings_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> warnings_;
};

class IndexSources : public ::testing::Test {
 protected:
  std::unique_ptr<IndexClient> client() {
    options_.cache_dir = dir_.path() / "cache";
    options_.clock = &clock_;
    return make_index_client(*transport_, options_, events_);
  }
  static ServerResponse html(const std::string& project, const std::string& version = "1.0") {
    const std::string name = project + "-" + version + "-py3-none-any.whl";
    return ServerResponse::text(200, "<!DOCTYPE html><a href=\"../../files/" + name + "\">" + name + "</a>",
                                "text/html");
  }
  static ServerResponse for_a_minute(ServerResponse page, const std::string& more = "") {
    page.headers.add("Cache-Control", "max-age=60" + more);
    return page;
  }
  static std::vector<std::string> urls(const std::shared_ptr<const PackedPage>& page) {
    std::vector<std::string> out;
    const auto unpacked = page->unpacked();
    for (const IndexFile& file : unpacked->files) out.push_back(file.url);
    return out;
  }
  static std::string with_login(std::string url) { return url.insert(url.find("//") + 2, "alice:s3cret@"); }

  TempDir dir_;
  testing::ScopedEnv netrc_{"NETRC", (dir_.path() / "netrc").string()};
  ManualClock clock_;
  Collector events_;
  FakeIndex index_, second_;
  IndexOptions options_;
  std::unique_ptr<Transport> transport_ = [] {
    HttpClientOptions options;
    options.retry_base_ms = 1;
    options.idle_timeout_ms = 1000;
    return make_http_client(options);
  }();
};

TEST_F(IndexSources, APinnedPackageIsAskedForAtItsIndexOnlyAndOthersAreNot) {
  index_.set("/simple/a/", {html("a"), false, ""});
  index_.set("/simple/b/", {html("b"), false, ""});
  second_.set("/simple/a/", {html("a", "2.0"), false, ""});
  options_.indexes = {{index_.simple(), "public"}, {with_login(second_.simple()), "internal", true}};
  options_.index_of = {{"A", "internal"}, {"Gone", "internal"}};
  auto both = client();
  EXPECT_EQ(both->page("a")->index_url(), second_.simple());
  EXPECT_EQ(both->index_of("a"), second_.simple());
  EXPECT_EQ(both->page("b")->index_url(), index_.simple());
  EXPECT_FALSE(both->page("gone"));
  EXPECT_FALSE(both->page("other"));
  EXPECT_EQ(index_.asked("/simple/a/") + index_.asked("/simple/gone/"), 0);
  EXPECT_EQ(second_.asked("/simple/b/") + second_.asked("/simple/other/"), 0);
}

TEST_F(IndexSources, APinToAnIndexThatIsNotConfiguredIsRefused) {
  options_.indexes = {{index_.simple(), "public"}};
  options_.index_of = {{"a", "internal"}};
  EXPECT_EQ(error_of([&] { client(); }).kind(), ErrorKind::usage);
}

TEST_F(IndexSources, ARefusalNamesTheUrlWhoNamedItAndWhatToDoAndNoSecret) {
  index_.set_status("/simple/a/", 401);
  options_.indexes = {{with_login(index_.simple()), "internal", false, "pyproject.toml"}, {second_.simple()}};
  const Error error = error_of([&] { client()->page("a"); });
  EXPECT_EQ(error.kind(), ErrorKind::refused);
  EXPECT_EQ(error.subject(), index_.simple() + "a/");
  EXPECT_NE(error.hint().find("pyproject.toml"), std::string::npos) << error.hint();
  EXPECT_EQ((error.what() + error.hint()).find("s3cret"), std::string::npos);
  EXPECT_EQ(second_.asked(), 0);
}

TEST_F(IndexSources, AStalePageStandsInForAnIndexThatCannotBeReachedWithOneWarning) {
  {
    FakeIndex there;
    options_.indexes = {{there.simple()}};
    for (const char* name : {"a", "b", "c"}) {
      const std::string more = *name == 'c' ? ", must-revalidate" : "";
      there.set("/simple/" + std::string(name) + "/", {for_a_minute(html(name), more), false, ""});
      ASSERT_TRUE(client()->page(name));
    }
  }
  clock_.advance_ms(int64_t{3} * 3600 * 1000);
  auto later = client();
  EXPECT_TRUE(later->page("a"));
  EXPECT_TRUE(later->page("b"));
  EXPECT_EQ(events_.warnings().size(), 1u);
  EXPECT_EQ(error_of([&] { later->page("c"); }).kind(), ErrorKind::network) << "must-revalidate";
  EXPECT_EQ(error_of([&] { later->page("never-seen"); }).kind(), ErrorKind::network);
}

TEST_F(IndexSources, ARefusalOrAServerThatLostThePageIsNoReasonToUseAStaleOne) {
  options_.indexes = {{index_.simple()}};
  index_.set("/simple/a/", {for_a_minute(html("a")), false, ""});
  ASSERT_TRUE(client()->page("a"));
  clock_.advance_ms(61'000);
  index_.set_status("/simple/a/", 403);
  EXPECT_EQ(error_of([&] { client()->page("a"); }).kind(), ErrorKind::refused);
  index_.set_status("/simple/a/", 503);
  EXPECT_TRUE(client()->page("a")) << "a gateway without its index";
  EXPECT_EQ(index_.asked("/simple/a/"), 6) << "after three more attempts";
  index_.set_status("/simple/a/", 404);
  EXPECT_FALSE(client()->page("a"));
}

TEST_F(IndexSources, RefreshAsksAgainWithTheValidator) {
  ServerResponse page = for_a_minute(html("a"));
  page.etag = "v1";
  index_.set("/simple/a/", {page, false, ""});
  options_.indexes = {{index_.simple()}};
  client()->page("a");
  client()->page("a");
  EXPECT_EQ(index_.asked(), 1);
  options_.refresh_packages = {"A"};
  EXPECT_TRUE(client()->page("a"));
  EXPECT_EQ(index_.last_header("/simple/a/", "If-None-Match"), "\"v1\"");
  EXPECT_EQ(index_.last_header("/simple/a/", "Cache-Control"), "max-age=0");
  options_.refresh_packages = {"b"};
  client()->page("a");
  EXPECT_EQ(index_.asked(), 2);
  options_.refresh = true;
  client()->page("a");
  EXPECT_EQ(index_.asked(), 3);
}

TEST_F(IndexSources, AFolderOfWheelsServesWithoutANetworkAndBeforeTheIndex) {
  const WheelBuilder wheel("a", "2.0");
  make_dirs(dir_.path() / "wheels");
  write_file_atomic(dir_.path() / "wheels" / wheel.file_name(), wheel.bytes());
  write_file_atomic(dir_.path() / "wheels" / "notes.txt", "x");
  options_.find_links = {(dir_.path() / "wheels").string()};
  index_.set("/simple/a/", {html("a", "1.0"), false, ""});
  options_.indexes = {{index_.simple()}};
  EXPECT_EQ(client()->page("a")->files(), 2u);

  options_.indexes.clear();
  options_.offline = true;
  auto offline = client();
  const auto page = offline->page("A");
  ASSERT_TRUE(page);
  EXPECT_EQ(page->index_url(), "");
  const IndexFile file = page->records(0)->at(0);
  EXPECT_EQ(file.url, "file://" + (dir_.path() / "wheels" / wheel.file_name()).string());
  EXPECT_EQ(offline->file_sha256(file), Digest::of(wheel.bytes()).hex());
  EXPECT_TRUE(offline->metadata(file, "a"));
  EXPECT_FALSE(offline->page("b"));
}

TEST_F(IndexSources, APageOfLinksServesItsFilesAndAMissingFolderIsAnError) {
  second_.set_text("/links", "<!DOCTYPE html><a href=\"x/a-1.0-py3-none-any.whl\">a</a><a href=\"b-1.0.tar.gz\">b</a>",
                   "text/html");
  options_.find_links = {second_.url() + "/links"};
  auto with_page = client();
  EXPECT_EQ(urls(with_page->page("a")), std::vector<std::string>{second_.url() + "/x/a-1.0-py3-none-any.whl"});
  EXPECT_EQ(urls(with_page->page("b")), std::vector<std::string>{second_.url() + "/b-1.0.tar.gz"});
  EXPECT_EQ(second_.asked(), 1);
  options_.find_links = {(dir_.path() / "nowhere").string()};
  EXPECT_EQ(error_of([&] { client()->page("a"); }).kind(), ErrorKind::not_found);
}

TEST_F(IndexSources, AFavouritesMetadataComesWithItsPage) {
  const WheelBuilder wheel("a", "1.0");
  index_.set("/simple/a/", {ServerResponse::text(200,
                                                 "<!DOCTYPE html><a data-core-metadata=true href=\"../../files/" +
                                                     wheel.file_name() + "\">" + wheel.file_name() + "</a>",
                                                 "text/html"),
                            false, ""});
  index_.set_text("/files/" + wheel.file_name() + ".metadata", wheel.metadata());
  options_.indexes = {{index_.simple()}};
  auto one = client();
  one->prefetch_page("a", [](const PackedPage&) { return PageFile{0, 0}; });
  for (int i = 0; i < 500 && index_.asked() < 2; ++i) SystemClock().sleep_ms(2);
  EXPECT_TRUE(one->metadata(one->page("a")->records(0)->at(0), "a"));
  EXPECT_EQ(index_.asked(), 2) << "one request each, and none by who needed them";
}

// ---- what is no answer

TEST_F(IndexSources, PagesThatAreNoneAreRefusedByName) {
  options_.indexes = {{with_login(index_.simple())}};
  const std::vector<std::pair<ServerResponse, ErrorKind>> bad = {
      {ServerResponse::text(200, "{\"meta\": {\"api-version\": \"1.0\"}, \"name\": \"a\", \"fil", kSimpleJson),
       ErrorKind::bad_input},
      {ServerResponse::text(200, "{\"meta\": {\"api-version\": \"2.0\"}, \"files\": []}", kSimpleJson),
       ErrorKind::bad_input},
      {ServerResponse::text(200, "hello", "text/plain"), ErrorKind::bad_input},
      {ServerResponse::text(200, std::string(65 << 20, ' '), "text/html"), ErrorKind::bad_input},
      {ServerResponse::text(418, "no"), ErrorKind::network},
  };
  for (const auto& [response, kind] : bad) {
    index_.set("/simple/a/", {response, false, ""});
    const Error error = error_of([&] { client()->page("a"); });
    EXPECT_EQ(error.kind(), kind) << error.what();
    EXPECT_TRUE(error.subject().starts_with(index_.simple() + "a/")) << error.subject();
    EXPECT_EQ(std::string(error.what()).find("s3cret"), std::string::npos);
  }
}

TEST_F(IndexSources, ARedirectLoopEnds) {
  ServerResponse moved = ServerResponse::text(302, "");
  moved.headers.add("Location", "/simple/a/");
  index_.set("/simple/a/", {moved, false, ""});
  options_.indexes = {{index_.simple()}};
  const Error error = error_of([&] { client()->page("a"); });
  EXPECT_EQ(error.message(), "too many redirects");
  EXPECT_LE(index_.asked(), 11);
}

TEST_F(IndexSources, LinksThatNobodyDownloadsFromAreDropped) {
  const std::string wheel = "a-1.0-py3-none-any.whl\">x</a>";
  index_.set_text("/simple/a/",
                  "<!DOCTYPE html><a href=\"file:///etc/" + wheel + "<a href=\"javascript:alert(1)//" + wheel +
                      "<a href=\"ftp://host/" + wheel + "<a href=\"http://files.test/" + wheel,
                  "text/html");
  options_.indexes = {{index_.simple()}};
  EXPECT_EQ(urls(client()->page("a")), std::vector<std::string>{"http://files.test/a-1.0-py3-none-any.whl"});
}

TEST_F(IndexSources, AnIndexThatIsNoHttpUrlIsRefused) {
  for (const char* url : {"file:///srv/simple/", "javascript:x", "packages.test/simple"}) {
    options_.indexes = {{url}};
    EXPECT_EQ(error_of([&] { client(); }).kind(), ErrorKind::bad_input) << url;
  }
}

TEST_F(IndexSources, RetriesHonourRetryAfterAndEndInTheLastAnswer) {
  ServerResponse busy = ServerResponse::text(429, "later");
  busy.headers.add("Retry-After", "0");
  index_.set("/simple/a/", {busy, false, ""});
  options_.indexes = {{index_.simple()}};
  EXPECT_EQ(error_of([&] { client()->page("a"); }).kind(), ErrorKind::network);
  EXPECT_EQ(index_.asked("/simple/a/"), 4);
}

}  // namespace
}  // namespace dae::resolver
