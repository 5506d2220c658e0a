#include "base/dir.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace dae {
namespace {

class DirTest : public ::testing::Test {
 protected:
  TempDir temp_;
  Dir dir_ = Dir::open(temp_.path());
};

TEST_F(DirTest, WritesNewFilesAndLeavesWhatIsThere) {
  EXPECT_EQ(dir_.write_new("a", "one", 0444), Dir::Linked::done);
  EXPECT_EQ(dir_.write_new("a", "two", 0444), Dir::Linked::taken);
  EXPECT_EQ(dir_.write_new("no/a", "two", 0444), Dir::Linked::no_such_dir);
  EXPECT_EQ(read_file(temp_.path() / "a"), "one");
  EXPECT_EQ(dir_.info("a")->mode & 0777, 0444u);
}

TEST_F(DirTest, LinksCopiesAndSaysWhenANameIsTaken) {
  dir_.write_new("a", "bytes", 0644);
  EXPECT_TRUE(dir_.make_dir("sub"));
  EXPECT_FALSE(dir_.make_dir("sub"));
  EXPECT_EQ(dir_.hard_link("a", dir_, "sub/linked"), Dir::Linked::done);
  EXPECT_EQ(dir_.hard_link("a", dir_, "sub/linked"), Dir::Linked::taken);
  EXPECT_EQ(dir_.info("a")->inode, dir_.info("sub/linked")->inode);
  EXPECT_EQ(dir_.copy("a", dir_, "sub/copied", {0600, 0700}), Dir::Linked::done);
  EXPECT_EQ(read_file(temp_.path() / "sub/copied"), "bytes");
  const Dir::Linked shared = dir_.reflink("a", dir_, "sub/shared", {0644, 0755});
  EXPECT_EQ(shared == Dir::Linked::done, exists(temp_.path() / "sub/shared")) << "what cannot be shared leaves nothing";
  EXPECT_EQ(dir_.symlink("a", "link"), Dir::Linked::done);
  EXPECT_EQ(dir_.read_link("link"), "a");
  EXPECT_EQ(dir_.read_link("a"), std::nullopt);
  EXPECT_EQ(dir_.list("sub").front(), "copied");
}

TEST_F(DirTest, CopiesEverySizeWhole) {
  // On both sides of the buffer and of what is left to the kernel.
  for (const size_t size_bytes : {0u, 1u, 131071u, 131072u, 131073u, 1048575u, 1048577u, 3000000u}) {
    std::string bytes(size_bytes, 'x');
    for (size_t i = 0; i < bytes.size(); i += 977) bytes[i] = static_cast<char>(i);
    const std::string name = "of" + std::to_string(size_bytes), copied = name + ".copy";
    dir_.write_new(name.c_str(), bytes, size_bytes % 2 == 0 ? 0444 : 0555);
    EXPECT_EQ(dir_.copy(name.c_str(), dir_, copied.c_str(), {0600, 0700}), Dir::Linked::done);
    EXPECT_EQ(read_file(temp_.path() / copied), bytes) << size_bytes;
    EXPECT_EQ(dir_.info(copied.c_str())->mode & 0777, size_bytes % 2 == 0 ? 0600u : 0700u);
  }
}

TEST_F(DirTest, ExchangesALinkForADirectoryInOneStep) {
  dir_.make_dir("real");
  dir_.write_new("real/inside", "x", 0644);
  dir_.symlink("elsewhere", "name");
  if (!dir_.exchange("real", "name")) GTEST_SKIP() << "this file system exchanges nothing";
  EXPECT_TRUE(exists(temp_.path() / "name/inside"));
  EXPECT_EQ(dir_.read_link("real"), "elsewhere");
  EXPECT_FALSE(dir_.remove_dir("name")) << "not empty";
  EXPECT_TRUE(dir_.remove("name/inside"));
  EXPECT_TRUE(dir_.remove_dir("name"));
  EXPECT_FALSE(dir_.remove("name"));
}

TEST_F(DirTest, NamesThePathThatFailed) {
  dir_.make_dir("a");
  try {
    dir_.rename("none", "other");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.subject(), (temp_.path() / "none").string());
  }
  EXPECT_THROW(Dir::open(temp_.path() / "none"), Error);
}

TEST_F(DirTest, SharedLocksExcludeOnlyTheExclusiveOne) {
  const Path path = temp_.path() / "lock";
  const FileLock one = FileLock::acquire_shared(path);
  const FileLock two = FileLock::acquire_shared(path);
  EXPECT_FALSE(FileLock::try_acquire(path).has_value());
}

}  // namespace
}  // namespace dae
