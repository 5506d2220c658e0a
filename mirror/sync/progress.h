#pragma once
// How far a sync is and how long it will still take, as events.
#include <string>

#include "base/clock.h"
#include "base/events.h"

namespace dae::mirror::sync {

// From start to end of its life; without finish() it has failed. One thread.
class Progress {
 public:
  Progress(EventSink& sink, Clock& clock, std::string text, std::string index, size_t total);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void show(size_t done);  // cheap
  void finish() { event_.failed = false; }

 private:
  EventSink& sink_;
  Clock& clock_;
  std::string index_;
  Event event_;
  int64_t started_ms_, shown_ms_ = 0;
};

}  // namespace dae::mirror::sync
