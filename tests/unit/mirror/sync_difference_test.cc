#include "mirror/sync/difference.h"

#include <gtest/gtest.h>

namespace dae::mirror::sync {
namespace {

UpstreamList list_of(const std::vector<std::pair<std::string, int64_t>>& projects) {
  UpstreamList list;
  for (const auto& [name, serial] : projects) list.add(name, serial);
  list.sort();
  return list;
}

std::string text_of(const Difference& difference) {
  static const char* const signs[] = {"+", "~", "-", "="};
  std::string out;
  for (const Task& task : difference.tasks) out += signs[static_cast<int>(task.kind)] + task.project + " ";
  return out;
}

TEST(SyncDifference, FindsNewChangedAndRemovedInOnePass) {
  const UpstreamList list = list_of({{"d", 9}, {"a", 1}, {"b", 5}, {"e", 4}});
  Differ differ(list, false, false);
  differ.known("b", 4, true);
  differ.known("c", 3, true);
  differ.known("d", 9, true);
  const Difference difference = differ.finish();
  EXPECT_EQ(text_of(difference), "+a ~b -c +e ");
  EXPECT_EQ(difference.unchanged, 1u);
  EXPECT_EQ(difference.kept, 3u);
}

TEST(SyncDifference, LooksAtWhateverHasNoSerial) {
  const UpstreamList list = list_of({{"a", 0}, {"b", 5}});
  Differ differ(list, false, false);
  differ.known("a", 7, true);
  differ.known("b", 0, true);
  EXPECT_EQ(text_of(differ.finish()), "~a ~b ");
}

TEST(SyncDifference, LooksAtAllWhenToldTo) {
  const UpstreamList list = list_of({{"a", 3}});
  Differ differ(list, true, false);
  differ.known("a", 3, true);
  EXPECT_EQ(text_of(differ.finish()), "~a ");
}

TEST(SyncDifference, TakesAPageNewerThanTheListForUnchanged) {
  const UpstreamList list = list_of({{"a", 3}});
  Differ differ(list, false, true);
  differ.known("a", 4, true);
  EXPECT_EQ(text_of(differ.finish()), "=a ");
}

TEST(SyncDifference, DoesNotRemoveWhatIsGoneAlready) {
  const UpstreamList list = list_of({{"b", 6}});
  Differ differ(list, false, false);
  differ.known("a", 3, false);
  differ.known("b", 5, false);
  EXPECT_EQ(text_of(differ.finish()), "+b ");
}

TEST(SyncDifference, KnowsAProjectListedTwiceByItsHighestSerial) {
  const UpstreamList list = list_of({{"a", 3}, {"b", 1}, {"a", 8}});
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(list.serial(0), 8);
}

}  // namespace
}  // namespace dae::mirror::sync
