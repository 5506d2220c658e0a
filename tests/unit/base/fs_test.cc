#include "base/fs.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <thread>

#include "base/error.h"

namespace dae {
namespace {

class FsTest : public ::testing::Test {
 protected:
  Path at(const std::string& name) const { return dir_.path() / name; }
  TempDir dir_;
};

ErrorKind kind_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.kind();
  }
  return ErrorKind::interrupted;
}

TEST_F(FsTest, ReplacesAFileSoThatReadersSeeOldOrNew) {
  const std::string old_bytes(300'000, 'a'), new_bytes(300'000, 'b');
  write_file_atomic(at("f"), old_bytes);
  std::atomic<bool> stop{false};
  std::thread reader([&] {
    while (!stop) {
      const std::string seen = read_file(at("f"));
      EXPECT_TRUE(seen == old_bytes || seen == new_bytes);
    }
  });
  for (int i = 0; i < 50; ++i) write_file_atomic(at("f"), i % 2 ? old_bytes : new_bytes, 0644, Durability::none);
  stop = true;
  reader.join();
  EXPECT_EQ(list_dir(dir_.path()), std::vector<std::string>{"f"});
}

TEST_F(FsTest, WritesWithExactlyTheModeAskedFor) {
  const mode_t before = ::umask(077);
  write_file_atomic(at("f"), "x", 0644);
  ::umask(before);
  EXPECT_EQ(file_info(at("f"))->mode & 07777, 0644u);
}

TEST_F(FsTest, LeavesNothingBehindWhenAReplaceFails) {
  make_dirs(at("d/sub"));
  EXPECT_THROW(write_file_atomic(at("d"), "x"), Error);
  EXPECT_EQ(list_dir(dir_.path()), std::vector<std::string>{"d"});
}

TEST_F(FsTest, NeverReadsMoreThanTheLimit) {
  write_file_atomic(at("f"), "12345");
  EXPECT_EQ(read_file(at("f"), 5), "12345");
  EXPECT_EQ(kind_of([&] { read_file(at("f"), 4); }), ErrorKind::bad_input);
  EXPECT_EQ(kind_of([&] { read_file("/dev/zero", 1000); }), ErrorKind::bad_input);
  EXPECT_FALSE(read_file("/proc/self/stat").empty()) << "its size says 0";
}

TEST_F(FsTest, TellsAMissingFileFromAnUnreadableOne) {
  EXPECT_EQ(kind_of([&] { read_file(at("f")); }), ErrorKind::not_found);
  EXPECT_FALSE(read_file_if_exists(at("f")));
  EXPECT_EQ(kind_of([&] { read_file(dir_.path()); }), ErrorKind::io);
  EXPECT_FALSE(file_info(at("f/g")));
  EXPECT_TRUE(list_dir(at("f")).empty());
}

TEST_F(FsTest, AppendsAndReadsTheTail) {
  EXPECT_EQ(read_file_tail(at("log"), 100), "");
  append_file(at("log"), "one\n");
  append_file(at("log"), "two\n");
  EXPECT_EQ(read_file_tail(at("log"), 100), "one\ntwo\n");
  EXPECT_EQ(read_file_tail(at("log"), 4), "two\n");
  EXPECT_EQ(read_file_tail(at("log"), 100, 4), "two\n");
  EXPECT_EQ(read_file_tail(at("log"), 100, 8), "");
  truncate_file(at("log"));
  append_file(at("log"), "new\n");
  EXPECT_EQ(read_file_tail(at("log"), 100, 8), "new\n") << "a shorter file was rotated";
}

TEST_F(FsTest, MakesDirectoriesAndRefusesAFileInTheWay) {
  make_dirs(at("a/b/c"));
  make_dirs(at("a/b/c"));
  EXPECT_TRUE(file_info(at("a/b/c"))->is_dir());
  write_file_atomic(at("f"), "");
  EXPECT_THROW(make_dirs(at("f")), Error);
  EXPECT_THROW(make_dirs(at("f/g")), Error);
}

TEST_F(FsTest, RemovesTreesWithReadOnlyDirectoriesAndFollowsNoLink) {
  make_dirs(at("outside"));
  write_file_atomic(at("outside/kept"), "x");
  make_dirs(at("tree/a/b"));
  write_file_atomic(at("tree/a/b/f"), "x", 0444);
  std::filesystem::create_symlink(at("outside"), at("tree/a/link"));
  set_mode(at("tree/a/b"), 0555);
  set_mode(at("tree/a"), 0);
  remove_all(at("tree"));
  EXPECT_FALSE(exists(at("tree")));
  EXPECT_TRUE(exists(at("outside/kept")));
  remove_all(at("tree"));
  std::filesystem::create_symlink(at("outside"), at("link"));
  remove_all(at("link"));
  EXPECT_TRUE(exists(at("outside/kept")));
  EXPECT_FALSE(remove_file(at("link")));
}

TEST_F(FsTest, SwitchesALinkAtomically) {
  symlink_atomic("one", at("link"));
  symlink_atomic("two", at("link"));
  EXPECT_EQ(read_link(at("link")), "two");
  EXPECT_FALSE(exists(at("link"))) << "exists() follows links";
  EXPECT_TRUE(file_info(at("link"))->is_symlink());
  EXPECT_FALSE(read_link(dir_.path()));
  EXPECT_EQ(list_dir(dir_.path()), std::vector<std::string>{"link"});
}

TEST_F(FsTest, LinksWhereItCanAndCopiesWhereItMust) {
  write_file_atomic(at("f"), "x", 0755);
  link_or_copy(at("f"), at("g"));
  EXPECT_EQ(file_info(at("f"))->inode, file_info(at("g"))->inode);
  EXPECT_THROW(link_or_copy(at("f"), at("g")), Error);
  copy_file(at("f"), at("h"), 0600);
  EXPECT_NE(file_info(at("f"))->inode, file_info(at("h"))->inode);
  EXPECT_EQ(file_info(at("h"))->mode & 07777, 0600u);
  copy_file(at("f"), at("h"));
  EXPECT_EQ(read_file(at("h")), "x");
  const TempDir elsewhere("dae-", "/dev/shm");
  link_or_copy(at("f"), elsewhere.path() / "f");
  EXPECT_EQ(file_info(elsewhere.path() / "f")->mode & 07777, 0755u);
  EXPECT_EQ(read_file(elsewhere.path() / "f"), "x");
}

TEST_F(FsTest, WalksInOneOrderAndPrunes) {
  for (const char* name : {"b/x", "a/y/z", "a/b", "c"}) {
    make_dirs(at(name).parent_path());
    write_file_atomic(at(name), "");
  }
  std::filesystem::create_symlink("a", at("link"));
  std::vector<std::string> seen;
  for (const auto& entry : walk_tree(dir_.path())) seen.push_back(entry.relative);
  EXPECT_EQ(seen, (std::vector<std::string>{"a", "a/b", "a/y", "a/y/z", "b", "b/x", "c", "link"}));
  seen.clear();
  for (const auto& entry : walk_tree(dir_.path(), [](const WalkEntry& e) { return e.relative != "a"; })) {
    seen.push_back(entry.relative);
  }
  EXPECT_EQ(seen, (std::vector<std::string>{"b", "b/x", "c", "link"}));
}

TEST_F(FsTest, TakesItsTemporaryDirectoryAway) {
  Path path, kept;
  {
    TempDir first("x-", dir_.path()), second("x-", dir_.path());
    path = first.path();
    make_dirs(path / "a");
    kept = second.release();
  }
  EXPECT_FALSE(exists(path));
  EXPECT_TRUE(exists(kept));
}

TEST_F(FsTest, LocksBetweenHolders) {
  auto first = FileLock::try_acquire(at("lock"));
  ASSERT_TRUE(first);
  EXPECT_FALSE(FileLock::try_acquire(at("lock")));
  EXPECT_EQ(read_file(at("lock")), std::to_string(getpid()) + "\n");
  int holder = 0;
  std::atomic<bool> waiting{false};
  std::thread second([&] {
    const auto lock = FileLock::acquire(at("lock"), [&](int pid) {
      holder = pid;
      waiting = true;
    });
  });
  while (!waiting) std::this_thread::yield();
  first.reset();
  second.join();
  EXPECT_EQ(holder, getpid());
  EXPECT_TRUE(FileLock::try_acquire(at("lock")));
}

TEST(Environment, TakesAnEmptyVariableForNone) {
  ::setenv("DAE_TEST_EMPTY", "", 1);
  EXPECT_FALSE(env_var("DAE_TEST_EMPTY"));
  ::unsetenv("DAE_TEST_EMPTY");
}

TEST(Environment, FindsItsPlaces) {
  ::setenv("DAE_CACHE_DIR", "/x/cache", 1);
  EXPECT_EQ(cache_dir(), "/x/cache");
  ::unsetenv("DAE_CACHE_DIR");
  ::setenv("XDG_CACHE_HOME", "/x/xdg", 1);
  EXPECT_EQ(cache_dir(), "/x/xdg/dae");
  ::setenv("XDG_CACHE_HOME", "relative", 1);
  EXPECT_EQ(cache_dir(), home_dir() / ".cache/dae");
  ::unsetenv("XDG_CACHE_HOME");
}

}  // namespace
}  // namespace dae
