#include "rollout_simulator.h"

#include <algorithm>

#include <fmt/format.h>

#include "deployer/audit_log.h"
#include "rollout_fixtures.h"

namespace dae::deployer::testing_support {

uint64_t Random::next() {
  // splitmix64 (public domain algorithm by S. Vigna): the same everywhere, unlike the library's distributions.
  uint64_t z = (state_ += 0x9e3779b97f4a7c15ull);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

TxnResult MortalStore::txn(const std::vector<Compare>& compares, const std::vector<Put>& puts) {
  ++writes_;
  const bool dies = left_ > 0 && --left_ == 0;
  if (dies && !after_) throw Crash();
  const TxnResult result = inner_->txn(compares, puts);
  if (dies) throw Crash();
  return result;
}

Behaviour FakeNode::behaviour() const {
  auto found = behaviours.find(want);
  return found == behaviours.end() ? Behaviour::good : found->second;
}

void FakeNode::poll(ControlCore& core, Random& random, int64_t now_ms) {
  if (now_ms < next_poll_ms_) return;
  next_poll_ms_ = now_ms + random.between(50, 1200);
  if (core.desired_revision(node.name) <= known_revision_) return;
  const Desired desired = core.desired(node.name);
  known_revision_ = desired.revision;
  auto app = desired.apps.find("bubbler");
  const std::string wanted = app == desired.apps.end() ? "" : app->second.release.id;
  if (wanted == want) return;
  want = wanted;
  failed_ = false;
  probes_failed_ = restarts_ = 0;
  const int64_t work_ms = behaviour() == Behaviour::slow ? random.between(5'000, 9'000) : random.between(50, 3'000);
  ready_at_ms_ = now_ms + (want == live ? 0 : work_ms);
}

void FakeNode::work(Random&, int64_t now_ms) {
  if (want.empty()) {
    live.clear();
    return;
  }
  if (now_ms < ready_at_ms_ || failed_) return;
  const Behaviour how = behaviour();
  if (live != want) {
    if (how == Behaviour::never_ready) return;
    failed_ = how == Behaviour::fails_to_start;
    if (failed_) return;
    live = want;
    live_since_ms_ = now_ms;
  }
  if (now_ms - live_since_ms_ < 500) return;
  if (how == Behaviour::fails_probes) probes_failed_ = 3;
  if (how == Behaviour::restarts) restarts_ = 1;
}

Observed FakeNode::report(int64_t now_ms) const {
  Observed observed;
  observed.node = node.name;
  observed.desired_revision = known_revision_;
  observed.time_ms = now_ms;
  if (want.empty() && live.empty()) return observed;
  ObservedApp& app = observed.apps["bubbler"];
  app.live = live;
  if (want.empty()) return observed;
  ObservedRelease release;
  release.release = want;
  release.phase = failed_ ? "failed" : live == want ? "live" : "starting";
  release.probes_failed = probes_failed_;
  release.instances = {{"web.0", "running", 1, restarts_}};
  app.releases.push_back(release);
  return observed;
}

World::World(const WorldOptions& options) : random(options.seed), faults_(options.faults) {
  knobs.batch_deadline_ms = 15'000;
  knobs.node_lost_ms = 4'000;
  const std::vector<mirror::StageConfig> stages = {stage_config("pre", {"100%"}, 3'000),
                                                   stage_config("prod", {"1", "50%", "100%"}, 3'000)};
  for (const char* version : {"1.0", "2.0", "3.0", "4.0"}) {
    Release release = make_release(version, stages);
    release.id = release_id(release);
    releases.push_back(release);
  }
  auto named = make_nodes("pre", options.pre, clock.wall_ms());
  for (const Node& node : make_nodes("prod", options.prod, clock.wall_ms())) named.push_back(node);
  for (const Node& node : named) nodes.emplace_back().node = node;
  start_control();
  for (FakeNode& fake : nodes) core_->register_node(fake.node);
}

void World::start_control() {
  core_ = std::make_unique<ControlCore>(store, clock, knobs);
}

void World::kill_control(int64_t down_ms) {
  core_.reset();
  down_until_ms_ = clock.wall_ms() + down_ms;
}

template <typename Action>
void World::attempt(Action action) {
  if (core_ == nullptr) return;
  try {
    action();
  } catch (const Crash&) {
    kill_control(faults_ ? random.between(0, 8'000) : 0);
  }
}

void World::move_nodes(int64_t now_ms) {
  for (FakeNode& fake : nodes) {
    fake.work(random, now_ms);
    if (!fake.reachable && fake.away_until_ms != 0 && now_ms >= fake.away_until_ms) fake.reachable = true;
    if (!fake.reachable) continue;
    attempt([&] { fake.poll(*core_, random, now_ms); });
    if (now_ms < fake.next_report_ms) continue;
    fake.next_report_ms = now_ms + random.between(200, 900);
    const int64_t delay_ms = faults_ && random.chance(5) ? random.between(500, 2'500) : random.between(0, 200);
    wire_.push_back({now_ms + delay_ms, fake.report(now_ms)});
    if (faults_ && random.chance(3)) wire_.push_back({now_ms + random.between(0, 2'500), fake.report(now_ms)});
  }
}

void World::deliver(int64_t now_ms) {
  std::vector<Message> due, later;
  for (Message& message : wire_) (message.deliver_ms <= now_ms ? due : later).push_back(std::move(message));
  wire_ = std::move(later);
  std::stable_sort(due.begin(), due.end(), [](const auto& a, const auto& b) { return a.deliver_ms < b.deliver_ms; });
  for (const Message& message : due) attempt([&] { core_->report(message.observed); });
}

void World::run_ms(int64_t duration_ms, int64_t tick_ms) {
  for (int64_t passed = 0; passed < duration_ms; passed += tick_ms) {
    clock.advance_ms(tick_ms);
    const int64_t now = clock.wall_ms();
    if (core_ == nullptr && now >= down_until_ms_) start_control();
    move_nodes(now);
    deliver(now);
    attempt([&] { core_->tick(); });
    check();
  }
}

void World::submit(const Release& release) {
  attempt([&] {
    try {
      SubmitRequest request;
      request.release = release;
      request.who = "ada";
      core_->submit(request);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::refused) violation(std::string("submit: ") + error.what());
    }
  });
}

void World::rollback() {
  attempt([&] {
    try {
      core_->rollback("bubbler", "", "ada");
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::refused) violation(std::string("rollback: ") + error.what());
    }
  });
}

void World::abort() {
  const auto rollout = newest();
  if (!rollout) return;
  attempt([&] {
    try {
      core_->abort("bubbler", rollout->id, "ada");
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::refused) violation(std::string("abort: ") + error.what());
    }
  });
}

void World::disturb() {
  if (random.chance(6)) submit(releases[static_cast<size_t>(random.between(0, 3))]);
  if (random.chance(2)) rollback();
  if (random.chance(1)) abort();
  if (random.chance(2) && core_ != nullptr) kill_control(random.between(0, 8'000));
  if (random.chance(4)) store.die_at(random.between(1, 6), random.chance(50));
  if (random.chance(2)) {
    FakeNode& fake = nodes[static_cast<size_t>(random.between(0, static_cast<int64_t>(nodes.size()) - 1))];
    fake.reachable = false;
    fake.away_until_ms = clock.wall_ms() + random.between(500, 12'000);
  }
}

void World::heal() {
  store.die_at(0, false);
  faults_ = false;
  if (core_ == nullptr) start_control();
  for (FakeNode& fake : nodes) fake.reachable = true;
}

std::optional<Rollout> World::newest() const {
  auto& reader = const_cast<MortalStore&>(store);
  const auto all = reader.list(rollout_key("bubbler", ""));
  if (all.empty()) return std::nullopt;
  return rollout_from_value(parse_json(all.back().value, all.back().key));
}

std::string World::desired(const std::string& node) const {
  const auto stored = const_cast<MortalStore&>(store).get(desired_key(node));
  return stored ? parse_json(stored->value, node).root.at("apps").get_string("bubbler") : "";
}

bool World::quiet() const {
  const auto rollout = newest();
  if (rollout && !is_final(rollout->state)) return false;
  return std::all_of(nodes.begin(), nodes.end(),
                     [&](const FakeNode& fake) { return fake.want == desired(fake.node.name) && fake.settled(); });
}

std::string World::dump() const {
  std::string out;
  for (const StoredValue& entry : const_cast<MortalStore&>(store).list("")) {
    out += fmt::format("{} {} {}\n", entry.key, entry.mod_revision, entry.value);
  }
  return out;
}

void World::violation(const std::string& text) {
  if (violations_.size() < 5) violations_.push_back(fmt::format("at {}: {}", clock.wall_ms(), text));
}

// What the stored rollout says about a node and what the node is told agree at every moment, crash or not.
void World::check_touched(const Rollout& rollout) {
  const bool back = rollout.state == RolloutState::rolling_back || rollout.state == RolloutState::rolled_back;
  for (const RolloutNode& item : rollout.nodes) {
    if (item.previous == rollout.release) continue;
    const std::string wanted = desired(item.node);
    const bool waiting = item.phase == NodePhase::waiting;
    if (waiting && wanted == rollout.release) violation(item.node + " was touched before its turn");
    const bool later = item.stage > rollout.stage || (item.stage == rollout.stage && item.batch > rollout.batch);
    if (later && !waiting) violation(item.node + " had its turn too early");
    if (back && !waiting && wanted != item.previous) violation(item.node + " was not taken back in " + rollout.id);
    if (!back && !waiting && wanted != rollout.release && rollout.state != RolloutState::failed) {
      violation(item.node + " does not desire what it shall deploy");
    }
  }
}

void World::check() {
  if (store.revision() == checked_revision_) return;
  checked_revision_ = store.revision();
  // After a newer rollout nothing older says what a node desires; while one is under way it is the newest.
  const auto rollout = newest();
  if (!rollout) return;
  if (is_final(rollout->state)) {
    if (checked_ == rollout->id) return;
    checked_ = rollout->id;
  }
  if (rollout->state == RolloutState::superseded) violation("the newest rollout is superseded");
  if (rollout->kind == "deploy" && rollout->reason != "already live") check_touched(*rollout);
  if (rollout->state != RolloutState::done || rollout->kind != "deploy") return;
  for (const FakeNode& fake : nodes) {
    auto how = fake.behaviours.find(rollout->release);
    if (how == fake.behaviours.end()) continue;
    const bool hopeless = how->second == Behaviour::fails_to_start || how->second == Behaviour::never_ready;
    const bool member = std::any_of(rollout->nodes.begin(), rollout->nodes.end(),
                                    [&](const RolloutNode& item) { return item.node == fake.node.name; });
    if (hopeless && member) violation(rollout->id + " is done although it cannot run on " + fake.node.name);
  }
}

}  // namespace dae::deployer::testing_support
