// Lifetimes of answers as RFC 9111 counts them.
#include "resolver/source/freshness.h"

#include <gtest/gtest.h>

#include "base/clock.h"

namespace dae::resolver {
namespace {

constexpr int64_t kNow = 1'795'219'200'000;

int64_t seconds_left(const Headers& headers) {
  return (freshness_of(headers, kNow, kHeuristicFreshMs).fresh_until_ms - kNow) / 1000;
}

TEST(FreshnessOfAnswers, MaxAgeIsLessWhatCachesAndClocksSayHasPassed) {
  EXPECT_EQ(seconds_left({{"Cache-Control", "public, max-age=600"}}), 600);
  EXPECT_EQ(seconds_left({{"Cache-Control", "max-age=600"}, {"Age", "100"}}), 500);
  EXPECT_EQ(seconds_left({{"Cache-Control", "max-age=600"}, {"Date", format_http_date(kNow - 200'000)}}), 400);
  EXPECT_EQ(
      seconds_left({{"Cache-Control", "max-age=600"}, {"Age", "300"}, {"Date", format_http_date(kNow - 200'000)}}),
      300);
  EXPECT_EQ(seconds_left({{"Cache-Control", "max-age=600"}, {"Date", format_http_date(kNow + 900'000)}}), 600)
      << "a clock ahead of ours adds nothing";
}

TEST(FreshnessOfAnswers, MaxAgeGoesBeforeExpiresAndTheFirstOfTwoCounts) {
  EXPECT_EQ(seconds_left({{"Cache-Control", "max-age=5"}, {"Expires", format_http_date(kNow + 900'000)}}), 5);
  EXPECT_EQ(seconds_left({{"Cache-Control", "max-age=5, max-age=50"}}), 5);
  EXPECT_EQ(seconds_left({{"Expires", format_http_date(kNow + 900'000)}}), 900);
  EXPECT_LE(seconds_left({{"Expires", "0"}}), 0);
  EXPECT_LE(seconds_left({{"Cache-Control", "max-age=soon"}}), 0);
}

TEST(FreshnessOfAnswers, SomeMayNotBeStoredOrNotBeUsedStale) {
  EXPECT_FALSE(freshness_of({{"Cache-Control", "max-age=60, no-store"}}, kNow, 0).may_store);
  const Freshness checked = freshness_of({{"Cache-Control", "no-cache, max-age=60"}}, kNow, 0);
  EXPECT_TRUE(checked.may_store);
  EXPECT_TRUE(checked.must_revalidate);
  EXPECT_LE(checked.fresh_until_ms, kNow);
  EXPECT_TRUE(freshness_of({{"Cache-Control", "max-age=60, Must-Revalidate"}}, kNow, 0).must_revalidate);
  EXPECT_FALSE(freshness_of({{"Cache-Control", "private, immutable, max-age=60"}}, kNow, 0).must_revalidate);
}

TEST(FreshnessOfAnswers, WithoutALifetimeOnlyAnAnswerWithoutAValidatorIsTakenToBeFresh) {
  EXPECT_EQ(seconds_left({}), kHeuristicFreshMs / 1000);
  EXPECT_LE(seconds_left({{"ETag", "\"x\""}}), 0);
}

}  // namespace
}  // namespace dae::resolver
