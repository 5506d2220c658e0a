#include "base/events.h"

#include <atomic>
#include <utility>

#include "base/clock.h"

namespace dae {
namespace {

constexpr int64_t kProgressIntervalMs = 50;

uint64_t next_activity() {
  static std::atomic<uint64_t> last{0};
  return ++last;
}

int64_t now_ms() {
  return SystemClock().monotonic_ms();
}

}  // namespace

void note(EventSink& sink, std::string text) {
  Event event;
  event.type = EventType::note;
  event.text = std::move(text);
  sink.emit(event);
}

void warning(EventSink& sink, std::string text) {
  Event event;
  event.type = EventType::warning;
  event.text = std::move(text);
  sink.emit(event);
}

Activity::Activity(EventSink& sink, std::string text, std::string subject, uint64_t total, bool bytes)
    : sink_(sink), started_ms_(now_ms()) {
  event_.type = EventType::start;
  event_.activity = next_activity();
  event_.text = std::move(text);
  event_.subject = std::move(subject);
  event_.total = total;
  event_.bytes = bytes;
  sink_.emit(event_);
}

Activity::~Activity() {
  if (finished_) return;
  event_.type = EventType::finish;
  event_.failed = true;
  event_.duration_ms = now_ms() - started_ms_;
  sink_.emit(event_);
}

void Activity::progress(uint64_t done, uint64_t total) {
  event_.done = done;
  if (total != 0) event_.total = total;
  const int64_t now = now_ms();
  if (now - last_ms_ < kProgressIntervalMs) return;
  last_ms_ = now;
  event_.type = EventType::progress;
  sink_.emit(event_);
}

void Activity::finish(std::string text) {
  if (finished_) return;
  finished_ = true;
  event_.type = EventType::finish;
  if (!text.empty()) event_.text = std::move(text);
  event_.duration_ms = now_ms() - started_ms_;
  sink_.emit(event_);
}

}  // namespace dae
