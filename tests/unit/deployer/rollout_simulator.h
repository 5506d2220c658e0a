#pragma once
// A small world under a seed: the real ControlCore over a store that can die at any write, and fake nodes that poll,
// work, fail, fall silent and report late, twice or out of order. One thread, one clock, so a seed is a whole history.
#include <memory>
#include <string>
#include <vector>

#include "deployer/control_core.h"

namespace dae::deployer::testing_support {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15ull + 1) {}
  uint64_t next();
  int64_t between(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(next() % static_cast<uint64_t>(high - low + 1));
  }
  bool chance(int percent) { return between(1, 100) <= percent; }

 private:
  uint64_t state_;
};

struct Crash {};  // not an Error: nothing on the way may catch it

// Dies at the n-th write from now, just before it is done or just after.
class MortalStore final : public StateStore {
 public:
  std::optional<StoredValue> get(const std::string& key) override { return inner_->get(key); }
  std::vector<StoredValue> list(const std::string& prefix) override { return inner_->list(prefix); }
  int64_t revision() override { return inner_->revision(); }
  TxnResult txn(const std::vector<Compare>& compares, const std::vector<Put>& puts) override;
  int64_t wait(const std::string& prefix, int64_t after, int64_t timeout_ms) override {
    return inner_->wait(prefix, after, timeout_ms);
  }
  void die_at(int64_t writes, bool after) {
    left_ = writes;
    after_ = after;
  }
  int64_t writes() const { return writes_; }

 private:
  std::unique_ptr<StateStore> inner_ = make_memory_store();
  int64_t left_ = 0, writes_ = 0;
  bool after_ = false;
};

enum class Behaviour { good, fails_to_start, never_ready, fails_probes, restarts, slow };

class FakeNode {
 public:
  Node node;
  bool reachable = true;
  int64_t away_until_ms = 0;
  std::string want, live;
  std::map<std::string, Behaviour> behaviours;  // release -> ; absent: good

  // Learns what it shall do, if it is time to ask.
  void poll(ControlCore& core, Random& random, int64_t now_ms);
  void work(Random& random, int64_t now_ms);
  Observed report(int64_t now_ms) const;
  // It runs what it shall, or never will: then the old release goes on serving.
  bool settled() const { return live == want || failed_ || behaviour() == Behaviour::never_ready; }
  int64_t next_report_ms = 0;

 private:
  Behaviour behaviour() const;
  int64_t known_revision_ = 0, next_poll_ms_ = 0, ready_at_ms_ = 0, live_since_ms_ = 0, restarts_ = 0,
          probes_failed_ = 0;
  bool failed_ = false;
};

struct WorldOptions {
  uint64_t seed = 1;
  int pre = 1, prod = 3;
  bool faults = true;
};

class World {
 public:
  explicit World(const WorldOptions& options);

  void start_control();
  void kill_control(int64_t down_ms);
  bool control_is_up() const { return core_ != nullptr; }
  // Advances the clock and lets everything happen that is due, then checks the invariants.
  void run_ms(int64_t duration_ms, int64_t tick_ms);
  // One moment of chaos: somebody may submit, abort, roll back, kill, cut off.
  void disturb();
  void heal();  // all nodes reachable, control up, no more deaths
  // Retries after a crash, as a client does.
  void submit(const Release& release);
  void rollback();
  void abort();

  bool quiet() const;        // no rollout under way, every node runs what it shall
  std::string dump() const;  // the whole state
  std::optional<Rollout> newest() const;
  std::string desired(const std::string& node) const;
  const std::vector<std::string>& violations() const { return violations_; }

  Random random;
  ManualClock clock;
  MortalStore store;
  std::vector<FakeNode> nodes;
  std::vector<Release> releases;
  RolloutKnobs knobs;

 private:
  struct Message {
    int64_t deliver_ms;
    Observed observed;
  };
  template <typename Action>
  void attempt(Action action);
  void move_nodes(int64_t now_ms);
  void deliver(int64_t now_ms);
  void check();
  void check_touched(const Rollout& rollout);
  void violation(const std::string& text);

  std::unique_ptr<ControlCore> core_;
  int64_t down_until_ms_ = 0;
  bool faults_;
  std::vector<Message> wire_;
  std::vector<std::string> violations_;
  int64_t checked_revision_ = -1;
  std::string checked_;  // the finished rollout that was checked last
};

}  // namespace dae::deployer::testing_support
