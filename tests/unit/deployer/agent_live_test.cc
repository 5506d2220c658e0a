// What happens to a release that is live: crashes, ill health, daemons, and agents that are killed.
#include <signal.h>

#include "agent_fixture.h"
#include "base/error.h"

namespace dae::deployer {
namespace {

TEST_F(AgentTest, RestartsALiveInstanceThatCrashedAndCountsIt) {
  start_node();
  const Release one = release("one");
  desire({one});
  ASSERT_TRUE(until([&] { return live(one); }));
  ask("bubbler", "/exit");
  ASSERT_TRUE(until([&] { return !seen(one).error.empty(); }));
  EXPECT_TRUE(seen(one).error.starts_with("web.0 exited with 9 after")) << seen(one).error;
  EXPECT_EQ(seen(one).instances[0].state, "exited");
  ASSERT_TRUE(until([&] { return seen(one).instances[0].restarts == 1; }));
  ASSERT_TRUE(until([&] { return ask() == "one"; }));
  EXPECT_TRUE(live(one));
}

TEST_F(AgentTest, ReportsALiveReleaseThatFailsItsProbes) {
  start_node();
  const Release one = release("one");
  desire({one});
  ASSERT_TRUE(until([&] { return live(one); }));
  EXPECT_EQ(seen(one).probes_failed, 0);
  write_file_atomic(dir_.path() / "apps/bubbler/current/source/unhealthy", "");
  ASSERT_TRUE(until([&] { return seen(one).probes_failed >= 3; }));
  EXPECT_EQ(seen(one).phase, "live");
  EXPECT_EQ(seen(one).probes_passed, 0);
  EXPECT_NE(seen(one).error.find("of the last 5 probes of web.0 failed: GET / answered 500"), std::string::npos);
}

TEST_F(AgentTest, LeavesRunningInstancesAloneWhenTheAgentIsReplaced) {
  start_node();
  const Release one = release("one");
  desire({one});
  ASSERT_TRUE(until([&] { return live(one); }));
  const auto pid = seen(one).instances[0].pid;
  runner_ = make_process_runner();
  start_node();
  EXPECT_TRUE(live(one)) << "known from the disk, without the control plane";
  ASSERT_TRUE(until([&] { return seen(one).probes_passed >= 2; }));
  EXPECT_EQ(seen(one).instances[0].pid, pid);
  EXPECT_EQ(ask(), "one");
  EXPECT_EQ(preparer_.prepared, 1);
  EXPECT_EQ(gateway_.apps.size(), 1u);
}

TEST_F(AgentTest, StartsWhatIsLiveAgainAfterAReboot) {
  start_node();
  const Release one = release("one");
  desire({one});
  ASSERT_TRUE(until([&] { return live(one); }));
  const auto process = supervisor_->status("bubbler/" + one.id.substr(0, 12) + "/web.0").process;
  node_.reset();
  runner_->signal(process, SIGKILL, true);
  while (runner_->alive(process)) clock_.sleep_ms(5);
  start_node();
  ASSERT_TRUE(until([&] { return ask() == "one"; }));
  EXPECT_EQ(seen(one).instances[0].restarts, 0);
}

// Kills the agent at many moments of a deployment; the next one has to end with the new release and one instance.
TEST_F(AgentTest, EndsADeploymentThatWasCutOffAnywhere) {
  options_.drain_ms = 300;
  start_node();
  Release before = release("0");
  desire({before});
  ASSERT_TRUE(until([&] { return live(before); }));
  int64_t lives_ms = 5;
  for (int round = 1; round <= 8; ++round, lives_ms += 25) {
    const Release next = release(std::to_string(round));
    desire({next});
    until([] { return false; }, lives_ms);
    start_node();  // desired.json makes it go on
    ASSERT_TRUE(until([&] { return live(next) && idle(); })) << "round " << round;
    EXPECT_EQ(ask(), std::to_string(round));
    EXPECT_EQ(supervisor_->list().size(), 1u) << "round " << round;
  }
}

TEST_F(AgentTest, BelievesTheLinkWhenTheAgentWasKilledInsideTheSwitch) {
  start_node();
  const Release one = release("one"), two = release("two");
  desire({one});
  ASSERT_TRUE(until([&] { return live(one); }));
  const std::string state_of_one = read_file(dir_.path() / "apps/bubbler/state.json");
  desire({two});
  ASSERT_TRUE(until([&] { return live(two); }));
  write_file_atomic(dir_.path() / "apps/bubbler/state.json", state_of_one);
  start_node();
  EXPECT_TRUE(live(two));
  ASSERT_TRUE(until([&] { return idle(); }));
  EXPECT_EQ(ask(), "two");
  EXPECT_EQ(supervisor_->list().size(), 1u);
}

TEST_F(AgentTest, PreparesAReleaseAgainThatWasNotComplete) {
  start_node();
  const Release one = release("one");
  make_dirs(dir_.path() / "apps/bubbler/releases" / one.id.substr(0, 12) / "source");
  desire({one});
  ASSERT_TRUE(until([&] { return live(one); }));
  EXPECT_EQ(preparer_.prepared, 1);
}

TEST_F(AgentTest, NeverRunsTheDaemonsOfTwoReleasesAtOnce) {
  start_node();
  // Each daemon takes a lock that another one must not hold.
  const std::string command =
      "python3 -c \"import os,time\nos.mkdir('" + (dir_.path() / "held").string() +
      "')\nimport signal\ndef end(*_):\n  time.sleep(0.2)\n  os.rmdir('" + (dir_.path() / "held").string() +
      "')\n  raise SystemExit(0)\nsignal.signal(signal.SIGTERM,end)\nwhile True: time.sleep(0.01)\"";
  Release one = release("one"), two = release("two");
  add_daemon(one, "indexer", 1, command);
  add_daemon(two, "indexer", 1, command);
  desire({one});
  ASSERT_TRUE(until([&] { return live(one); }));
  desire({two});
  ASSERT_TRUE(until([&] { return live(two) && idle(); }));
  EXPECT_EQ(ask(), "two");
  const auto seen_two = seen(two);
  ASSERT_EQ(seen_two.instances.size(), 2u);
  EXPECT_EQ(seen_two.instances[1].name, "indexer.0");
  EXPECT_EQ(seen_two.instances[1].state, "running");
  EXPECT_EQ(seen_two.instances[1].restarts, 0);
  EXPECT_EQ(supervisor_->list().size(), 2u);
}

TEST_F(AgentTest, BringsTheOldDaemonsBackWhenTheNewOnesFail) {
  start_node();
  Release one = release("one"), two = release("two");
  add_daemon(one, "indexer", 2, "sleep 600");
  add_daemon(two, "indexer", 1, "false");
  desire({one});
  ASSERT_TRUE(until([&] { return live(one); }));
  desire({two});
  ASSERT_TRUE(until([&] { return seen(two).phase == "failed"; }));
  EXPECT_TRUE(seen(two).error.starts_with("indexer.0 exited with 1 after")) << seen(two).error;
  ASSERT_TRUE(until([&] { return idle() && seen(one).instances.size() == 3; }));
  EXPECT_TRUE(live(one));
  EXPECT_EQ(ask(), "one");
}

TEST_F(AgentTest, RunsAnAppThatHasDaemonsOnly) {
  start_node();
  Release one = release("one"), two = release("two");
  for (Release* item : {&one, &two}) {
    item->config.instances.clear();
    add_daemon(*item, "indexer", 1, "sleep 600");
  }
  desire({one});
  ASSERT_TRUE(until([&] { return live(one); }));
  EXPECT_TRUE(gateway_.apps.empty());
  desire({two});
  ASSERT_TRUE(until([&] { return live(two) && idle(); }));
  EXPECT_EQ(supervisor_->list().size(), 1u);
  start_node();
  EXPECT_TRUE(live(two));
}

TEST_F(AgentTest, StopsAllInstancesAndBringsThemBackAtTheNextStart) {
  start_node();
  const Release one = release("one");
  desire({one});
  ASSERT_TRUE(until([&] { return live(one); }));
  node_->stop_apps();
  EXPECT_TRUE(supervisor_->list().empty());
  start_node();
  ASSERT_TRUE(until([&] { return ask() == "one"; }));
}

TEST_F(AgentTest, RefusesASecondAgentInTheSameRoot) {
  start_node();
  try {
    NodeReconciler second(options_, *transport_, clock_, *supervisor_, gateway_, preparer_);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::refused);
    EXPECT_NE(error.message().find(std::to_string(getpid())), std::string::npos);
  }
}

}  // namespace
}  // namespace dae::deployer
