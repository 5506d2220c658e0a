// From one release to the next, and what happens when the next one is no good.
#include <signal.h>

#include "agent_fixture.h"

namespace dae::deployer {
namespace {

TEST_F(AgentTest, BringsAReleaseUpAndPointsTheLinksAtIt) {
  start_node();
  const Release one = release("one");
  desire({one});
  ASSERT_TRUE(until([&] { return live(one); }));
  EXPECT_EQ(ask(), "one");
  const auto observed = seen(one);
  EXPECT_EQ(observed.phase, "live");
  EXPECT_GE(observed.probes_passed, 2);
  ASSERT_EQ(observed.instances.size(), 1u);
  EXPECT_EQ(observed.instances[0].name, "web.0");
  EXPECT_EQ(observed.instances[0].state, "running");
  const std::string digest12 = one.id.substr(0, 12);
  EXPECT_EQ(read_link(dir_.path() / "apps/bubbler/current"), "releases/" + digest12);
  EXPECT_EQ(read_link(dir_.path() / "run/bubbler/web.sock"), digest12 + ".web.0.sock");
  ASSERT_EQ(gateway_.apps.size(), 1u);
  EXPECT_EQ(gateway_.apps[0].static_files[0].second, dir_.path() / "apps/bubbler/current/source/static/");
  EXPECT_EQ(node_->observed().desired_revision, 1);
}

TEST_F(AgentTest, ReplacesARunningReleaseAndEndsTheOldOneAfterTheSwitch) {
  start_node();
  const Release one = release("one"), two = release("two");
  desire({one});
  ASSERT_TRUE(until([&] { return live(one); }));
  desire({two});
  bool old_answered_until_the_switch = true;
  ASSERT_TRUE(until([&] {
    if (!live(two)) old_answered_until_the_switch = old_answered_until_the_switch && ask() == "one";
    return live(two);
  }));
  EXPECT_TRUE(old_answered_until_the_switch);
  EXPECT_EQ(ask(), "two");
  ASSERT_TRUE(until([&] { return idle(); }));
  EXPECT_EQ(supervisor_->list().size(), 1u);
  EXPECT_EQ(node_->observed().apps["bubbler"].releases.size(), 1u);
}

TEST_F(AgentTest, FinishesARequestThatTheOldReleaseHadAcceptedOrQueued) {
  start_node();
  const Release one = release("one"), two = release("two");
  desire({one});
  ASSERT_TRUE(until([&] { return live(one); }));
  std::vector<std::future<HttpResponse>> slow;
  desire({two});
  ASSERT_TRUE(until([&] { return seen(two).phase == "ready"; }));
  for (int i = 0; i < 20; ++i) {
    HttpRequest request;
    request.url = "http://localhost/slow";
    request.unix_socket = (dir_.path() / "run/bubbler" / *read_link(dir_.path() / "run/bubbler/web.sock")).string();
    request.retries = 0;
    slow.push_back(transport_->send_async(request));
  }
  ASSERT_TRUE(until([&] { return live(two) && idle(); }));
  for (auto& answer : slow) EXPECT_EQ(answer.get().body, "one");
}

TEST_F(AgentTest, ReportsAReleaseThatExitsAndKeepsTheLiveOne) {
  start_node();
  const Release one = release("one"), broken = release("broken", {{"CRASH", "3"}});
  desire({one});
  ASSERT_TRUE(until([&] { return live(one); }));
  const auto pid = seen(one).instances[0].pid;
  desire({broken});
  ASSERT_TRUE(until([&] { return seen(broken).phase == "failed"; }));
  EXPECT_TRUE(seen(broken).error.starts_with("web.0 exited with 3 after ")) << seen(broken).error;
  EXPECT_EQ(seen(broken).log_tail, "about to fail");
  ASSERT_TRUE(until([&] { return idle(); }));
  EXPECT_TRUE(live(one));
  EXPECT_EQ(ask(), "one");
  EXPECT_EQ(seen(one).instances[0].pid, pid);
  EXPECT_EQ(seen(one).instances[0].restarts, 0);
  EXPECT_EQ(node_->observed().apps["bubbler"].releases[0].release, broken.id) << "the desired one comes first";
}

TEST_F(AgentTest, TriesAFailedReleaseAgainOnlyWhenItWasAskedForAnew) {
  start_node();
  const Release one = release("one"), broken = release("broken", {{"CRASH", "3"}});
  preparer_.fail = true;
  desire({broken});
  ASSERT_TRUE(until([&] { return seen(broken).phase == "failed"; }));
  EXPECT_EQ(seen(broken).error, "cannot reach the mirror");
  desire({broken});
  until([] { return false; }, 300);
  EXPECT_EQ(preparer_.prepared, 1);
  preparer_.fail = false;
  desire({one});
  ASSERT_TRUE(until([&] { return live(one); }));
  desire({broken});
  ASSERT_TRUE(until([&] { return seen(broken).phase == "failed"; }));
  EXPECT_EQ(preparer_.prepared, 3);
}

TEST_F(AgentTest, GivesUpOnAReleaseThatOnlyAnswersErrors) {
  start_node();
  const Release sick = release("sick", {{"STATUS", "500"}});
  desire({sick});
  ASSERT_TRUE(until([&] { return seen(sick).phase == "failed"; }));
  EXPECT_EQ(seen(sick).error, "web.0 is not healthy: GET / answered 500");
}

TEST_F(AgentTest, GivesAReleaseTimeToWarmUpButNotForEver) {
  options_.ready_deadline_ms = 1500;
  start_node();
  const Release warm = release("warm", {{"READY_AFTER_MS", "400"}});
  desire({warm});
  ASSERT_TRUE(until([&] { return live(warm); }));
  const Release never = release("never", {{"READY_AFTER_MS", "60000"}});
  desire({never});
  ASSERT_TRUE(until([&] { return seen(never).phase == "failed"; }));
  EXPECT_EQ(seen(never).error, "not ready within 1.5 s: web.0: GET / answered 503");
}

TEST_F(AgentTest, GoesBackToAReleaseWhoseFilesAreThereWithoutPreparingItAgain) {
  start_node();
  const Release one = release("one"), two = release("two");
  desire({one});
  ASSERT_TRUE(until([&] { return live(one); }));
  desire({two});
  ASSERT_TRUE(until([&] { return live(two); }));
  // At once, while the old instances still drain: the fresh one gets a socket of its own.
  desire({one});
  const int64_t asked_ms = clock_.monotonic_ms();
  ASSERT_TRUE(until([&] { return live(one); }));
  EXPECT_LT(clock_.monotonic_ms() - asked_ms, 3000);
  EXPECT_EQ(ask(), "one");
  EXPECT_EQ(preparer_.prepared, 2);
  ASSERT_TRUE(until([&] { return idle(); }));
  EXPECT_EQ(ask(), "one");
}

TEST_F(AgentTest, DropsACandidateWhenTheWishChanges) {
  preparer_.delay_ms = 400;
  start_node();
  const Release one = release("one"), two = release("two");
  desire({one});
  until([&] { return preparer_.prepared > 0; });
  desire({two});
  ASSERT_TRUE(until([&] { return live(two) && idle(); }));
  EXPECT_EQ(ask(), "two");
  EXPECT_EQ(supervisor_->list().size(), 1u);
}

TEST_F(AgentTest, RemovesAnAppThatIsNoLongerDesired) {
  start_node();
  const Release one = release("one");
  desire({one});
  ASSERT_TRUE(until([&] { return live(one); }));
  desire({});
  ASSERT_TRUE(until([&] { return node_->observed().apps.empty(); }));
  EXPECT_TRUE(gateway_.apps.empty());
  EXPECT_TRUE(supervisor_->list().empty());
  EXPECT_FALSE(read_link(dir_.path() / "run/bubbler/web.sock"));
  EXPECT_FALSE(read_link(dir_.path() / "apps/bubbler/current"));
}

TEST_F(AgentTest, LeavesAnAppRunningThatAnotherControlPlaneStateDoesNotKnow) {
  start_node();
  const Release one = release("one");
  Desired first, begun_anew, removed;
  first.store = "a";
  first.revision = 7;
  first.apps["bubbler"].release = one;
  begun_anew.store = "b";
  begun_anew.revision = 1;
  node_->apply(first);
  ASSERT_TRUE(until([&] { return live(one); }));
  node_->apply(begun_anew);
  start_node();  // what it remembers of it is on disk
  ASSERT_TRUE(until([&] { return live(one) && idle(); }));
  node_->apply(begun_anew);
  EXPECT_FALSE(until([&] { return !live(one); }, 500));
  EXPECT_EQ(ask(), "one");
  // Once the new state has desired the app, leaving it out means what it always means.
  first.store = "b";
  node_->apply(first);
  removed.store = "b";
  node_->apply(removed);
  ASSERT_TRUE(until([&] { return node_->observed().apps.empty(); }));
}

TEST_F(AgentTest, FailsTheReleaseWhenTheGatewayRefusesItsRoutes) {
  start_node();
  const Release one = release("one"), two = release("two");
  desire({one});
  ASSERT_TRUE(until([&] { return live(one); }));
  gateway_.refuse = true;
  Release other = two;
  other.config.gateway_hosts = {"bubbler.example"};
  other.id = release_id(other);
  desire({other});
  ASSERT_TRUE(until([&] { return seen(other).phase == "failed"; }));
  EXPECT_EQ(seen(other).error, "the gateway says no");
  gateway_.refuse = false;
  ASSERT_TRUE(until([&] { return idle(); }));
  EXPECT_EQ(ask(), "one");
}

TEST_F(AgentTest, RefusesNamesThatLeaveTheLayout) {
  start_node();
  Release bad = release("bad");
  bad.config.static_files["/x"] = "../../../etc";
  desire({bad});
  EXPECT_EQ(seen(bad).phase, "failed");
  EXPECT_NE(seen(bad).error.find("leaves the source tree"), std::string::npos);
  EXPECT_EQ(preparer_.prepared, 0);
}

TEST_F(AgentTest, SaysThatARootIsTooLongForSockets) {
  options_.root = dir_.path() / std::string(90, 'x');
  start_node();
  const Release one = release("one");
  desire({one});
  ASSERT_TRUE(until([&] { return seen(one).phase == "failed"; }));
  EXPECT_NE(seen(one).error.find("the path of a socket would have"), std::string::npos);
  EXPECT_NE(seen(one).error.find("shorter `--root`"), std::string::npos);
}

TEST_F(AgentTest, KeepsThePreviousReleaseAndAFewGoodOnes) {
  start_node();
  std::vector<Release> all;
  for (const char* version : {"a", "b", "c", "d"}) {
    all.push_back(release(version));
    desire({all.back()});
    ASSERT_TRUE(until([&] { return live(all.back()) && idle(); }));
  }
  until([] { return false; }, 50);
  std::set<std::string> expected;
  for (size_t i = 1; i < all.size(); ++i) expected.insert(all[i].id.substr(0, 12));
  const auto left = list_dir(dir_.path() / "apps/bubbler/releases");
  EXPECT_EQ(std::set<std::string>(left.begin(), left.end()), expected);
}

TEST_F(AgentTest, RunsTwoAppsBesideEachOther) {
  start_node();
  const Release one = release("one"), other = release("two", {}, "teapot");
  desire({one, other});
  ASSERT_TRUE(until([&] { return live(one) && live(other); }));
  EXPECT_EQ(ask("bubbler"), "one");
  EXPECT_EQ(ask("teapot"), "two");
  EXPECT_EQ(gateway_.apps.size(), 2u);
}

TEST_F(AgentTest, GivesTheLogOfAnInstance) {
  start_node();
  const Release broken = release("broken", {{"CRASH", "3"}});
  desire({broken});
  ASSERT_TRUE(until([&] { return seen(broken).phase == "failed"; }));
  EXPECT_EQ(node_->log_text("bubbler", "web", 10), "web.0: about to fail\n");
  EXPECT_EQ(node_->log_text("bubbler", "web.0", 10), "web.0: about to fail\n");
  EXPECT_EQ(node_->log_text("bubbler", "../../x", 10), "");
  EXPECT_EQ(node_->log_text("nobody", "web", 10), "");
}

}  // namespace
}  // namespace dae::deployer
