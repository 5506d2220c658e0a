// Locks of two branches: merged, or with version control's conflict markers in them.
#include "resolver/lock/merge.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "resolver/lock/conflict_markers.h"

namespace dae::resolver {
namespace {

Lock lock_of(const std::vector<std::pair<std::string, std::string>>& pins) {
  Lock lock;
  lock.input_digest = "sha256:" + std::string(64, '0');
  for (const auto& [name, version] : pins) {
    LockedPackage package;
    package.name = name;
    package.version = version;
    LockedFile wheel;
    wheel.name = name + "-" + version + "-py3-none-any.whl";
    wheel.url = "https://files.example/" + wheel.name;
    wheel.sha256 = std::string(64, 'a');
    package.wheels = {wheel};
    lock.packages.push_back(package);
  }
  return lock;
}

std::string pins(const Lock& lock) {
  std::string out;
  for (const LockedPackage& package : lock.packages) out += package.name + " " + package.version + "\n";
  return out;
}

const Lock kBase = lock_of({{"a", "1"}, {"b", "1"}, {"c", "1"}});

TEST(LockMerge, TakesWhatOneSideAloneChanged) {
  const LockMerge merged = merge_locks(kBase, lock_of({{"a", "2"}, {"b", "1"}, {"c", "1"}}),
                                       lock_of({{"a", "1"}, {"b", "0.9"}, {"d", "1"}}));
  EXPECT_EQ(pins(merged.lock), "a 2\nb 0.9\nd 1\n");
  EXPECT_TRUE(merged.needs_lock);
  EXPECT_TRUE(merged.lock.input_digest.empty());
  EXPECT_TRUE(merged.both_changed.empty());
}

TEST(LockMerge, TakesTheHigherOfTwoChanges) {
  const Lock one = lock_of({{"a", "2"}, {"b", "1"}, {"c", "1"}}),
             other = lock_of({{"a", "10"}, {"b", "1"}, {"c", "1"}});
  EXPECT_EQ(pins(merge_locks(kBase, one, other).lock), "a 10\nb 1\nc 1\n");
  EXPECT_EQ(pins(merge_locks(kBase, other, one).lock), "a 10\nb 1\nc 1\n");
  EXPECT_EQ(merge_locks(kBase, one, other).both_changed, (std::vector<std::string>{"a"}));
}

TEST(LockMerge, IsOneSideAsItIsWhereTheOtherChangedNothing) {
  const Lock changed = lock_of({{"a", "2"}});
  for (const auto& [ours, theirs] :
       {std::pair(kBase, changed), std::pair(changed, kBase), std::pair(changed, changed)}) {
    const LockMerge merged = merge_locks(kBase, ours, theirs);
    EXPECT_FALSE(merged.needs_lock);
    EXPECT_EQ(render_lock(merged.lock), render_lock(changed));
  }
}

TEST(LockMerge, JoinsTargetsAndGroupsOfBoth) {
  Lock base = kBase, ours = lock_of({{"a", "2"}}), theirs = kBase;
  ours.dependency_groups = {"docs"};
  theirs.dependency_groups = {"lint"};
  base.extras = ours.extras = {"old"};
  const Lock merged = merge_locks(base, ours, theirs).lock;
  EXPECT_EQ(merged.dependency_groups, (std::vector<std::string>{"docs", "lint"}));
  EXPECT_TRUE(merged.extras.empty());
  EXPECT_NO_THROW(parse_lock(render_lock(merged), "pylock.toml"));
}

// What git would leave of two locks that differ in the lines of one package and in the digest.
std::string conflicted(bool diff3) {
  std::string out =
      "lock-version = \"1.0\"\nextras = []\ndependency-groups = []\ndefault-groups = []\ncreated-by = \"dae\"\n";
  const auto block = [](const std::string& name, const std::string& version) {
    return "version = \"" + version + "\"\nwheels = [\n    {name = \"" + name + "-" + version +
           "-py3-none-any.whl\", url = \"https://x.example/" + name + "-" + version +
           "-py3-none-any.whl\", hashes = {sha256 = \"" + std::string(64, 'a') + "\"}},\n]\n";
  };
  out += "\n[[packages]]\nname = \"a\"\n<<<<<<< HEAD\n" + block("a", "2");
  if (diff3) out += "||||||| 1234567\n" + block("a", "1");
  out += "=======\n" + block("a", "1.5") + ">>>>>>> branch\n";
  out += "\n[[packages]]\nname = \"b\"\n<<<<<<< HEAD\n" + block("b", "3");
  if (diff3) out += "||||||| 1234567\n" + block("b", "3");
  return out + "=======\n" + block("b", "2") +
         ">>>>>>> branch\n\n[tool.dae]\ninput-digest = \"sha256:" + std::string(64, '0') + "\"\ntargets = [\n]\n";
}

TEST(ConflictMarkers, AreSeenOnlyWhereALineStartsWithThem) {
  EXPECT_TRUE(has_conflict_markers(conflicted(false)));
  EXPECT_FALSE(has_conflict_markers(render_lock(kBase)));
  EXPECT_FALSE(has_conflict_markers("a = \"<<<<<<< x\"\n"));
}

TEST(ConflictMarkers, LeaveThePinsOfBothSides) {
  bool mended = false;
  const Lock merged = parse_previous_lock(conflicted(false), "pylock.toml", &mended);
  EXPECT_TRUE(mended);
  EXPECT_EQ(pins(merged), "a 2\nb 3\n");  // nothing says what was there before: the higher ones
  EXPECT_TRUE(merged.input_digest.empty());
  EXPECT_EQ(pins(parse_previous_lock(conflicted(true), "pylock.toml")), "a 2\nb 2\n");  // `b` was changed by one side
  EXPECT_EQ(pins(parse_previous_lock(render_lock(kBase), "pylock.toml", &mended)), "a 1\nb 1\nc 1\n");
  EXPECT_FALSE(mended);
}

TEST(ConflictMarkers, MayCutAPackageInTwo) {
  std::string text = conflicted(false);
  text.insert(text.find(">>>>>>> branch"), "[[packages]]\nname = \"half\"\nversion = \"7\"\n");
  EXPECT_EQ(pins(parse_previous_lock(text, "pylock.toml")), "a 2\nb 3\nhalf 7\n");
}

TEST(ConflictMarkers, WithoutTheirCounterpartAreAnErrorWithItsLine) {
  const auto refusal = [](const std::string& text) -> std::string {
    try {
      parse_previous_lock(text, "pylock.toml");
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  std::string text = conflicted(false);
  EXPECT_NE(refusal(text.substr(0, text.find("======="))).find("pylock.toml:9:1"), std::string::npos);
  EXPECT_NE(refusal("<<<<<<< a\n<<<<<<< b\n").find("pylock.toml:2:1"), std::string::npos);
  EXPECT_NE(refusal("<<<<<<< a\n>>>>>>> b\n").find("`>>>>>>>`"), std::string::npos);
}

TEST(ConflictMarkers, DoNotHideALockFromTheFuture) {
  std::string text = conflicted(false);
  text.replace(text.find("1.0"), 3, "2.0");
  EXPECT_THROW(parse_previous_lock(text, "pylock.toml"), Error);
}

}  // namespace
}  // namespace dae::resolver
