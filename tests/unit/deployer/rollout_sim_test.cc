#include <gtest/gtest.h>

#include <fmt/format.h>

#include "deployer/audit_log.h"
#include "rollout_simulator.h"

namespace dae::deployer {
namespace {

using namespace testing_support;

constexpr uint64_t kSeeds = 1'200;

void choose_behaviours(World& world) {
  constexpr Behaviour kBad[] = {Behaviour::fails_to_start, Behaviour::never_ready, Behaviour::fails_probes,
                                Behaviour::restarts, Behaviour::slow};
  for (size_t i = 1; i < world.releases.size(); ++i) {
    if (world.random.chance(40)) continue;  // a good release
    for (FakeNode& fake : world.nodes) {
      if (world.random.chance(40)) fake.behaviours[world.releases[i].id] = kBad[world.random.between(0, 4)];
    }
  }
}

struct Outcome {
  std::string dump;
  std::vector<std::string> violations;
  std::map<std::string, int> states;
  bool quiet = false;
  int64_t broken_event = 0;
};

Outcome live_through(uint64_t seed) {
  WorldOptions options;
  options.seed = seed;
  Random shape(seed ^ 0x5eed);
  options.pre = static_cast<int>(shape.between(1, 2));
  options.prod = static_cast<int>(shape.between(1, 4));
  World world(options);
  choose_behaviours(world);
  world.submit(world.releases[0]);
  for (int i = 0; i < 60; ++i) {
    world.run_ms(600, world.random.between(200, 600));
    world.disturb();
  }
  world.heal();
  // The longest way to the end: two stages of at most three batches, their bakes, and the way back.
  for (int i = 0; i < 200 && !world.quiet(); ++i) world.run_ms(1'000, 500);
  Outcome out{world.dump(), world.violations(), {}, world.quiet(), first_broken_event(world.store)};
  for (const StoredValue& entry : world.store.list(rollout_key("bubbler", ""))) {
    ++out.states[std::string(name_of(rollout_from_value(parse_json(entry.value, entry.key)).state))];
  }
  return out;
}

TEST(RolloutSimulation, HoldsItsInvariantsUnderThousandsOfHistories) {
  std::map<std::string, int> states;
  int bad = 0;
  for (uint64_t seed = 1; seed <= kSeeds && bad < 3; ++seed) {
    const Outcome outcome = live_through(seed);
    for (const auto& [state, count] : outcome.states) states[state] += count;
    const bool fine = outcome.violations.empty() && outcome.quiet && outcome.broken_event == 0;
    if (fine) continue;
    ++bad;
    std::string text = fmt::format("seed {}:", seed);
    for (const std::string& line : outcome.violations) text += "\n  " + line;
    if (!outcome.quiet) text += "\n  no end, or a node does not run what it shall";
    if (outcome.broken_event != 0) text += fmt::format("\n  audit log broken at {}", outcome.broken_event);
    ADD_FAILURE() << text;
  }
  // The histories are worth something only if every way to end was seen.
  for (const char* state : {"done", "rolled_back", "superseded"}) EXPECT_GE(states[state], 50) << state;
  EXPECT_GE(states["failed"], 3);
}

TEST(RolloutSimulation, GivesTheSameStateForTheSameSeed) {
  for (uint64_t seed : {3u, 77u, 1234u}) EXPECT_EQ(live_through(seed).dump, live_through(seed).dump);
}

// Runs 1.0 to its end, then submits 2.0 with the store dying at the n-th write from there. Returns the state it ends in
// and how many writes it took.
std::pair<RolloutState, int64_t> deploy_with_death(int64_t nth_write, bool after, bool second_is_bad) {
  World world({7, 1, 3, false});
  world.submit(world.releases[0]);
  for (int i = 0; i < 100 && !world.quiet(); ++i) world.run_ms(500, 250);
  if (second_is_bad) world.nodes[2].behaviours[world.releases[1].id] = Behaviour::fails_to_start;
  const int64_t before = world.store.writes();
  world.store.die_at(nth_write, after);
  world.submit(world.releases[1]);
  if (!world.control_is_up()) {
    world.start_control();
    world.submit(world.releases[1]);  // the client got no answer and asks again
  }
  for (int i = 0; i < 200; ++i) {
    world.run_ms(500, 250);
    if (world.quiet()) break;
  }
  EXPECT_TRUE(world.quiet()) << nth_write;
  EXPECT_TRUE(world.violations().empty()) << world.violations().front();
  EXPECT_EQ(world.store.list(rollout_key("bubbler", "")).size(), 2u) << "a repeated submit is the same rollout";
  EXPECT_EQ(first_broken_event(world.store), 0);
  const Release& expected = world.releases[second_is_bad ? 0 : 1];
  for (const FakeNode& fake : world.nodes) EXPECT_EQ(fake.live, expected.id) << fake.node.name;
  return {world.newest()->state, world.store.writes() - before};
}

class DeathAtEveryWrite : public testing::TestWithParam<bool> {};

TEST_P(DeathAtEveryWrite, ChangesNothingAboutTheEnd) {
  const bool bad = GetParam();
  const RolloutState expected = bad ? RolloutState::rolled_back : RolloutState::done;
  const auto [state, writes] = deploy_with_death(0, false, bad);
  ASSERT_EQ(state, expected);
  ASSERT_GT(writes, 8);
  for (int64_t n = 1; n <= writes; ++n) {
    for (bool after : {false, true}) EXPECT_EQ(deploy_with_death(n, after, bad).first, expected) << n << after;
  }
}

INSTANTIATE_TEST_SUITE_P(OfAControl, DeathAtEveryWrite, testing::Bool(),
                         [](const auto& parameter) { return parameter.param ? "TakingBack" : "Deploying"; });

}  // namespace
}  // namespace dae::deployer
