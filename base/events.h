#pragma once
// What is being done, as typed events; how it looks is the sink's business: bars on a terminal, plain lines in a
// pipe, JSON lines on request, nothing when quiet. Library code takes an EventSink& and never prints.
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace dae {

enum class EventType { start, progress, finish, note, warning };

struct Event {
  EventType type = EventType::note;
  uint64_t activity = 0;    // same number from start to finish; 0 for note and warning
  std::string text;         // "downloading", a note's text, or at finish what came of it ("" keeps the start's text)
  std::string subject;      // "flask-3.1.2-py3-none-any.whl"
  uint64_t done = 0;        // bytes or items
  uint64_t total = 0;       // 0: unknown
  bool bytes = false;       // `done`/`total` are bytes
  bool failed = false;      // finish only
  int64_t duration_ms = 0;  // finish only
};

// Thread-safe.
class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual void emit(const Event& event) = 0;
};

class NullSink final : public EventSink {
 public:
  void emit(const Event&) override {}
};

enum class ProgressStyle { bars, lines, json, quiet };
// Picks bars on a terminal (NO_COLOR, TERM=dumb and DAE_NO_PROGRESS respected), lines elsewhere. Writes to stderr.
// An activity shows up only after 500 ms: quick work stays silent.
std::unique_ptr<EventSink> make_progress_sink(ProgressStyle style);
ProgressStyle default_progress_style();

void note(EventSink& sink, std::string text);
void warning(EventSink& sink, std::string text);

// One activity from start to finish; a destructor without finish() reports failure.
class Activity {
 public:
  Activity(EventSink& sink, std::string text, std::string subject = "", uint64_t total = 0, bool bytes = false);
  ~Activity();
  Activity(const Activity&) = delete;
  Activity& operator=(const Activity&) = delete;
  void progress(uint64_t done, uint64_t total = 0);  // cheap: at most one event per 50 ms
  void finish(std::string text = "");

 private:
  EventSink& sink_;
  Event event_;
  int64_t started_ms_, last_ms_ = 0;
  bool finished_ = false;
};

}  // namespace dae
