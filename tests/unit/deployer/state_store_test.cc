#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "base/error.h"
#include "deployer/state_store.h"
#include "deployer/store_base.h"

namespace dae::deployer {
namespace {

class StateStores : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override { open(); }

  void open() {
    store_.reset();
    if (GetParam() == std::string("sqlite")) {
      store_ = open_sqlite_store(dir_.path() / "state.db");
    } else {
      store_ = make_memory_store();
    }
  }

  int64_t put(const std::string& key, const std::string& value) {
    const TxnResult result = store_->txn({}, {{key, value}});
    EXPECT_TRUE(result.succeeded);
    return result.revision;
  }

  TempDir dir_;
  std::unique_ptr<StateStore> store_;
};

TEST_P(StateStores, GrowTheRevisionByOneForEachTransaction) {
  EXPECT_EQ(store_->revision(), 0);
  EXPECT_EQ(store_->txn({}, {{"a", "1"}, {"b", "2"}}).revision, 1);
  EXPECT_EQ(put("a", "3"), 2);
  const auto a = store_->get("a");
  ASSERT_TRUE(a);
  EXPECT_EQ(a->value, "3");
  EXPECT_EQ(a->create_revision, 1);
  EXPECT_EQ(a->mod_revision, 2);
  EXPECT_EQ(store_->get("b")->mod_revision, 1);
}

TEST_P(StateStores, WriteNothingWhenOneCompareFails) {
  put("a", "1");
  const TxnResult refused = store_->txn({{"a", 1}, {"b", 7}}, {{"a", "2"}, {"c", "3"}});
  EXPECT_FALSE(refused.succeeded);
  EXPECT_EQ(refused.revision, 1);
  EXPECT_EQ(store_->get("a")->value, "1");
  EXPECT_FALSE(store_->get("c"));
}

TEST_P(StateStores, CompareZeroMeansTheKeyMustNotExist) {
  EXPECT_TRUE(store_->txn({{"a", 0}}, {{"a", "1"}}).succeeded);
  EXPECT_FALSE(store_->txn({{"a", 0}}, {{"a", "2"}}).succeeded);
  store_->txn({}, {{"a", std::nullopt}});
  EXPECT_TRUE(store_->txn({{"a", 0}}, {{"a", "3"}}).succeeded);
  EXPECT_EQ(store_->get("a")->create_revision, 3);
}

TEST_P(StateStores, DoNotCountATransactionThatChangesNothing) {
  put("a", "1");
  EXPECT_EQ(store_->txn({}, {}).revision, 1);
  EXPECT_EQ(store_->txn({}, {{"absent", std::nullopt}}).revision, 1);
}

TEST_P(StateStores, RefuseToWriteAKeyTwiceAtOnce) {
  EXPECT_THROW(store_->txn({}, {{"a", "1"}, {"a", "2"}}), Error);
  EXPECT_EQ(store_->revision(), 0);
}

TEST_P(StateStores, ListAPrefixInOrderOfKeys) {
  for (const char* key : {"nodes/b", "nodes/a", "node", "nodes0", "nodes/a/x", "other"}) put(key, key);
  std::vector<std::string> keys;
  for (const auto& entry : store_->list("nodes/")) keys.push_back(entry.key);
  EXPECT_EQ(keys, (std::vector<std::string>{"nodes/a", "nodes/a/x", "nodes/b"}));
  EXPECT_EQ(store_->list("").size(), 6u);
  EXPECT_TRUE(store_->list("zzz").empty());
}

TEST_P(StateStores, KeepBytesAsTheyAre) {
  const std::string bytes("\0\xff\n\"\x01", 5);
  put("a", bytes);
  put("empty", "");
  EXPECT_EQ(store_->get("a")->value, bytes);
  EXPECT_EQ(store_->get("empty")->value, "");
}

TEST_P(StateStores, WakeAWaiterOnAChangeBelowItsPrefixOnly) {
  put("nodes/a", "1");
  std::atomic<bool> woken{false};
  std::thread waiter([&] {
    store_->wait("nodes/", 1, 5'000);
    woken = true;
  });
  put("apps/x", "1");
  std::this_thread::sleep_for(std::chrono::milliseconds(60));
  EXPECT_FALSE(woken);
  put("nodes/b", "1");
  waiter.join();
  EXPECT_TRUE(woken);
  EXPECT_EQ(store_->revision(), 3);
}

TEST_P(StateStores, AnswerAtOnceWhenTheChangeIsInThePast) {
  put("nodes/a", "1");
  put("apps/x", "1");
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(store_->wait("nodes/", 0, 5'000), 2);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(1));
}

TEST_P(StateStores, SeeADeletionAsAChange) {
  put("nodes/a", "1");
  store_->txn({}, {{"nodes/a", std::nullopt}});
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(store_->wait("nodes/", 1, 5'000), 2);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(1));
}

TEST_P(StateStores, EndAWaitWhenTheTimeIsOver) {
  EXPECT_EQ(store_->wait("nodes/", 0, 20), 0);
}

TEST_P(StateStores, LetOneOfManyRivalsWinEachRound) {
  constexpr int kRounds = 40, kRivals = 4;
  put("counter", "0");
  std::atomic<int> wins{0};
  std::vector<std::thread> rivals;
  for (int i = 0; i < kRivals; ++i) {
    rivals.emplace_back([&] {
      for (int round = 0; round < kRounds;) {
        const auto seen = store_->get("counter");
        const std::string next = std::to_string(std::stoi(seen->value) + 1);
        if (!store_->txn({{"counter", seen->mod_revision}}, {{"counter", next}}).succeeded) continue;
        ++wins;
        ++round;
      }
    });
  }
  for (auto& rival : rivals) rival.join();
  EXPECT_EQ(wins, kRounds * kRivals);
  EXPECT_EQ(store_->get("counter")->value, std::to_string(kRounds * kRivals));
}

INSTANTIATE_TEST_SUITE_P(Both, StateStores, testing::Values("memory", "sqlite"),
                         [](const auto& parameter) { return std::string(parameter.param); });

TEST(SqliteStateStore, KeepsEverythingOverARestart) {
  TempDir dir;
  {
    auto store = open_sqlite_store(dir.path() / "deep" / "state.db");
    store->txn({}, {{"a", "1"}});
    store->txn({}, {{"b", "2"}});
    store->txn({}, {{"a", std::nullopt}});
  }
  auto store = open_sqlite_store(dir.path() / "deep" / "state.db");
  EXPECT_EQ(store->revision(), 3);
  EXPECT_FALSE(store->get("a"));
  EXPECT_EQ(store->get("b")->mod_revision, 2);
  EXPECT_EQ(store->txn({{"b", 2}}, {{"b", "3"}}).revision, 4);
}

TEST(SqliteStateStore, RefusesASecondWriterAndNamesTheFirst) {
  TempDir dir;
  auto store = open_sqlite_store(dir.path() / "state.db");
  try {
    open_sqlite_store(dir.path() / "state.db");
    FAIL() << "two writers of one state";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::refused);
    EXPECT_NE(error.message().find("pid " + std::to_string(::getpid())), std::string::npos) << error.message();
  }
  store.reset();
  EXPECT_NO_THROW(open_sqlite_store(dir.path() / "state.db"));
}

TEST(StateStore, KnowsWhereAPrefixEnds) {
  EXPECT_EQ(prefix_end("nodes/"), "nodes0");
  EXPECT_EQ(prefix_end("a\xff\xff"), "b");
  EXPECT_EQ(prefix_end(""), "");
  EXPECT_EQ(prefix_end("\xff"), "");
}

}  // namespace
}  // namespace dae::deployer
