#include <gtest/gtest.h>

#include "base/error.h"
#include "base/strings.h"
#include "control_fixtures.h"
#include "deployer/audit_log.h"
#include "deployer/control_core.h"
#include "support/error_of.h"

namespace dae::deployer {
namespace {

using namespace testing_support;
using dae::testing::error_of;

class ControlApiTest : public ::testing::Test {
 protected:
  void add_nodes() {
    b.add_agent("pre-1", "pre");
    b.add_agent("prod-1", "prod");
    b.add_agent("prod-2", "prod");
  }
  Rollout deploy(const std::string& version, const Value& overrides = {}) {
    return b.follow(b.client().submit("bubbler", b.registry.publish("bubbler", version), "ada", overrides));
  }
  ControlBench b;
};

TEST_F(ControlApiTest, BringsAReleaseToEveryNode) {
  add_nodes();
  const Rollout rollout = deploy("1.0");
  EXPECT_EQ(rollout.state, RolloutState::done) << rollout.reason;
  EXPECT_EQ(rollout.id, "r-000001");
  EXPECT_EQ(rollout.who, "ada");
  for (const RolloutNode& node : rollout.nodes) EXPECT_EQ(node.phase, NodePhase::ready);
  for (const auto& [node, observed] : b.client().observed()) {
    EXPECT_EQ(observed.apps.at("bubbler").live, rollout.release) << node;
  }
  EXPECT_EQ(b.client().apps(), (std::vector<std::string>{"bubbler"}));
  ASSERT_EQ(b.client().releases("bubbler").size(), 1u);
  EXPECT_EQ(b.client().releases("bubbler")[0].id, rollout.release);
  EXPECT_EQ(b.client().rollouts("bubbler").size(), 1u);
}

TEST_F(ControlApiTest, TakesAFailingReleaseBackAndKeepsTheReason) {
  add_nodes();
  ASSERT_EQ(deploy("1.0").state, RolloutState::done);
  FakeAgent& late = b.add_agent("prod-3", "prod");
  late.break_release("2.0");
  const Rollout rollout = deploy("2.0");
  EXPECT_EQ(rollout.state, RolloutState::rolled_back);
  EXPECT_EQ(rollout.reason, "prod-3: web.0 exited with 1 after 140 ms");
  EXPECT_EQ(rollout.nodes.back().log_tail, "ImportError: no module named bubbles");
  EXPECT_EQ(late.live_version(), "1.0");
}

TEST_F(ControlApiTest, GoesOnAfterARestartInTheMiddle) {
  add_nodes();
  ASSERT_EQ(deploy("1.0").state, RolloutState::done);
  Rollout rollout = b.client().submit("bubbler", b.registry.publish("bubbler", "2.0", 400), "ada");
  ASSERT_TRUE(ControlBench::eventually(
      [&] { return b.client().rollout("bubbler", rollout.id).state == RolloutState::baking; }));
  for (int i = 0; i < 3; ++i) {
    b.stop();
    b.start();
  }
  rollout = b.follow(b.client().rollout("bubbler", rollout.id));
  EXPECT_EQ(rollout.state, RolloutState::done) << rollout.reason;
  for (const RolloutNode& node : rollout.nodes) EXPECT_EQ(node.error, "");
}

TEST_F(ControlApiTest, RefusesASecondControlPlaneOnTheSameState) {
  SystemClock clock;
  EXPECT_EQ(error_of([&] { start_control(b.options, b.registry, clock); }).kind(), ErrorKind::refused);
}

TEST_F(ControlApiTest, WakesALongPollAtOnce) {
  add_nodes();
  Node node;
  node.name = "idle";
  node.group = "other";
  b.client().register_node(node);
  const auto first = b.client().desired("idle", 0, 0);
  ASSERT_TRUE(first);
  EXPECT_FALSE(b.client().desired("idle", first->revision, 30)) << "no news";
  node.group = "pre";
  b.client().register_node(node);
  const Rollout done = deploy("1.0", Value::object({{"only_stage", "prod"}}));
  ASSERT_EQ(done.state, RolloutState::done);

  int64_t woken_ms = 0;
  std::thread waiter([&] {
    auto transport = make_http_client();
    ControlClient(*transport, b.url()).desired("idle", first->revision, 10'000);
    woken_ms = b.clock.monotonic_ms();
  });
  b.clock.sleep_ms(150);
  const int64_t start_ms = b.clock.monotonic_ms();
  node.group = "prod";  // joins a group that runs something
  b.client().register_node(node);
  waiter.join();
  EXPECT_LT(woken_ms - start_ms, 200);
  EXPECT_EQ(b.client().desired("idle", first->revision, 0)->apps.at("bubbler").release.version, "1.0");
}

TEST_F(ControlApiTest, LongPollsARolloutUntilItChanges) {
  add_nodes();
  const Rollout rollout = b.client().submit("bubbler", b.registry.publish("bubbler", "1.0", 700), "ada");
  ASSERT_TRUE(ControlBench::eventually(
      [&] { return b.client().rollout("bubbler", rollout.id).state == RolloutState::baking; }));
  const Rollout baking = b.client().rollout("bubbler", rollout.id);
  const int64_t start_ms = b.clock.monotonic_ms();
  EXPECT_EQ(b.client().rollout("bubbler", rollout.id, baking.updated_ms, 100).updated_ms, baking.updated_ms);
  EXPECT_GE(b.clock.monotonic_ms() - start_ms, 90);
  EXPECT_GT(b.client().rollout("bubbler", rollout.id, baking.updated_ms, 5'000).updated_ms, baking.updated_ms);
}

TEST_F(ControlApiTest, RefusesASecondDeployButAnswersARepeatedOne) {
  add_nodes();
  const std::string first = b.registry.publish("bubbler", "1.0", 60'000);
  const Rollout rollout = b.client().submit("bubbler", first, "ada");
  EXPECT_EQ(b.client().submit("bubbler", first, "ada").id, rollout.id);
  const Error error = error_of([&] { b.client().submit("bubbler", b.registry.publish("bubbler", "2.0"), "bob"); });
  EXPECT_EQ(error.kind(), ErrorKind::refused);
  EXPECT_NE(error.what(), std::string());
  EXPECT_NE(error.hint().find("dae rollback"), std::string::npos) << error.hint();
}

TEST_F(ControlApiTest, LetsARollbackJumpTheQueue) {
  add_nodes();
  ASSERT_EQ(deploy("1.0").state, RolloutState::done);
  const Rollout second = b.client().submit("bubbler", b.registry.publish("bubbler", "2.0", 60'000), "ada");
  ASSERT_TRUE(
      ControlBench::eventually([&] { return b.client().rollout("bubbler", second.id).state == RolloutState::baking; }));
  const Rollout back = b.follow(b.client().rollback("bubbler", "", "bob"));
  EXPECT_EQ(back.state, RolloutState::done) << back.reason;
  EXPECT_EQ(back.kind, "rollback");
  EXPECT_EQ(back.version, "1.0");
  const Rollout old = b.client().rollout("bubbler", second.id);
  EXPECT_EQ(old.state, RolloutState::superseded);
  EXPECT_EQ(old.reason, "superseded by " + back.id);
}

TEST_F(ControlApiTest, RollsBackToTheReleaseBeforeOrToANamedOne) {
  add_nodes();
  EXPECT_EQ(error_of([&] { b.client().rollback("bubbler", "", "ada"); }).kind(), ErrorKind::refused);
  for (const char* version : {"1.0", "2.0", "3.0"}) ASSERT_EQ(deploy(version).state, RolloutState::done);
  EXPECT_EQ(b.follow(b.client().rollback("bubbler", "", "ada")).version, "2.0");
  EXPECT_EQ(b.follow(b.client().rollback("bubbler", "", "ada")).version, "1.0") << "further back, not forward again";
  EXPECT_EQ(error_of([&] { b.client().rollback("bubbler", "", "ada"); }).kind(), ErrorKind::refused);
  EXPECT_EQ(b.follow(b.client().rollback("bubbler", "3.0", "ada")).version, "3.0");
  EXPECT_EQ(error_of([&] { b.client().rollback("bubbler", "9.9", "ada"); }).kind(), ErrorKind::not_found);
}

TEST_F(ControlApiTest, AbortsAndGoesBack) {
  add_nodes();
  ASSERT_EQ(deploy("1.0").state, RolloutState::done);
  const Rollout rollout = b.client().submit("bubbler", b.registry.publish("bubbler", "2.0", 60'000), "ada");
  EXPECT_EQ(b.client().abort("bubbler", rollout.id, "bob").reason, "aborted by bob");
  EXPECT_EQ(b.follow(rollout).state, RolloutState::rolled_back);
  EXPECT_EQ(error_of([&] { b.client().abort("bubbler", rollout.id); }).kind(), ErrorKind::refused);
}

TEST_F(ControlApiTest, WaitsForAPersonWhereTheAppAsksForOne) {
  add_nodes();
  const Rollout rollout = b.client().submit("bubbler", b.registry.publish("bubbler", "1.0", 0, "manual"), "ada");
  ASSERT_TRUE(ControlBench::eventually(
      [&] { return b.client().rollout("bubbler", rollout.id).state == RolloutState::paused; }));
  b.client().resume("bubbler", rollout.id, "bob");
  EXPECT_EQ(b.follow(rollout).state, RolloutState::done);
}

TEST_F(ControlApiTest, PlansWithoutStoringAnything) {
  add_nodes();
  const std::string artifact = b.registry.publish("bubbler", "1.0");
  const Value overrides = parse_json(R"({"batches": {"prod": [2]}, "bake_ms": 7})", "overrides").root;
  const Rollout plan = b.client().plan("bubbler", artifact, overrides);
  EXPECT_EQ(plan.state, RolloutState::planned);
  ASSERT_EQ(plan.stages.size(), 2u);
  EXPECT_EQ(plan.stages[1].batches.size(), 1u);
  EXPECT_EQ(plan.stages[1].bake_ms, 7);
  EXPECT_TRUE(b.client().rollouts("bubbler").empty());
  EXPECT_TRUE(b.client().apps().empty());
  const Error error = error_of([&] { b.client().plan("bubbler", artifact, Value::object({{"only_stages", "prod"}})); });
  EXPECT_EQ(error.kind(), ErrorKind::bad_input) << "a slip of the pen must not deploy to everybody";
}

TEST_F(ControlApiTest, IsDoneAtOnceWhenTheReleaseIsLiveAlready) {
  add_nodes();
  ASSERT_EQ(deploy("1.0").state, RolloutState::done);
  const Rollout again = b.client().submit("bubbler", b.registry.publish("bubbler", "1.0"), "ada");
  EXPECT_EQ(again.state, RolloutState::done);
  EXPECT_EQ(again.reason, "already live");
  EXPECT_EQ(deploy("2.0").state, RolloutState::done) << "and the next one is not held up";
}

TEST_F(ControlApiTest, GivesANewNodeWhatItsGroupRuns) {
  add_nodes();
  ASSERT_EQ(deploy("1.0").state, RolloutState::done);
  FakeAgent& agent = b.add_agent("prod-9", "prod");
  EXPECT_TRUE(ControlBench::eventually([&] { return agent.live_version() == "1.0"; }));
}

TEST_F(ControlApiTest, DoesNotCountAReportThatIsOlderThanTheOrder) {
  add_nodes();
  ASSERT_EQ(deploy("1.0").state, RolloutState::done);
  FakeAgent& agent = b.add_agent("pre-2", "pre");
  ASSERT_TRUE(ControlBench::eventually([&] { return agent.live_version() == "1.0"; }));
  agent.hold(true);
  b.clock.sleep_ms(200);  // a poll that is under way ends first
  const Rollout rollout = b.client().submit("bubbler", b.registry.publish("bubbler", "2.0"), "ada");
  b.clock.sleep_ms(400);
  EXPECT_EQ(b.client().rollout("bubbler", rollout.id).state, RolloutState::running);
  agent.hold(false);
  EXPECT_EQ(b.follow(rollout).state, RolloutState::done);
}

TEST_F(ControlApiTest, RefusesArtifactsThatAreNotWhatTheySay) {
  add_nodes();
  const std::string absent = Digest::of("nothing").oci();
  EXPECT_EQ(error_of([&] { b.client().submit("bubbler", absent, "ada"); }).kind(), ErrorKind::not_found);
  EXPECT_EQ(error_of([&] { b.client().submit("bubbler", "latest", "ada"); }).kind(), ErrorKind::bad_input);
  const std::string spoilt = b.registry.publish("bubbler", "1.0");
  b.registry.corrupt(spoilt);
  EXPECT_EQ(error_of([&] { b.client().submit("bubbler", spoilt, "ada"); }).kind(), ErrorKind::verification);
  EXPECT_TRUE(b.client().rollouts("bubbler").empty());
}

TEST_F(ControlApiTest, RefusesAGroupWithoutNodes) {
  const Error error = error_of([&] { b.client().submit("bubbler", b.registry.publish("bubbler", "1.0"), "ada"); });
  EXPECT_EQ(error.kind(), ErrorKind::refused);
  EXPECT_NE(error.hint().find("dae node list"), std::string::npos);
}

TEST_F(ControlApiTest, CollectsLogsFromTheNodes) {
  add_nodes();
  ASSERT_EQ(deploy("1.0").state, RolloutState::done);
  const auto logs = b.client().logs("bubbler", "", "web.0", 7);
  EXPECT_EQ(logs.size(), 3u);
  EXPECT_EQ(logs.at("prod-2"), "prod-2 says web.0 7");
  EXPECT_EQ(b.client().logs("bubbler", "pre-1", "", 1).size(), 1u);
  EXPECT_EQ(error_of([&] { b.client().logs("other", "", "", 1); }).kind(), ErrorKind::not_found);
  EXPECT_EQ(error_of([&] { b.client().send_log("pre-1", "guessed", "x"); }).kind(), ErrorKind::not_found);
}

TEST_F(ControlApiTest, KeepsAnAuditLogThatCannotBeEditedUnnoticed) {
  add_nodes();
  ASSERT_EQ(deploy("1.0").state, RolloutState::done);
  const auto events = b.client().events("bubbler");
  ASSERT_GE(events.size(), 5u);
  EXPECT_EQ(events.front().get_string("who"), "ada");
  EXPECT_EQ(events.front().get_string("text"), "deploy of version 1.0 to `pre` (1 node) `prod` (2 nodes)");
  EXPECT_EQ(events.back().get_string("text"), "version 1.0 is live");
  b.stop();
  auto store = open_sqlite_store(b.options.state_file);
  EXPECT_EQ(first_broken_event(*store), 0);
  Value third = *read_event(*store, 3);
  third.set("who", "nobody");
  store->txn({}, {{event_key(3), canonical_json(third)}});
  EXPECT_EQ(first_broken_event(*store), 4);
}

TEST_F(ControlApiTest, StreamsEventsFromTheAskedNumberOn) {
  add_nodes();
  std::mutex mutex;
  std::string seen;
  struct Enough {};
  std::thread reader([&] {
    auto transport = make_http_client();
    HttpRequest request;
    request.url = b.url() + "/api/v1/events?after=1";
    request.retries = 0;
    request.on_body = [&](std::string_view piece) {
      std::lock_guard lock(mutex);
      seen += piece;
      if (seen.find("version 1.0 is live") != std::string::npos) throw Enough();
    };
    try {
      transport->send(std::move(request));
    } catch (const Enough&) {
    }
  });
  EXPECT_EQ(deploy("1.0").state, RolloutState::done);
  reader.join();
  EXPECT_EQ(seen.find("id: 1\n"), std::string::npos);
  EXPECT_NE(seen.find("id: 2\ndata: {"), std::string::npos) << seen;
}

TEST_F(ControlApiTest, AnswersWithProblemDocuments) {
  const HttpResponse missing = b.get("/api/v1/apps/bubbler/rollouts/r-000009");
  EXPECT_EQ(missing.status, 404);
  EXPECT_EQ(missing.headers.get("Content-Type"), "application/problem+json");
  EXPECT_EQ(b.get("/api/v1/apps/UPPER/rollouts").status, 400);
  EXPECT_EQ(b.get("/api/v1/nodes/ghost/desired").status, 404);
  EXPECT_EQ(b.get("/api/v1/apps/bubbler/rollouts/r-000009?wait_ms=-1").status, 400);
  EXPECT_EQ(b.send("POST", "/api/v1/apps/bubbler/rollouts", "{").status, 400);
  EXPECT_EQ(b.send("POST", "/api/v1/apps/bubbler/rollouts", "{}").status, 400);
  EXPECT_EQ(b.send("PUT", "/api/v1/nodes/a", R"({"name":"b","group":"prod"})").status, 400);
  EXPECT_EQ(b.send("PUT", "/api/v1/nodes/..%2fx", R"({"name":"../x","group":"prod"})").status, 400);
  EXPECT_EQ(b.send("PUT", "/api/v1/nodes/a", R"({"name":"a","group":"x/y"})").status, 400);
}

TEST_F(ControlApiTest, TellsHowItIs) {
  add_nodes();
  EXPECT_EQ(b.get("/healthz").status, 200);
  const std::string metrics = b.get("/metrics").body;
  EXPECT_NE(metrics.find("dae_control_nodes 3\n"), std::string::npos) << metrics;
  EXPECT_NE(metrics.find("dae_control_nodes_lost 0\n"), std::string::npos);
}

TEST(ControlState, KnowsAfterARestartWhoWasThereAndWhoWasNot) {
  auto store = make_memory_store();
  ManualClock clock;
  RolloutKnobs knobs;
  auto core = std::make_unique<ControlCore>(*store, clock, knobs);
  for (const char* name : {"here", "gone"}) {
    Node node;
    node.name = name;
    node.group = "prod";
    core->register_node(node);
  }
  for (int i = 0; i < 30; ++i) {
    clock.advance_ms(1'000);
    core->seen("here");
    core->tick();
  }
  clock.advance_ms(3'600'000);
  core = std::make_unique<ControlCore>(*store, clock, knobs);
  EXPECT_FALSE(core->is_lost("here")) << "it had no chance to report while we were down";
  EXPECT_TRUE(core->is_lost("gone"));
  clock.advance_ms(knobs.node_lost_ms + 1);
  EXPECT_TRUE(core->is_lost("here"));
}

TEST(ControlState, KeepsANewerReportWhenAnOlderOneArrivesLate) {
  auto store = make_memory_store();
  ManualClock clock;
  ControlCore core(*store, clock, {});
  Node node;
  node.name = "a";
  node.group = "prod";
  core.register_node(node);
  Observed observed;
  observed.node = "a";
  observed.time_ms = 100'000;
  core.report(observed);
  observed.time_ms = 99'000;
  core.report(observed);
  EXPECT_EQ(core.observed().at("a").time_ms, 100'000);
  observed.time_ms = 10'000;
  core.report(observed);
  EXPECT_EQ(core.observed().at("a").time_ms, 10'000) << "its clock was set back";
}

}  // namespace
}  // namespace dae::deployer
