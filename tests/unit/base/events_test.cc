#include "base/events.h"

#include <gtest/gtest.h>

#include "base/clock.h"
#include "base/strings.h"
#include "base/value.h"

namespace dae {
namespace {

struct RecordingSink final : EventSink {
  void emit(const Event& event) override { events.push_back(event); }
  std::vector<Event> events;
};

TEST(Activity, GoesFromStartToFinishUnderOneNumber) {
  RecordingSink sink;
  {
    Activity activity(sink, "downloading", "flask.whl", 100, true);
    activity.progress(50);
    activity.finish("downloaded");
    activity.finish("again");
  }
  ASSERT_EQ(sink.events.size(), 3u);
  EXPECT_EQ(sink.events[0].type, EventType::start);
  EXPECT_EQ(sink.events[1].done, 50u);
  EXPECT_EQ(sink.events[2].type, EventType::finish);
  EXPECT_EQ(sink.events[2].text, "downloaded");
  EXPECT_FALSE(sink.events[2].failed);
  for (const Event& event : sink.events) EXPECT_EQ(event.activity, sink.events[0].activity);
}

TEST(Activity, FailsWhenItIsLeftWithoutAFinish) {
  RecordingSink sink;
  { Activity activity(sink, "unpacking"); }
  ASSERT_EQ(sink.events.size(), 2u);
  EXPECT_TRUE(sink.events[1].failed);
}

TEST(Activity, ReportsProgressSparingly) {
  RecordingSink sink;
  Activity activity(sink, "counting", "", 100'000);
  for (uint64_t i = 0; i < 100'000; ++i) activity.progress(i);
  activity.finish();
  EXPECT_LT(sink.events.size(), 100u);
  EXPECT_EQ(sink.events.back().done, 99'999u) << "the end tells the last count";
}

std::string shown(ProgressStyle style, const std::function<void(EventSink&)>& body) {
  ::testing::internal::CaptureStderr();
  {
    const auto sink = make_progress_sink(style);
    body(*sink);
  }
  return ::testing::internal::GetCapturedStderr();
}

void quick_work(EventSink& sink) {
  Activity activity(sink, "resolving");
  note(sink, "using the lock");
  warning(sink, "one file is\x1b[31m yanked");
  activity.finish();
}

TEST(ProgressSink, StaysSilentAboutQuickWork) {
  EXPECT_EQ(shown(ProgressStyle::lines, quick_work), "using the lock\nwarning: one file is [31m yanked\n");
  EXPECT_EQ(shown(ProgressStyle::bars, quick_work), "using the lock\nwarning: one file is [31m yanked\n");
  EXPECT_EQ(shown(ProgressStyle::quiet, quick_work), "warning: one file is [31m yanked\n");
}

TEST(ProgressSink, ShowsSlowWorkWithItsEnd) {
  const auto slow = [](EventSink& sink) {
    Activity activity(sink, "downloading", "numpy.whl", 2048, true);
    SystemClock().sleep_ms(750);
    activity.progress(1024);
    SystemClock().sleep_ms(150);
    activity.finish("downloaded");
  };
  const std::string lines = shown(ProgressStyle::lines, slow);
  EXPECT_TRUE(lines.starts_with("downloading numpy.whl …\ndownloaded numpy.whl (")) << lines;
  const std::string bars = shown(ProgressStyle::bars, slow);
  EXPECT_NE(bars.find("[============            ] 1.0 KiB / 2.0 KiB"), std::string::npos) << bars;
  EXPECT_NE(bars.find("downloaded numpy.whl ("), std::string::npos) << bars;
  // The first bar erases nothing: what stands above it is somebody else's line. The last one leaves nothing behind.
  EXPECT_TRUE(bars.starts_with("downloading numpy.whl")) << bars;
  size_t drawn = 0, erased = 0;
  for (const std::string& line : split_lines(bars)) {
    drawn += line.find(" / 2.0 KiB") != std::string::npos;
    for (size_t at = 0; (at = line.find("\x1b[1A\x1b[2K", at)) != std::string::npos; ++at) ++erased;
  }
  EXPECT_EQ(drawn, erased) << bars;
}

TEST(ProgressSink, WritesJsonLines) {
  const std::string text = shown(ProgressStyle::json, quick_work);
  const auto lines = split_lines(text);
  ASSERT_EQ(lines.size(), 4u);
  const Value finish = parse_json(lines[3], "line").root;
  EXPECT_EQ(finish.get_string("type"), "finish");
  EXPECT_EQ(finish.get_string("text"), "resolving");
  EXPECT_FALSE(finish.get_bool("failed", true));
  EXPECT_EQ(parse_json(lines[1], "line").root.get_string("type"), "note");
}

}  // namespace
}  // namespace dae
