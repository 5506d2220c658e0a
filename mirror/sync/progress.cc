#include "mirror/sync/progress.h"

#include <atomic>

namespace dae::mirror::sync {
namespace {

constexpr int64_t kEveryMs = 50;
constexpr int64_t kGuessAfterMs = 3000;
// Beyond the numbers that class Activity gives.
std::atomic<uint64_t> next_number{uint64_t{1} << 40};

}  // namespace

Progress::Progress(EventSink& sink, Clock& clock, std::string text, std::string index, size_t total)
    : sink_(sink), clock_(clock), index_(std::move(index)), started_ms_(clock.monotonic_ms()) {
  event_.type = EventType::start;
  event_.activity = next_number++;
  event_.text = std::move(text);
  event_.subject = index_;
  event_.total = total;
  sink_.emit(event_);
  event_.failed = true;
}

Progress::~Progress() {
  event_.type = EventType::finish;
  event_.subject = index_;
  event_.duration_ms = clock_.monotonic_ms() - started_ms_;
  sink_.emit(event_);
}

void Progress::show(size_t done) {
  const int64_t now_ms = clock_.monotonic_ms(), lasted_ms = now_ms - started_ms_;
  if (now_ms - shown_ms_ < kEveryMs) return;
  shown_ms_ = now_ms;
  Event event = event_;
  event.type = EventType::progress;
  event.failed = false;
  event.done = done;
  if (done > 0 && lasted_ms > kGuessAfterMs) {
    const double left = static_cast<double>(event.total - done) / static_cast<double>(done);
    const auto left_ms = static_cast<int64_t>(static_cast<double>(lasted_ms) * left);
    event.subject += ", " + format_duration(left_ms) + " left";
  }
  sink_.emit(event);
}

}  // namespace dae::mirror::sync
