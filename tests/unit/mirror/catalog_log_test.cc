// Catalogs of several machines, kept alike by the log in a shared storage.
#include "mirror/storage/catalog_log.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <random>
#include <set>
#include <thread>

#include "memory_lease.h"
#include "memory_objects.h"

namespace dae::mirror {
namespace {

using testing::MemoryLease;
using testing::MemoryObjects;

const std::string kZeros(64, '0');

// A machine: its copy of the catalog, and the log as one process there has it.
struct Machine {
  Machine(const Path& folder, const std::string& name, MemoryObjects& objects, Lease& lease, Clock& clock,
          CatalogLogOptions options = {})
      : shared_lease(share_lease(lease, clock, {.wait_ms = 5000, .linger_ms = 0, .longest_hold_ms = 20})),
        log(objects, *shared_lease, clock, named(std::move(options), folder / name, name)),
        catalog(folder / name / "catalog.db", &log) {}

  static CatalogLogOptions named(CatalogLogOptions options, const Path& folder, const std::string& name) {
    options.place = "memory";
    options.writer = name;
    options.scratch_dir = folder / "scratch";
    return options;
  }

  void put(const std::string& key, const std::string& value = kZeros) {
    catalog.write([&](Database& db) {
      db.prepare("INSERT OR REPLACE INTO provenance(file, name, url, sha256) VALUES(?,?,'',?)")
          .bind(1, kZeros)
          .bind(2, key)
          .bind(3, value)
          .run();
    });
  }
  std::set<std::string> keys() {
    return catalog.read([](Database& db) {
      std::set<std::string> found;
      Statement rows = db.prepare("SELECT name FROM provenance");
      while (rows.step()) found.insert(rows.text(0));
      return found;
    });
  }
  void make_base(const Path& folder) {
    Database connection = Database::open(folder / "catalog.db", catalog_migrations());
    const CatalogBase base = log.upload_base(connection);
    catalog.maintain([&](Database& copy) { log.publish_base(copy, base); });
  }

  std::unique_ptr<SharedLease> shared_lease;
  SharedCatalogLog log;
  Catalog catalog;
};

class SharedCatalog : public ::testing::Test {
 protected:
  std::unique_ptr<Machine> machine(const std::string& name, CatalogLogOptions options = {}) {
    return std::make_unique<Machine>(dir_.path(), name, objects_, lease_, clock_, std::move(options));
  }
  Path folder(const std::string& name) const { return dir_.path() / name; }
  CatalogHead head() { return parse_head(objects_.get("catalog/head")->bytes, "head"); }

  static Error error_of(const std::function<void()>& action) {
    try {
      action();
    } catch (const Error& error) {
      return error;
    }
    ADD_FAILURE() << "nothing was thrown";
    return Error(ErrorKind::failed, "nothing");
  }

  TempDir dir_;
  SystemClock clock_;
  MemoryObjects objects_{clock_};
  MemoryLease lease_;
};

TEST_F(SharedCatalog, WhatOneMachineWritesTheOthersHaveAfterTheyLooked) {
  auto a = machine("a"), b = machine("b");
  a->put("one");
  EXPECT_TRUE(b->catalog.follow());
  EXPECT_EQ(b->keys(), (std::set<std::string>{"one"}));
  EXPECT_FALSE(b->catalog.follow());
  b->put("two");
  a->put("three");  // catches up before it writes
  EXPECT_EQ(a->keys(), (std::set<std::string>{"one", "two", "three"}));
  EXPECT_EQ(head().sequence, 3);
}

TEST_F(SharedCatalog, WhoDoesNotFindLooksOnceMore) {
  auto a = machine("a"), b = machine("b");
  a->put("one");
  const auto find = [&](Database& db) -> std::optional<std::string> {
    Statement row = db.prepare("SELECT name FROM provenance");
    return row.step() ? std::optional(row.text(0)) : std::nullopt;
  };
  EXPECT_FALSE(b->catalog.read(find));
  EXPECT_TRUE(b->catalog.read_newest(find));
  EXPECT_FALSE(b->catalog.look_again());
  objects_.set_before([](const std::string&, const std::string&) { throw Error(ErrorKind::network, "down"); });
  EXPECT_FALSE(b->catalog.look_again());  // and nothing is thrown
}

TEST_F(SharedCatalog, ANewMachineGetsAllThatWasWritten) {
  auto a = machine("a");
  for (int i = 0; i < 100; ++i) a->put("key" + std::to_string(i));  // more than the head names
  auto b = machine("b");
  EXPECT_TRUE(b->catalog.follow());
  EXPECT_EQ(b->keys(), a->keys());
}

TEST_F(SharedCatalog, WhatConcernsOneMachineStaysThere) {
  auto a = machine("a"), b = machine("b");
  const std::string insert =
      "INSERT INTO uploads(id, repository, size_bytes, chunks, updated_ms) VALUES('u','r',1,1,1)";
  a->catalog.write_local([&](Database& db) { db.execute(insert); });
  EXPECT_FALSE(a->log.exists());  // nobody was asked
  a->catalog.write([&](Database& db) { db.execute("UPDATE uploads SET chunks = 2"); });
  a->put("one");
  b->catalog.follow();
  EXPECT_EQ(b->catalog.read([](Database& db) {
    Statement row = db.prepare("SELECT count(*) FROM uploads");
    row.step();
    return row.integer(0);
  }),
            0);
  EXPECT_EQ(head().sequence, 1);
}

TEST_F(SharedCatalog, ABodyThatThrowsIsUndoneAlone) {
  auto a = machine("a");
  // The first write waits in the store until two more stand behind it: those go together.
  std::atomic<int> waiting{0};
  std::atomic<bool> first{true};
  objects_.set_before([&](const std::string& operation, const std::string&) {
    if (operation != "put" || !first.exchange(false)) return;
    while (waiting < 2) std::this_thread::yield();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  });
  std::thread one([&] { a->put("one"); });
  while (first) std::this_thread::yield();
  std::thread two([&] {
    ++waiting;
    a->put("two");
  });
  std::thread bad([&] {
    ++waiting;
    const Error error = error_of([&] {
      a->catalog.write([&](Database& db) {
        db.execute("DELETE FROM provenance");
        throw Error(ErrorKind::refused, "no");
      });
    });
    EXPECT_EQ(error.kind(), ErrorKind::refused);
  });
  one.join(), two.join(), bad.join();
  EXPECT_EQ(a->keys(), (std::set<std::string>{"one", "two"}));
  EXPECT_EQ(head().sequence, 2);
}

TEST_F(SharedCatalog, ManyWritersLoseNothing) {
  constexpr int kMachines = 3, kThreads = 3, kWrites = 25;
  std::vector<std::unique_ptr<Machine>> machines;
  for (int i = 0; i < kMachines; ++i) machines.push_back(machine("m" + std::to_string(i)));
  std::vector<std::thread> threads;
  for (int i = 0; i < kMachines; ++i) {
    for (int j = 0; j < kThreads; ++j) {
      threads.emplace_back([&, i, j] {
        for (int k = 0; k < kWrites; ++k) machines[i]->put(fmt::format("{}-{}-{}", i, j, k));
      });
    }
  }
  for (std::thread& one : threads) one.join();
  for (auto& one : machines) {
    one->catalog.follow();
    EXPECT_EQ(one->keys().size(), kMachines * kThreads * kWrites);
  }
  EXPECT_LE(head().sequence, kMachines * kThreads * kWrites);
}

TEST_F(SharedCatalog, AnAnswerThatWasLostIsNoLostChange) {
  auto a = machine("a"), b = machine("b");
  a->put("one");
  bool lost = false;
  objects_.set_after([&](const std::string& operation, const std::string&) {
    if (operation != "put_if" || std::exchange(lost, true)) return;
    throw Error(ErrorKind::network, "the answer was lost");
  });
  a->put("two");
  EXPECT_TRUE(lost);
  b->catalog.follow();
  EXPECT_EQ(b->keys(), a->keys());
  EXPECT_EQ(a->keys(), (std::set<std::string>{"one", "two"}));
}

TEST_F(SharedCatalog, AChangeThatCouldNotBePublishedIsNotThere) {
  auto a = machine("a");
  a->put("one");
  for (const std::string failing : {"put", "put_if", "get_unless"}) {
    objects_.set_before([&](const std::string& operation, const std::string&) {
      if (operation == failing) throw Error(ErrorKind::network, "down");
    });
    lease_.take_away();  // so that the head is asked for
    EXPECT_EQ(error_of([&] { a->put("two"); }).kind(), ErrorKind::network) << failing;
    EXPECT_EQ(a->keys(), (std::set<std::string>{"one"})) << failing;
  }
  objects_.set_before({});
  a->put("two");
  EXPECT_EQ(a->keys(), (std::set<std::string>{"one", "two"}));
  EXPECT_EQ(head().sequence, 2);
}

// Killed between the publication and its own commit: the log has it.
TEST_F(SharedCatalog, WhatWasPublishedAndNotCommittedComesBack) {
  auto a = machine("a");
  a->put("one");
  objects_.set_after([&](const std::string& operation, const std::string&) {
    if (operation == "put_if") throw std::runtime_error("killed");
  });
  EXPECT_THROW(a->put("two"), std::runtime_error);
  objects_.set_after({});
  EXPECT_EQ(a->keys(), (std::set<std::string>{"one"}));
  a->put("three");
  EXPECT_EQ(a->keys(), (std::set<std::string>{"one", "two", "three"}));
}

TEST_F(SharedCatalog, WhoLostTheRightIsRefused) {
  auto a = machine("a"), b = machine("b");
  a->put("one");
  // `a` is stopped after it took the right; `b` gets it and writes; `a` goes on.
  bool stopped = false;
  objects_.set_before([&](const std::string& operation, const std::string&) {
    if (operation != "put_if" || std::exchange(stopped, true)) return;
    lease_.take_away_unnoticed();
    b->put("two");
  });
  const Error error = error_of([&] { a->put("three"); });
  EXPECT_EQ(error.kind(), ErrorKind::network) << error.what();
  EXPECT_NE(error.message().find("another process"), std::string::npos) << error.what();
  EXPECT_EQ(a->keys(), (std::set<std::string>{"one"}));
  a->catalog.follow();
  EXPECT_EQ(a->keys(), (std::set<std::string>{"one", "two"}));
  EXPECT_EQ(head().writer, "b");
}

TEST_F(SharedCatalog, ALeaseThatIsLostBeforehandWritesNothing) {
  auto a = machine("a");
  a->put("one");
  objects_.set_after([&](const std::string& operation, const std::string&) {
    if (operation == "put") lease_.take_away();
  });
  EXPECT_EQ(error_of([&] { a->put("two"); }).kind(), ErrorKind::network);
  EXPECT_EQ(head().sequence, 1);
}

TEST_F(SharedCatalog, WritersUnderAnotherLeaseAreRefused) {
  auto a = machine("a", {.lease = "etcd://one"}), b = machine("b");
  a->put("one");
  const Error error = error_of([&] { b->put("two"); });
  EXPECT_EQ(error.kind(), ErrorKind::refused);
  EXPECT_NE(std::string(error.what()).find("etcd://one"), std::string::npos);
  b->catalog.follow();  // reading is fine
  EXPECT_EQ(b->keys(), (std::set<std::string>{"one"}));
}

TEST_F(SharedCatalog, ABaseIsMadeWhenTheLogHasGrown) {
  auto a = machine("a", {.entries_between_bases = 10});
  for (int i = 0; i < 9; ++i) a->put("key" + std::to_string(i));
  EXPECT_FALSE(a->log.base_is_due());
  a->catalog.write_local([](Database& db) {
    db.execute("INSERT INTO uploads(id, repository, size_bytes, chunks, updated_ms) VALUES('u','r',1,1,1)");
  });
  a->put("key9");
  EXPECT_TRUE(a->log.base_is_due());
  a->make_base(folder("a"));
  EXPECT_FALSE(a->log.base_is_due());
  EXPECT_EQ(head().base.sequence, 10);
  a->put("after");

  // The log before the base is not needed any more.
  EXPECT_GT(a->log.tidy(clock_.wall_ms() + 1000), 0u);
  auto b = machine("b");
  EXPECT_TRUE(b->catalog.follow());
  EXPECT_EQ(b->keys(), a->keys());
  EXPECT_EQ(b->catalog.read([](Database& db) { return db.prepare("SELECT 1 FROM uploads").step(); }), false);
}

TEST_F(SharedCatalog, ACopyThatFellBehindStartsFromTheBaseAndKeepsWhatIsItsOwn) {
  auto a = machine("a", {.entries_between_bases = 10}), b = machine("b");
  a->put("first");
  b->catalog.follow();
  b->catalog.write_local([](Database& db) {
    db.execute("INSERT INTO uploads(id, repository, size_bytes, chunks, updated_ms) VALUES('u','r',1,1,1)");
  });
  for (int i = 0; i < 50; ++i) a->put("key" + std::to_string(i));
  a->make_base(folder("a"));
  a->log.tidy(clock_.wall_ms() + 1000);
  a->put("last");
  EXPECT_TRUE(b->catalog.follow());
  EXPECT_EQ(b->keys(), a->keys());
  EXPECT_TRUE(b->catalog.read([](Database& db) { return db.prepare("SELECT 1 FROM uploads WHERE id = 'u'").step(); }));
  b->put("goes on");
  EXPECT_EQ(head().sequence, 53);
}

TEST_F(SharedCatalog, ACopyThatHasPartedIsMadeAnew) {
  auto a = machine("a"), b = machine("b");
  a->put("one");
  b->catalog.follow();
  b->catalog.write_local([](Database& db) {
    db.execute("UPDATE replica SET last = 'x'");
    db.execute("DELETE FROM provenance");
  });
  a->put("two");
  EXPECT_TRUE(b->catalog.follow());
  EXPECT_EQ(b->keys(), a->keys());
}

// Rows of its own under the same key: an entry cannot be applied, and no half of it is.
TEST_F(SharedCatalog, RowsThatDifferAreSeenAndNothingIsHalfApplied) {
  auto a = machine("a"), b = machine("b");
  a->put("one");
  b->catalog.follow();
  b->catalog.write_local([](Database& db) { db.execute("UPDATE provenance SET sha256 = 'other'"); });
  a->catalog.write([](Database& db) {
    db.execute("INSERT INTO provenance(file, name, url, sha256) VALUES('f','new','','')");
    db.execute("UPDATE provenance SET sha256 = 'mine' WHERE name = 'one'");
  });
  EXPECT_EQ(error_of([&] { b->catalog.follow(); }).kind(), ErrorKind::verification);
  EXPECT_EQ(b->keys(), (std::set<std::string>{"one"}));
}

TEST_F(SharedCatalog, DamagedObjectsAreNamedAndNotTaken) {
  auto a = machine("a"), b = machine("b");
  a->put("one");
  b->catalog.follow();
  a->put("two");
  const std::string key = log_key(2, head().last());
  const std::string good = objects_.get(key)->bytes;
  objects_.damage(key, good + "x");
  const Error error = error_of([&] { b->catalog.follow(); });
  EXPECT_NE(std::string(error.what()).find(key), std::string::npos) << error.what();
  EXPECT_EQ(b->keys(), (std::set<std::string>{"one"}));
  objects_.damage(key, good);
  EXPECT_TRUE(b->catalog.follow());

  const ObjectBytes right = *objects_.get("catalog/head");
  for (const std::string bytes : {"", "{}", "[1]", R"({"format":1,"sequence":-1})", R"({"format":9})"}) {
    objects_.put("catalog/head", bytes);
    error_of([&] { b->catalog.follow(); });
  }
  objects_.remove("catalog/head");
  EXPECT_EQ(error_of([&] { b->catalog.follow(); }).kind(), ErrorKind::verification);
  EXPECT_EQ(error_of([&] { b->put("x"); }).kind(), ErrorKind::verification);
  objects_.put("catalog/head", right.bytes);
  EXPECT_FALSE(b->catalog.follow());
  EXPECT_EQ(b->keys(), a->keys());
}

TEST_F(SharedCatalog, ANewerVersionsCatalogIsNotReadWrong) {
  auto a = machine("a"), b = machine("b");
  a->put("one");
  CatalogHead newer = head();
  newer.schema += 1;
  objects_.put("catalog/head", write_head(newer));
  EXPECT_EQ(error_of([&] { b->catalog.follow(); }).kind(), ErrorKind::refused);
  EXPECT_TRUE(b->keys().empty());
}

// The store fails before or after any operation, at random; what was acknowledged is there at the end, what was refused
// for certain is not, and all copies are alike.
TEST_F(SharedCatalog, UnderAllFailuresNothingAcknowledgedIsLost) {
  for (const unsigned seed : {1u, 2u}) {
    std::mt19937 random(seed);
    TempDir dir;
    MemoryObjects objects(clock_);
    MemoryLease lease;
    std::vector<std::unique_ptr<Machine>> machines;
    const auto start = [&](size_t i) {
      const std::string name = fmt::format("m{}", i);
      return std::make_unique<Machine>(dir.path(), name, objects, lease, clock_,
                                       CatalogLogOptions{.entries_between_bases = 16});
    };
    for (size_t i = 0; i < 3; ++i) machines.push_back(start(i));
    const auto maybe_fail = [&](const std::string&, const std::string&) {
      const auto roll = random() % 30;
      if (roll == 0) throw Error(ErrorKind::network, "fails");
      if (roll == 1) throw std::runtime_error("killed");
      if (roll == 2) lease.take_away();
    };
    std::set<std::string> acknowledged, tried;
    for (int i = 0; i < 200; ++i) {
      const size_t at = random() % 3;
      const std::string key = fmt::format("k{}", i);
      objects.set_before(maybe_fail);
      objects.set_after(maybe_fail);
      try {
        tried.insert(key);
        machines[at]->put(key);
        acknowledged.insert(key);
      } catch (const Error&) {
      } catch (const std::runtime_error&) {
        machines[at].reset();  // started again with what is on its disk
        machines[at] = start(at);
      }
      try {
        const size_t other = random() % 3;
        machines[other]->catalog.follow();
        if (machines[other]->log.base_is_due()) machines[other]->make_base(dir.path() / fmt::format("m{}", other));
        if (random() % 20 == 0) machines[other]->log.tidy(clock_.wall_ms() - 20);
      } catch (const std::exception&) {
      }
    }
    objects.set_before({});
    objects.set_after({});
    for (auto& one : machines) {
      one->catalog.follow();
      const std::set<std::string> keys = one->keys();
      EXPECT_TRUE(std::ranges::includes(keys, acknowledged)) << "seed " << seed;
      EXPECT_TRUE(std::ranges::includes(tried, keys)) << "seed " << seed;
      EXPECT_EQ(keys, machines[0]->keys()) << "seed " << seed;
    }
    EXPECT_GT(acknowledged.size(), 60u);
    EXPECT_LT(acknowledged.size(), 200u);
  }
}

}  // namespace
}  // namespace dae::mirror
