#include "base/sqlite.h"

#include <gtest/gtest.h>

#include <thread>

#include "base/error.h"

namespace dae {
namespace {

class SqliteTest : public ::testing::Test {
 protected:
  Path file() const { return dir_.path() / "sub" / "state.db"; }
  std::vector<std::string> schema_ = {"CREATE TABLE kv (k TEXT PRIMARY KEY, v)"};
  TempDir dir_;
};

int64_t count(Database& db) {
  auto statement = db.prepare("SELECT count(*) FROM kv");
  statement.step();
  return statement.integer(0);
}

TEST_F(SqliteTest, KeepsTextNumbersBlobsAndNull) {
  auto db = Database::open(file(), schema_);
  auto insert = db.prepare("INSERT INTO kv VALUES (?, ?)");
  insert.bind(1, "text").bind(2, "grüß").run();
  insert.bind(1, "number").bind(2, int64_t{-5'000'000'000}).run();
  insert.bind(1, "blob").bind_blob(2, std::string("a\0b", 3)).run();
  insert.bind(1, "null").bind_null(2).run();
  insert.bind(1, "empty").bind(2, std::string_view()).run();
  auto select = db.prepare("SELECT v FROM kv WHERE k = ?");
  const auto row = [&](const char* key) -> Statement& {
    select.reset();
    EXPECT_TRUE(select.bind(1, key).step());
    return select;
  };
  EXPECT_EQ(row("text").text(0), "grüß");
  EXPECT_EQ(row("number").integer(0), -5'000'000'000);
  EXPECT_EQ(row("blob").blob(0), std::string("a\0b", 3));
  EXPECT_TRUE(row("null").is_null(0));
  EXPECT_FALSE(row("empty").is_null(0));
  EXPECT_EQ(db.changes(), 1);
  EXPECT_EQ(db.last_insert_id(), 5);
}

TEST_F(SqliteTest, IsThereAgainAfterItWasClosed) {
  Database::open(file(), schema_).execute("INSERT INTO kv VALUES ('a', 1)");
  auto db = Database::open(file(), schema_);
  EXPECT_EQ(count(db), 1);
}

TEST_F(SqliteTest, RollsBackWhenTheBodyThrows) {
  auto db = Database::open(file(), schema_);
  EXPECT_THROW(db.transaction([&] {
    db.execute("INSERT INTO kv VALUES ('a', 1)");
    throw Error(ErrorKind::failed, "no");
  }),
               Error);
  EXPECT_EQ(count(db), 0);
  db.transaction([&] { db.execute("INSERT INTO kv VALUES ('a', 1)"); });
  EXPECT_EQ(count(db), 1);
}

TEST_F(SqliteTest, MigratesFromWhereTheFileIs) {
  Database::open(file(), schema_).execute("INSERT INTO kv VALUES ('a', 1)");
  schema_.push_back("ALTER TABLE kv ADD COLUMN extra INTEGER DEFAULT 7; CREATE TABLE more (x)");
  auto db = Database::open(file(), schema_);
  auto statement = db.prepare("SELECT extra FROM kv");
  ASSERT_TRUE(statement.step());
  EXPECT_EQ(statement.integer(0), 7);
}

TEST_F(SqliteTest, LeavesTheFileAsItWasWhenAMigrationFails) {
  Database::open(file(), schema_);
  auto broken = schema_;
  broken.push_back("CREATE TABLE half (x); NOT SQL");
  EXPECT_THROW(Database::open(file(), broken), Error);
  schema_.push_back("CREATE TABLE half (x)");
  EXPECT_NO_THROW(Database::open(file(), schema_));
}

TEST_F(SqliteTest, RefusesAFileOfANewerVersion) {
  Database::open(file(), {schema_[0], "CREATE TABLE b (x)"});
  try {
    Database::open(file(), schema_);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::refused);
    EXPECT_EQ(error.subject(), file().string());
  }
}

TEST_F(SqliteTest, SaysThatAFileIsNoDatabase) {
  make_dirs(file().parent_path());
  write_file_atomic(file(), std::string(5000, 'x'));
  try {
    Database::open(file(), schema_);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::bad_input);
  }
}

TEST_F(SqliteTest, TellsAConflictFromOtherFailures) {
  auto db = Database::open(":memory:", schema_);
  db.execute("INSERT INTO kv VALUES ('a', 1)");
  auto insert = db.prepare("INSERT INTO kv VALUES (?, 1)");
  try {
    insert.bind(1, "a").run();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::refused);
    EXPECT_NE(std::string(error.what()).find("UNIQUE"), std::string::npos);
  }
  EXPECT_NO_THROW(insert.bind(1, "b").run()) << "the statement can be used again";
}

TEST_F(SqliteTest, LetsManyOpenMigrateAndWriteAtOnce) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 6; ++t) {
    threads.emplace_back([&, t] {
      auto db = Database::open(file(), schema_);
      auto insert = db.prepare("INSERT INTO kv VALUES (?, 1)");
      for (int i = 0; i < 10; ++i) {
        db.transaction([&] { insert.bind(1, std::to_string(t * 100 + i)).run(); });
      }
    });
  }
  for (auto& thread : threads) thread.join();
  auto db = Database::open(file(), schema_);
  EXPECT_EQ(count(db), 60);
}

}  // namespace
}  // namespace dae
