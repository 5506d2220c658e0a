#include <gtest/gtest.h>

#include "rollout_fixtures.h"

namespace dae::deployer {
namespace {

using namespace testing_support;

using Ends = std::vector<size_t>;

std::vector<Node> pre_and_prod(int pre, int prod) {
  auto nodes = make_nodes("pre", pre);
  for (const Node& node : make_nodes("prod", prod)) nodes.push_back(node);
  return nodes;
}

Error error_of(const RolloutInput& input) {
  try {
    plan_rollout(input);
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "the plan was accepted";
  return Error(ErrorKind::failed, "none");
}

TEST(BatchEnds, GrowFromOneNodeToAll) {
  EXPECT_EQ(batch_ends({"1", "25%", "100%"}, 10), (Ends{1, 2, 10}));
  EXPECT_EQ(batch_ends({"1", "25%", "100%"}, 100), (Ends{1, 25, 100}));
}

TEST(BatchEnds, RoundSharesDownButNeverToNothing) {
  EXPECT_EQ(batch_ends({"10%", "50%", "100%"}, 3), (Ends{1, 3}));
  EXPECT_EQ(batch_ends({"99%", "100%"}, 10), (Ends{9, 10}));
}

TEST(BatchEnds, HaveNoEmptyBatch) {
  EXPECT_EQ(batch_ends({"1", "25%", "100%"}, 1), (Ends{1}));
  EXPECT_EQ(batch_ends({"5", "5", "2", "100%"}, 7), (Ends{5, 7}));
  EXPECT_EQ(batch_ends({"1000"}, 3), (Ends{3}));
}

TEST(BatchEnds, PutWhatTheListLeavesOverIntoALastBatch) {
  EXPECT_EQ(batch_ends({"1"}, 4), (Ends{1, 4}));
  EXPECT_EQ(batch_ends({}, 4), (Ends{4}));
}

TEST(BatchEnds, RefuseWhatIsNoSize) {
  for (const char* text : {"0", "-1", "0%", "101%", "x", "", "%", "1.5", "25 %"}) {
    EXPECT_THROW(batch_ends({text}, 4), Error) << text;
  }
}

TEST(BatchEnds, CoverEveryNodeOnceWhateverTheList) {
  for (size_t count = 1; count <= 60; ++count) {
    for (int percent = 1; percent <= 100; percent += 3) {
      const auto ends = batch_ends({"1", std::to_string(percent) + "%", "7", "50%"}, count);
      size_t before = 0;
      for (size_t end : ends) {
        EXPECT_GT(end, before);
        before = end;
      }
      EXPECT_EQ(before, count);
    }
  }
}

TEST(RolloutPlan, GoesThroughPreFirstAndProdInBatches) {
  const Release release = make_release("2.0");
  const Rollout rollout = plan_rollout(make_input(release, pre_and_prod(1, 8), "old"));
  ASSERT_EQ(rollout.stages.size(), 2u);
  EXPECT_EQ(rollout.stages[0].batches, (std::vector<std::vector<std::string>>{{"pre-01"}}));
  ASSERT_EQ(rollout.stages[1].batches.size(), 3u);
  EXPECT_EQ(rollout.stages[1].batches[0], (std::vector<std::string>{"prod-01"}));
  EXPECT_EQ(rollout.stages[1].batches[1], (std::vector<std::string>{"prod-02"}));
  EXPECT_EQ(rollout.stages[1].batches[2].size(), 6u);
  EXPECT_EQ(rollout.nodes.size(), 9u);
  EXPECT_EQ(rollout.nodes[0].previous, "old");
  EXPECT_EQ(rollout.nodes.back().group, "prod");
  EXPECT_EQ(rollout.state, RolloutState::planned);
  EXPECT_EQ(rollout.release, release.id);
  EXPECT_EQ(rollout.version, "2.0");
}

TEST(RolloutPlan, LeavesOutNodesThatAreSilent) {
  auto nodes = pre_and_prod(1, 3);
  nodes[2].last_seen_ms = kNow - 60'000;
  const Rollout rollout = plan_rollout(make_input(make_release("2.0"), nodes, "old"));
  EXPECT_EQ(rollout.nodes.size(), 3u);
  for (const RolloutNode& node : rollout.nodes) EXPECT_NE(node.node, "prod-02");
}

TEST(RolloutPlan, RefusesAGroupWithoutANodeAndNamesIt) {
  const Error error = error_of(make_input(make_release("2.0"), make_nodes("prod", 2), "old"));
  EXPECT_EQ(error.kind(), ErrorKind::refused);
  EXPECT_NE(error.message().find("group `pre`"), std::string::npos);
  EXPECT_NE(error.hint().find("dae node list"), std::string::npos);
}

TEST(RolloutPlan, NeedsOnlyTheNodesOfTheStageAskedFor) {
  auto input = make_input(make_release("2.0"), make_nodes("prod", 2), "old");
  input.only_stage = "prod";
  EXPECT_EQ(plan_rollout(input).stages.size(), 1u);
  input.only_stage = "canary";
  const Error error = error_of(input);
  EXPECT_EQ(error.kind(), ErrorKind::not_found);
  EXPECT_EQ(error.hint(), "stages: pre, prod");
}

TEST(RolloutPlan, RefusesTwoStagesOnOneGroup) {
  auto second = stage_config("late", {"100%"});
  second.group = "pre";
  const Error error =
      error_of(make_input(make_release("2.0", {stage_config("pre", {"1"}), second}), pre_and_prod(2, 0)));
  EXPECT_EQ(error.kind(), ErrorKind::bad_input);
}

TEST(RolloutPlan, IsDoneAtOnceWhenEveryNodeRunsItAlreadyAndItProvedGood) {
  const Release release = make_release("2.0");
  auto input = make_input(release, pre_and_prod(1, 2), release.id);
  EXPECT_EQ(plan_rollout(input).state, RolloutState::planned) << "desired, but it never finished a rollout";
  input.good = {{"pre", release.id}, {"prod", release.id}};
  const Rollout rollout = plan_rollout(input);
  EXPECT_EQ(rollout.state, RolloutState::done);
  EXPECT_EQ(rollout.reason, "already live");
  input.supersedes = true;
  EXPECT_EQ(plan_rollout(input).state, RolloutState::planned);
}

TEST(RolloutPlan, DoesNotBakeAgainWhereTheReleaseIsGoodAlready) {
  const Release release = make_release("2.0");
  auto input = make_input(release, pre_and_prod(1, 2), "old");
  input.current["pre-01"] = release.id;
  input.good = {{"pre", release.id}, {"prod", "old"}};
  const Rollout rollout = plan_rollout(input);
  EXPECT_EQ(rollout.stages[0].bake_ms, 0);
  EXPECT_EQ(rollout.stages[1].bake_ms, 30'000);
}

TEST(RolloutPlan, GoesBackToTheGroupsGoodReleaseNotToOneThatNeverProvedGood) {
  auto input = make_input(make_release("3.0"), pre_and_prod(1, 1), "broken");
  input.current["prod-01"] = "";
  input.good = {{"pre", "good"}, {"prod", "good"}};
  const Rollout rollout = plan_rollout(input);
  EXPECT_EQ(rollout.nodes[0].previous, "good");
  EXPECT_EQ(rollout.nodes[1].previous, "") << "a node that never had the app loses it again";
}

TEST(RolloutPlan, NeverGoesBackToTheReleaseItself) {
  const Release release = make_release("3.0");
  auto input = make_input(release, pre_and_prod(1, 1), "current");
  input.good = {{"pre", release.id}, {"prod", release.id}};
  for (const RolloutNode& node : plan_rollout(input).nodes) EXPECT_EQ(node.previous, "current");
}

TEST(RolloutPlan, RollsBackAllGroupsAtOnceWithoutABake) {
  auto input = make_input(make_release("1.0"), pre_and_prod(1, 5), "bad");
  input.kind = "rollback";
  input.supersedes = true;
  const Rollout rollout = plan_rollout(input);
  ASSERT_EQ(rollout.stages.size(), 1u);
  EXPECT_EQ(rollout.stages[0].batches.size(), 1u);
  EXPECT_EQ(rollout.stages[0].batches[0].size(), 6u);
  EXPECT_EQ(rollout.stages[0].bake_ms, 0);
  EXPECT_EQ(rollout.stages[0].group, "pre,prod");
}

TEST(RolloutPlan, RollsBackWhatIsThereWhenAGroupHasNoNode) {
  auto input = make_input(make_release("1.0"), make_nodes("prod", 2), "bad");
  input.kind = "rollback";
  EXPECT_EQ(plan_rollout(input).nodes.size(), 2u);
  input.nodes.clear();
  EXPECT_EQ(error_of(input).kind(), ErrorKind::refused);
}

TEST(RolloutPlan, IsTheSameWhateverTheOrderOfTheNodes) {
  auto input = make_input(make_release("2.0"), pre_and_prod(2, 9), "old");
  const Rollout first = plan_rollout(input);
  std::reverse(input.nodes.begin(), input.nodes.end());
  EXPECT_EQ(first, plan_rollout(input));
}

}  // namespace
}  // namespace dae::deployer
