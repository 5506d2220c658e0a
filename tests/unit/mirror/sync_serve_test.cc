#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/hash.h"
#include "sync_fixture.h"

namespace dae::mirror {
namespace {

using testing::make_wheel;
using testing::SyncBench;
using testing::SyncUpstream;
using testing::wheel_name;

std::string path_of(const std::string& project, const std::string& version) {
  const std::string sha256 = Digest::of(make_wheel(project, version)).hex();
  return "/packages/" + sha256.substr(0, 2) + "/" + sha256 + "/" + wheel_name(project, version);
}

struct Served : ::testing::Test {
  Served() { upstream.set_wheels("beta", {"2.0"}); }
  void start() { mirror = start_mirror(bench.config, *bench.transport, *bench.runner, bench.clock); }
  HttpResponse get(const std::string& path) {
    HttpRequest request;
    request.url = mirror->url() + path;
    request.retries = 0;
    return bench.transport->send(std::move(request));
  }
  SyncUpstream upstream;
  SyncBench bench{upstream};
  std::unique_ptr<Mirror> mirror;
};

TEST_F(Served, ServesWhatWasSyncedAndNeverAsksUpstream) {
  bench.run();
  start();
  upstream.set_wheels("later", {"1"});
  const int pages = upstream.pages, files = upstream.files;
  EXPECT_EQ(get("/pypi/simple/beta/").status, 200);
  EXPECT_EQ(get(path_of("beta", "2.0")).body, make_wheel("beta", "2.0"));
  EXPECT_EQ(get(path_of("beta", "2.0") + ".metadata").body, testing::metadata_text("beta", "2.0"));
  EXPECT_EQ(get("/pypi/simple/later/").status, 404);
  bench.clock.advance_ms(30 * 86'400'000ll);
  EXPECT_EQ(get("/pypi/simple/beta/").status, 200);
  EXPECT_EQ(upstream.pages, pages);
  EXPECT_EQ(upstream.files, files);
}

TEST_F(Served, SeesASyncThatRunsBesideIt) {
  bench.run();
  start();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(get("/pypi/simple/beta/").body.find("2.1"), std::string::npos);
  upstream.set_wheels("beta", {"2.1"});
  bench.run();
  SystemClock().sleep_ms(150);
  EXPECT_NE(get("/pypi/simple/beta/").body.find("2.1"), std::string::npos);
  EXPECT_EQ(get(path_of("beta", "2.1")).status, 200);
  EXPECT_EQ(get(path_of("beta", "2.0")).status, 404);  // taken back by the upstream
}

TEST_F(Served, FetchesFilesThatComeOnDemand) {
  bench.set_keys("    files: on-demand\n");
  bench.run();
  start();
  EXPECT_EQ(upstream.files, 0);
  EXPECT_EQ(get(path_of("beta", "2.0")).body, make_wheel("beta", "2.0"));
  EXPECT_EQ(upstream.files, 1);
  const int pages = upstream.pages;
  bench.clock.advance_ms(30 * 86'400'000ll);
  EXPECT_EQ(get("/pypi/simple/beta/").status, 200);
  EXPECT_EQ(upstream.pages, pages);
}

// A mirror of a mirror, for another region.
TEST_F(Served, IsAnUpstreamWithSerialsForAnotherMirror) {
  upstream.set_wheels("alpha", {"1.0"});
  bench.run();
  start();
  SyncBench region(upstream);
  region.upstream_url = mirror->url() + "/pypi/simple/";
  region.set_keys("");
  const sync::SyncReport first = region.run();
  EXPECT_TRUE(first.by_serials);
  EXPECT_TRUE(first.failures.empty());
  EXPECT_EQ(region.projects(), (std::vector<std::string>{"alpha", "beta"}));
  region.expect_whole();
  upstream.set_wheels("beta", {"2.1"});
  upstream.remove("alpha");
  bench.run();
  SystemClock().sleep_ms(150);
  const sync::SyncReport second = region.run();
  EXPECT_EQ(second.changed, 1u);
  EXPECT_EQ(second.removed, 1u);
  EXPECT_TRUE(second.failures.empty());
  EXPECT_EQ(region.listed("beta"), (std::vector<std::string>{wheel_name("beta", "2.1")}));
  EXPECT_EQ(region.run().unchanged, 1u);
}

// A process that ends, as by a power cut but for the disk's cache, before its write number `step`.
int sync_until(SyncBench& bench, int step) {
  const pid_t child = ::fork();
  if (child == 0) {
    int seen = 0;
    try {
      // The HTTP client's thread did not come along.
      HttpClientOptions client;
      client.retry_base_ms = 1;
      const auto transport = make_http_client(client);
      sync::SyncOptions options;
      options.flush = false;
      options.on_step = [&](const char*) {
        if (seen++ == step) ::_exit(9);
      };
      sync::run_sync(bench.config, bench.config.indexes[0], *transport, *bench.runner, bench.clock, bench.events,
                     options);
    } catch (...) {
      ::_exit(8);
    }
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(SyncKilled, LeavesNothingWrongAndGoesOn) {
  SyncUpstream upstream;
  upstream.set_wheels("alpha", {"1.0", "1.1"});
  upstream.set_wheels("beta", {"2.0"});
  int kills = 0;
  for (int step = 0; step < 100; ++step) {
    SyncBench bench(upstream);
    bench.transport.reset();
    const int code = sync_until(bench, step);
    if (code == 0) break;
    ASSERT_EQ(code, 9);
    ++kills;
    bench.expect_whole();
    ASSERT_EQ(sync_until(bench, -1), 0) << "after step " << step;
    EXPECT_EQ(bench.projects(), (std::vector<std::string>{"alpha", "beta"}));
    EXPECT_EQ(bench.listed("alpha").size(), 2u);
    bench.expect_whole();
  }
  EXPECT_GE(kills, 8);
}

TEST(SyncKilled, WithAnUpdateInHandLeavesTheOldPageOrTheNew) {
  SyncUpstream upstream;
  for (int step = 0; step < 100; ++step) {
    upstream.set_wheels("alpha", {"1.0"});
    upstream.set_wheels("beta", {"1.0"});
    SyncBench bench(upstream);
    bench.transport.reset();
    ASSERT_EQ(sync_until(bench, -1), 0);
    upstream.set_wheels("alpha", {"1.1"});
    upstream.remove("beta");
    const int code = sync_until(bench, step);
    const auto listed = bench.listed("alpha");
    ASSERT_EQ(listed.size(), 1u);
    bench.expect_whole();
    if (code == 0) {
      EXPECT_GE(step, 5);
      break;
    }
    ASSERT_EQ(code, 9);
    ASSERT_EQ(sync_until(bench, -1), 0);
    EXPECT_EQ(bench.listed("alpha"), (std::vector<std::string>{wheel_name("alpha", "1.1")}));
    EXPECT_EQ(bench.projects(), (std::vector<std::string>{"alpha"}));
  }
}

}  // namespace
}  // namespace dae::mirror
