#include <gtest/gtest.h>

#include "base/clock.h"
#include "rollout_fixtures.h"

namespace dae::deployer {
namespace {

using namespace testing_support;

const std::string kOld = "old";

Bench bench(int pre = 1, int prod = 4, const std::string& current = kOld) {
  auto nodes = make_nodes("pre", pre);
  for (const Node& node : make_nodes("prod", prod)) nodes.push_back(node);
  return Bench(plan_rollout(make_input(make_release("2.0"), nodes, current)));
}

const std::string kNew = make_release("2.0").id;

TEST(RolloutStep, TouchesOnlyTheFirstBatchAtFirst) {
  Bench b = bench();
  b.step();
  EXPECT_EQ(b.rollout_.state, RolloutState::running);
  EXPECT_EQ(b.wanting(kNew), 1);
  EXPECT_EQ(b.desired_["pre-01"], kNew);
  EXPECT_EQ(b.rollout_.batch_deadline_ms, kNow + 120'000);
}

TEST(RolloutStep, GoesBatchByBatchAndBakesBetweenStages) {
  Bench b = bench();
  b.settle();
  EXPECT_EQ(b.rollout_.state, RolloutState::baking);
  EXPECT_EQ(b.rollout_.bake_until_ms, kNow + 30'000);
  EXPECT_EQ(b.wanting(kNew), 1) << "prod waits for the bake of pre";
  b.pass_ms(29'999);
  b.settle();
  EXPECT_EQ(b.wanting(kNew), 1);
  b.pass_ms(1);
  b.step();
  EXPECT_EQ(b.wanting(kNew), 2) << "the first batch of prod is one node";
  b.settle();
  EXPECT_EQ(b.rollout_.state, RolloutState::baking);
  EXPECT_EQ(b.wanting(kNew), 5);
  b.pass_ms(30'000);
  b.settle();
  EXPECT_EQ(b.rollout_.state, RolloutState::done);
  EXPECT_EQ(b.rollout_.finished_ms, b.now_);
}

TEST(RolloutStep, SaysNothingWhenNothingHappens) {
  Bench b = bench();
  b.step();
  const Rollout before = b.rollout_;
  const StepResult& result = b.step();
  EXPECT_EQ(b.rollout_, before);
  EXPECT_TRUE(result.actions.empty());
  EXPECT_TRUE(result.events.empty());
}

TEST(RolloutStep, MovesItsTimeOnWithEveryChange) {
  Bench b = bench();
  int64_t last = b.rollout_.updated_ms;
  for (int i = 0; i < 2; ++i) {
    b.comply_all();
    b.step();
    EXPECT_GT(b.rollout_.updated_ms, last) << "although the clock stands still";
    last = b.rollout_.updated_ms;
  }
}

TEST(RolloutStep, IsNotReadyBeforeTheNewReleaseServes) {
  Bench b = bench();
  b.step();
  for (const char* phase : {"fetching", "verifying", "linking", "starting", "probing", "ready"}) {
    b.say("pre-01", kNew, phase, kOld);
    b.step();
    EXPECT_EQ(b.node("pre-01").phase, NodePhase::deploying) << phase;
  }
  b.say("pre-01", kNew, "live", kOld);
  b.step();
  EXPECT_EQ(b.node("pre-01").phase, NodePhase::deploying) << "the gateway still points to the old one";
}

TEST(RolloutStep, TakesEveryTouchedNodeBackWhenOneFails) {
  Bench b = bench();
  b.settle();
  b.pass_ms(30'000);
  b.settle();
  ASSERT_EQ(b.wanting(kNew), 5);
  auto& report = b.say("prod-03", kNew, "failed", kOld);
  report.error = "web.0 exited with 1 after 140 ms";
  report.log_tail = "ImportError";
  b.step();
  EXPECT_EQ(b.rollout_.state, RolloutState::rolling_back);
  EXPECT_EQ(b.wanting(kOld), 5);
  EXPECT_EQ(b.rollout_.reason, "prod-03: web.0 exited with 1 after 140 ms");
  EXPECT_EQ(b.node("prod-03").log_tail, "ImportError");
  EXPECT_EQ(b.node("prod-03").error, "web.0 exited with 1 after 140 ms");
  b.settle();
  EXPECT_EQ(b.rollout_.state, RolloutState::rolled_back);
  EXPECT_EQ(b.rollout_.reason, "prod-03: web.0 exited with 1 after 140 ms");
  for (const RolloutNode& node : b.rollout_.nodes) EXPECT_EQ(node.phase, NodePhase::reverted);
}

TEST(RolloutStep, LeavesAloneWhatItHasNotTouched) {
  Bench b = bench();
  b.step();
  b.say("pre-01", kNew, "failed", kOld);
  b.step();
  ASSERT_EQ(b.last_.actions.size(), 1u);
  EXPECT_EQ(b.last_.actions[0].node, "pre-01");
  b.settle();
  EXPECT_EQ(b.node("prod-01").phase, NodePhase::waiting);
}

TEST(RolloutStep, RemovesTheAppWhereThereWasNoneBefore) {
  Bench b = bench(1, 1, "");
  b.step();
  b.say("pre-01", kNew, "failed", "");
  b.step();
  EXPECT_EQ(b.desired_["pre-01"], "");
  b.observed_["pre-01"].apps.clear();
  b.step();
  EXPECT_EQ(b.rollout_.state, RolloutState::rolled_back);
}

TEST(RolloutStep, JudgesHealthUntilTheEndOfTheBake) {
  Bench b = bench();
  b.settle();
  ASSERT_EQ(b.rollout_.state, RolloutState::baking);
  b.pass_ms(29'000);
  b.comply("pre-01").probes_failed = 3;
  b.step();
  EXPECT_EQ(b.rollout_.state, RolloutState::rolling_back);
  EXPECT_EQ(b.rollout_.reason, "pre-01: 3 of the last 5 probes failed");
}

TEST(RolloutStep, ToleratesTwoFailedProbes) {
  Bench b = bench();
  b.settle();
  b.comply("pre-01").probes_failed = 2;
  b.step();
  EXPECT_EQ(b.rollout_.state, RolloutState::baking);
}

TEST(RolloutStep, DoesNotMistakeASlowStartForFailedProbes) {
  Bench b = bench();
  b.step();
  b.say("pre-01", kNew, "starting", kOld).probes_failed = 5;
  b.step();
  EXPECT_EQ(b.rollout_.state, RolloutState::running);
}

TEST(RolloutStep, FailsWhenAnInstanceRestartsAfterItWasLive) {
  Bench b = bench();
  b.step();
  b.comply("pre-01").instances = {{"web.0", "running", 7, 1}};
  b.step();
  EXPECT_EQ(b.rollout_.state, RolloutState::baking) << "a restart before it was ready does not count";
  b.comply("pre-01").instances = {{"web.0", "running", 9, 2}};
  b.step();
  EXPECT_EQ(b.rollout_.state, RolloutState::rolling_back);
  EXPECT_EQ(b.rollout_.reason, "pre-01: `web.0` restarted after it was live");
}

TEST(RolloutStep, CountsRestartsAnewAfterTheAgentCameBack) {
  Bench b = bench();
  b.step();
  b.comply("pre-01").instances = {{"web.0", "running", 7, 3}};
  b.step();
  b.comply("pre-01").instances = {{"web.0", "running", 7, 0}};
  b.step();
  EXPECT_EQ(b.node("pre-01").restarts, 0);
  b.comply("pre-01").instances = {{"web.0", "running", 8, 1}};
  b.step();
  EXPECT_EQ(b.rollout_.state, RolloutState::rolling_back);
}

TEST(RolloutStep, FailsWhenTheNodeItselfWentBack) {
  Bench b = bench();
  b.settle();
  b.say("pre-01", kOld, "live", kOld);
  b.step();
  EXPECT_EQ(b.rollout_.state, RolloutState::rolling_back);
}

TEST(RolloutStep, FailsALostNodeDuringItsTurn) {
  Bench b = bench();
  b.step();
  b.lose("pre-01");
  b.pass_ms(15'000);
  b.step();
  EXPECT_EQ(b.rollout_.state, RolloutState::running);
  b.pass_ms(1);
  b.step();
  EXPECT_EQ(b.rollout_.state, RolloutState::rolling_back);
  EXPECT_EQ(b.node("pre-01").error, "no report for " + format_duration(15'000));
  b.step();
  EXPECT_EQ(b.rollout_.state, RolloutState::rolled_back) << "nothing more can be done about a node that is away";
  EXPECT_EQ(b.desired_["pre-01"], kOld) << "but it finds the order when it returns";
}

TEST(RolloutStep, FailsABatchThatIsNotReadyInTime) {
  Bench b = bench();
  b.step();
  b.say("pre-01", kNew, "fetching", kOld);
  b.pass_ms(119'999);
  b.step();
  EXPECT_EQ(b.rollout_.state, RolloutState::running);
  b.pass_ms(1);
  b.step();
  EXPECT_EQ(b.rollout_.state, RolloutState::rolling_back);
  EXPECT_EQ(b.node("pre-01").error, "not live within " + format_duration(120'000) + ", still `fetching`");
}

TEST(RolloutStep, PrefersReadyOverLateInTheSameMoment) {
  Bench b = bench();
  b.step();
  b.pass_ms(120'000);
  b.comply("pre-01");
  b.step();
  EXPECT_EQ(b.node("pre-01").phase, NodePhase::ready);
}

TEST(RolloutStep, JudgesNoDeadlineBeforeTheGraceOfARestartIsOver) {
  Bench b = bench();
  b.step();
  b.pass_ms(600'000);
  b.knobs_.grace_until_ms = b.now_ + 15'000;
  b.step();
  EXPECT_EQ(b.rollout_.state, RolloutState::running);
  b.comply("pre-01");
  b.step();
  EXPECT_EQ(b.rollout_.state, RolloutState::baking);
}

TEST(RolloutStep, DoesNotTakeSilenceForHealthAtTheEndOfABake) {
  Bench b = bench();
  b.settle();
  b.forget("pre-01");
  b.pass_ms(60'000);
  b.step();
  EXPECT_EQ(b.rollout_.state, RolloutState::baking);
  b.pass_ms(120'000);
  b.step();
  EXPECT_EQ(b.rollout_.state, RolloutState::rolling_back) << "it ends in bounded time all the same";
}

TEST(RolloutStep, EndsAsFailedWhenTakingBackFailsToo) {
  Bench b = bench(2, 1);
  b.settle();
  b.say("pre-02", kNew, "failed", kNew).error = "out of memory";
  b.step();
  b.say("pre-01", kOld, "failed", kNew).error = "disk full";
  b.comply("pre-02");
  b.step();
  EXPECT_EQ(b.rollout_.state, RolloutState::failed);
  EXPECT_EQ(b.rollout_.reason, "pre-02: out of memory; taking it back failed on pre-01");
  EXPECT_EQ(b.node("pre-01").error, "taking back failed: disk full");
}

TEST(RolloutStep, EndsTakingBackAtItsDeadline) {
  Bench b = bench();
  b.settle();
  b.say("pre-01", kNew, "failed", kNew);
  b.step();
  b.pass_ms(120'000);
  b.step();
  EXPECT_EQ(b.rollout_.state, RolloutState::failed);
}

TEST(RolloutStep, ToleratesAsManyFailuresAsTheStageAllows) {
  auto stage = stage_config("prod", {"100%"}, 0);
  stage.max_fail = 1;
  Bench b(plan_rollout(make_input(make_release("2.0", {stage}), make_nodes("prod", 3), kOld)));
  b.step();
  b.say("prod-02", kNew, "failed", kOld);
  b.step();
  EXPECT_EQ(b.rollout_.state, RolloutState::running);
  EXPECT_EQ(b.desired_["prod-02"], kOld) << "it is not left with what failed";
  b.say("prod-03", kNew, "failed", kOld);
  b.step();
  EXPECT_EQ(b.rollout_.state, RolloutState::rolling_back) << "two are one too many";
  EXPECT_EQ(b.wanting(kOld), 3);
}

TEST(RolloutStep, FinishesWithATolerableFailure) {
  auto stage = stage_config("prod", {"100%"}, 0);
  stage.max_fail = 1;
  Bench b(plan_rollout(make_input(make_release("2.0", {stage}), make_nodes("prod", 3), kOld)));
  b.step();
  b.say("prod-02", kNew, "failed", kOld);
  b.step();
  b.settle();
  EXPECT_EQ(b.rollout_.state, RolloutState::done);
  EXPECT_EQ(b.wanting(kNew), 2);
}

TEST(RolloutStep, WaitsForAPersonBeforeAStageThatAsksForOne) {
  auto prod = stage_config("prod", {"100%"}, 0);
  prod.confirm = "manual";
  auto nodes = make_nodes("pre", 1);
  nodes.push_back(make_nodes("prod", 1)[0]);
  Bench b(plan_rollout(make_input(make_release("2.0", {stage_config("pre", {"100%"}, 0), prod}), nodes, kOld)));
  b.settle();
  EXPECT_EQ(b.rollout_.state, RolloutState::paused);
  EXPECT_EQ(b.rollout_.reason, "stage `prod` waits for a person");
  b.pass_ms(24 * 3600 * 1000);
  b.settle();
  EXPECT_EQ(b.rollout_.state, RolloutState::paused) << "paused time does not count";
  b.take(resume_rollout(b.rollout_, "ada", b.knobs_, b.now_));
  EXPECT_EQ(b.rollout_.state, RolloutState::running);
  b.settle();
  EXPECT_EQ(b.rollout_.state, RolloutState::done);
  EXPECT_EQ(b.rollout_.reason, "");
}

TEST(RolloutStep, ResumesNothingThatDoesNotWait) {
  Bench b = bench();
  b.step();
  EXPECT_THROW(resume_rollout(b.rollout_, "ada", b.knobs_, b.now_), Error);
}

TEST(RolloutStep, GoesBackWhenAborted) {
  Bench b = bench();
  b.settle();
  b.take(abort_rollout(b.rollout_, "ada", b.knobs_, b.now_));
  EXPECT_EQ(b.rollout_.state, RolloutState::rolling_back);
  EXPECT_EQ(b.rollout_.reason, "aborted by ada");
  EXPECT_EQ(b.wanting(kOld), 5);
  b.take(abort_rollout(b.rollout_, "bob", b.knobs_, b.now_));
  EXPECT_EQ(b.rollout_.reason, "aborted by ada") << "a second abort changes nothing";
  b.settle();
  EXPECT_EQ(b.rollout_.state, RolloutState::rolled_back);
  EXPECT_THROW(abort_rollout(b.rollout_, "ada", b.knobs_, b.now_), Error);
}

TEST(RolloutStep, EndsAtOnceWhenAbortedBeforeAnythingWasTouched) {
  Bench b = bench();
  b.take(abort_rollout(b.rollout_, "ada", b.knobs_, b.now_));
  EXPECT_EQ(b.rollout_.state, RolloutState::rolled_back);
  EXPECT_TRUE(b.last_.actions.empty());
}

TEST(RolloutStep, DoesNotTakeARollbackBack) {
  auto input = make_input(make_release("1.0"), make_nodes("prod", 3), "bad");
  input.kind = "rollback";
  Bench b(plan_rollout(input));
  const std::string target = b.rollout_.release;
  b.step();
  EXPECT_EQ(b.wanting(target), 3);
  b.say("prod-01", target, "failed", "bad").error = "blob is gone";
  b.step();
  EXPECT_EQ(b.rollout_.state, RolloutState::running) << "the others go on";
  b.comply("prod-02");
  b.comply("prod-03");
  b.step();
  EXPECT_EQ(b.rollout_.state, RolloutState::failed);
  EXPECT_EQ(b.rollout_.reason, "prod-01: blob is gone");
  EXPECT_EQ(b.wanting(target), 3) << "never back to what we fled from";
}

TEST(RolloutStep, WatchesButDoesNotTouchANodeThatHasTheReleaseAlready) {
  auto input = make_input(make_release("2.0"), make_nodes("prod", 2), kOld);
  input.only_stage = "prod";
  input.current["prod-01"] = kNew;
  Bench b(plan_rollout(input));
  b.step();
  EXPECT_TRUE(b.last_.actions.empty());
  b.say("prod-01", kNew, "failed", kNew).error = "boom";
  b.step();
  EXPECT_EQ(b.rollout_.state, RolloutState::rolled_back);
  EXPECT_EQ(b.desired_["prod-01"], kNew) << "never to an equal release, so there is nothing to go back to";
}

TEST(RolloutStep, KnowsWhenItHasToLookAgain) {
  Bench b = bench();
  EXPECT_EQ(next_deadline_ms(b.rollout_, b.nodes_, b.knobs_, kNow), kNow);
  b.settle();
  EXPECT_EQ(next_deadline_ms(b.rollout_, b.nodes_, b.knobs_, kNow), kNow + 1000);
  EXPECT_EQ(next_deadline_ms(b.rollout_, b.nodes_, b.knobs_, kNow + 29'700), kNow + 30'000);
  b.nodes_["pre-01"].last_seen_ms = kNow - 14'900;
  EXPECT_EQ(next_deadline_ms(b.rollout_, b.nodes_, b.knobs_, kNow), kNow + 101);
}

}  // namespace
}  // namespace dae::deployer
