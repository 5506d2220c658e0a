// How events look: bars that are redrawn on a terminal, plain lines in a pipe, JSON lines, or nothing but warnings.
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

#include "base/clock.h"
#include "base/events.h"
#include "base/fs.h"
#include "base/value.h"

namespace dae {
namespace {

constexpr int64_t kQuietMs = 500;
constexpr int64_t kRedrawMs = 100;
constexpr size_t kMaxBars = 8;
constexpr size_t kBarWidth = 24;

void write_stderr(std::string_view text) {
  while (!text.empty()) {
    const ssize_t wrote = ::write(STDERR_FILENO, text.data(), text.size());
    if (wrote <= 0) return;  // nobody is listening: progress is not worth failing for
    text.remove_prefix(static_cast<size_t>(wrote));
  }
}

std::string label(const Event& event) {
  return event.subject.empty() ? event.text : event.text + " " + event.subject;
}

std::string amount(const Event& event) {
  const auto shown = [&](uint64_t n) { return event.bytes ? format_bytes(n) : std::to_string(n); };
  if (event.total == 0) return event.done == 0 ? "" : shown(event.done);
  return shown(event.done) + " / " + shown(event.total);
}

// Messages may hold bytes of outside origin; control characters never reach the terminal.
std::string printable(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, ' ');
  return text;
}

std::string message_line(const Event& event) {
  return (event.type == EventType::warning ? "warning: " : "") + printable(event.text) + "\n";
}

std::string finish_line(const Event& event) {
  return printable(fmt::format("{}{} ({})", label(event), event.failed ? ": failed" : "",
                               format_duration(event.duration_ms))) +
         "\n";
}

class QuietSink final : public EventSink {
 public:
  void emit(const Event& event) override {
    if (event.type == EventType::warning) write_stderr(message_line(event));
  }
};

class JsonSink final : public EventSink {
 public:
  void emit(const Event& event) override {
    static constexpr std::string_view kNames[] = {"start", "progress", "finish", "note", "warning"};
    Value line = Value::object({{"type", kNames[static_cast<size_t>(event.type)]}, {"text", event.text}});
    if (event.activity != 0) line.set("activity", event.activity);
    if (!event.subject.empty()) line.set("subject", event.subject);
    if (event.total != 0 || event.done != 0) {
      line.set("done", event.done).set("total", event.total).set("unit", event.bytes ? "bytes" : "items");
    }
    if (event.type == EventType::finish) line.set("failed", event.failed).set("duration_ms", event.duration_ms);
    write_stderr(canonical_json(line) + "\n");
  }
};

// Keeps the running activities and a thread that notices when one has lasted long enough to be shown.
class LiveSink : public EventSink {
 public:
  ~LiveSink() override { stop_thread(); }

  void emit(const Event& event) override {
    std::lock_guard lock(mutex_);
    switch (event.type) {
      case EventType::start:
        running_[event.activity] = {event, clock_.monotonic_ms(), false};
        if (!thread_.joinable() && !stopping_) thread_ = std::thread([this] { watch(); });
        wake_.notify_one();
        break;
      case EventType::progress:
        if (auto found = running_.find(event.activity); found != running_.end()) found->second.event = event;
        break;
      case EventType::finish: {
        const auto found = running_.find(event.activity);
        const bool shown = found != running_.end() && found->second.shown;
        if (found != running_.end()) running_.erase(found);
        if (shown) print_line(finish_line(event));
        break;
      }
      case EventType::note:
      case EventType::warning:
        print_line(message_line(event));
        break;
    }
  }

 protected:
  struct Running {
    Event event;
    int64_t started_ms = 0;
    bool shown = false;
  };
  // All three are called with the lock held.
  virtual void print_line(const std::string& line) = 0;
  virtual void begin(const Running& running) = 0;
  virtual void redraw() = 0;
  // To be called by the destructor of the derived class, whose functions the thread uses.
  void stop_thread() {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
      wake_.notify_one();
    }
    if (thread_.joinable()) thread_.join();
  }

  SystemClock clock_;
  std::mutex mutex_;
  std::map<uint64_t, Running> running_;

 private:
  void watch() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
      if (running_.empty()) {
        wake_.wait(lock, [&] { return stopping_ || !running_.empty(); });
        continue;
      }
      wake_.wait_for(lock, std::chrono::milliseconds(kRedrawMs), [&] { return stopping_; });
      const int64_t now_ms = clock_.monotonic_ms();
      for (auto& [number, activity] : running_) {
        if (activity.shown || now_ms - activity.started_ms < kQuietMs) continue;
        activity.shown = true;
        begin(activity);
      }
      redraw();
    }
  }

  std::condition_variable wake_;
  std::thread thread_;
  bool stopping_ = false;
};

class LinesSink final : public LiveSink {
 public:
  ~LinesSink() override { stop_thread(); }

 private:
  void print_line(const std::string& line) override { write_stderr(line); }
  void begin(const Running& running) override { write_stderr(printable(label(running.event)) + " …\n"); }
  void redraw() override {}
};

class BarsSink final : public LiveSink {
 public:
  ~BarsSink() override {
    stop_thread();
    write_stderr(erased());
  }

 private:
  // Goes back over what was drawn last; lines are never longer than the terminal is wide, so their number is known.
  std::string erased() {
    std::string out;
    for (size_t i = 0; i < drawn_lines_; ++i) out += "\x1b[1A\x1b[2K";
    drawn_lines_ = 0;
    return out;
  }

  void print_line(const std::string& line) override { replace_bars(line); }
  void begin(const Running&) override {}
  void redraw() override { replace_bars(""); }

  // One write, so that nothing comes between. In this order: what is erased is what was drawn before.
  void replace_bars(const std::string& line) {
    std::string out = erased();
    out += line;
    out += drawn();
    if (!out.empty()) write_stderr(out);
  }

  std::string drawn() {
    std::string out;
    size_t hidden = 0;
    const size_t width = columns();
    for (const auto& [number, activity] : running_) {
      if (!activity.shown) continue;
      if (drawn_lines_ == kMaxBars) {
        ++hidden;
        continue;
      }
      out += bar(activity.event, width, clock_.monotonic_ms() - activity.started_ms) + "\n";
      ++drawn_lines_;
    }
    if (hidden > 0) {
      out += fmt::format("  and {} more\n", hidden);
      ++drawn_lines_;
    }
    return out;
  }

  static size_t columns() {
    winsize size{};
    return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
  }

  // Cut to the width in bytes, at a character's start.
  static std::string cut(std::string text, size_t width) {
    if (text.size() <= width) return text;
    while (width > 0 && (text[width] & 0xC0) == 0x80) --width;
    return text.substr(0, width);
  }

  static std::string bar(const Event& event, size_t width, int64_t lasted_ms) {
    std::string line = printable(label(event));
    std::string right = amount(event);
    if (event.bytes && lasted_ms >= kQuietMs) {
      right += "  " + format_bytes(event.done * 1000 / static_cast<uint64_t>(lasted_ms)) + "/s";
    }
    if (event.total > 0) {
      const size_t filled = static_cast<size_t>(std::min(event.done, event.total) * kBarWidth / event.total);
      right = "[" + std::string(filled, '=') + std::string(kBarWidth - filled, ' ') + "] " + right;
    }
    const size_t room = width > right.size() + 2 ? width - right.size() - 2 : 0;
    line = cut(line, std::max<size_t>(room, 16));
    if (!right.empty()) line += "  " + right;
    return cut(line, width - 1);
  }

  size_t drawn_lines_ = 0;
};

}  // namespace

ProgressStyle default_progress_style() {
  const bool plain = env_var("NO_COLOR") || env_var("DAE_NO_PROGRESS") || env_var("TERM").value_or("dumb") == "dumb";
  return ::isatty(STDERR_FILENO) == 1 && !plain ? ProgressStyle::bars : ProgressStyle::lines;
}

std::unique_ptr<EventSink> make_progress_sink(ProgressStyle style) {
  switch (style) {
    case ProgressStyle::bars:
      return std::make_unique<BarsSink>();
    case ProgressStyle::lines:
      return std::make_unique<LinesSink>();
    case ProgressStyle::json:
      return std::make_unique<JsonSink>();
    case ProgressStyle::quiet:
      return std::make_unique<QuietSink>();
  }
  return std::make_unique<QuietSink>();
}

}  // namespace dae
