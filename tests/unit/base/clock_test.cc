#include "base/clock.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace dae {
namespace {

constexpr int64_t kMoment = 1'795'221'088'250;  // 2026-11-21T00:31:28.250Z

TEST(Clock, WritesAndReadsRfc3339) {
  EXPECT_EQ(format_utc(kMoment), "2026-11-21T00:31:28Z");
  EXPECT_EQ(format_utc(kMoment, true), "2026-11-21T00:31:28.250Z");
  EXPECT_EQ(parse_utc("2026-11-21T00:31:28.250Z"), kMoment);
  EXPECT_EQ(parse_utc("2026-11-21T01:31:28.25+01:00"), kMoment);
  EXPECT_EQ(parse_utc("2026-11-20 19:31:28.250999-0500"), kMoment);
  EXPECT_EQ(format_utc(-1, true), "1969-12-31T23:59:59.999Z");
}

TEST(Clock, ReadsBackEveryDayOfFourCenturies) {
  for (int64_t day = -80'000; day < 80'000; day += 37) {
    const int64_t ms = day * 86'400'000 + 12'345;
    EXPECT_EQ(parse_utc(format_utc(ms, true)), ms);
  }
}

TEST(Clock, RefusesWhatIsNoTime) {
  for (const char* text : {"", "2026-11-21", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-01-01T24:00:00Z",
                           "2026-01-01T00:00:00", "2026-01-01T00:00:00Zx", "2026-01-01T00:00:00+25:00"}) {
    EXPECT_THROW(parse_utc(text), Error) << text;
  }
}

TEST(Clock, SpeaksHttpDatesInAllThreeForms) {
  EXPECT_EQ(format_http_date(784'111'777'000), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT"), 784'111'777'000);
  EXPECT_EQ(parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT"), 784'111'777'000);
  EXPECT_EQ(parse_http_date("Sun Nov  6 08:49:37 1994"), 784'111'777'000);
  for (const char* text : {"", "yesterday", "Sun, 06 Nov 1994 08:49:37", "Sun, 31 Feb 1994 08:49:37 GMT", "Sun"}) {
    EXPECT_EQ(parse_http_date(text), -1) << text;
  }
}

TEST(Clock, ReadsDurations) {
  EXPECT_EQ(parse_duration_ms("250ms"), 250);
  EXPECT_EQ(parse_duration_ms("30s"), 30'000);
  EXPECT_EQ(parse_duration_ms(" 1.5 h "), 5'400'000);
  EXPECT_EQ(parse_duration_ms("7d"), 604'800'000);
  EXPECT_EQ(parse_duration_ms("0s"), 0);
  for (const char* text : {"", "5", "s", "-1s", "1.2.3s", ".s", "5 parsecs", "99999999999999d"}) {
    EXPECT_THROW(parse_duration_ms(text), Error) << text;
  }
}

TEST(Clock, WritesForPeople) {
  EXPECT_EQ(format_duration(12), "12 ms");
  EXPECT_EQ(format_duration(1400), "1.4 s");
  EXPECT_EQ(format_duration(59'960), "1 m 0 s");
  EXPECT_EQ(format_duration(130'000), "2 m 10 s");
  EXPECT_EQ(format_duration(3'725'000), "1 h 2 m");
  EXPECT_EQ(format_duration(-1400), "-1.4 s");
  EXPECT_EQ(format_bytes(0), "0 B");
  EXPECT_EQ(format_bytes(1023), "1023 B");
  EXPECT_EQ(format_bytes(2200), "2.1 KiB");
  EXPECT_EQ(format_bytes(41 * 1024), "41 KiB");
  EXPECT_EQ(format_bytes(1024 * 1024 - 1), "1.0 MiB");
}

TEST(ManualClock, MovesOnlyWhenToldTo) {
  ManualClock clock(1000);
  EXPECT_EQ(clock.wall_ms(), 1000);
  clock.sleep_ms(50);
  clock.advance_ms(-20);
  EXPECT_EQ(clock.wall_ms(), 1050);
  EXPECT_EQ(clock.monotonic_ms(), 1050);
}

}  // namespace
}  // namespace dae
