#pragma once
// The seam for time. Nothing outside base reads a clock directly.
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

namespace dae {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual int64_t wall_ms() const = 0;       // milliseconds since 1970-01-01 UTC; may step
  virtual int64_t monotonic_ms() const = 0;  // never goes back; origin unspecified
  virtual void sleep_ms(int64_t duration_ms) = 0;
};

// The machine's clock. Stateless; one may be shared by all threads.
class SystemClock final : public Clock {
 public:
  int64_t wall_ms() const override;
  int64_t monotonic_ms() const override;
  void sleep_ms(int64_t duration_ms) override;
};

// Simulated time for tests: moves only when told to, or when somebody sleeps. Thread-safe.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(int64_t start_wall_ms = 1'700'000'000'000) : now_ms_(start_wall_ms) {}
  int64_t wall_ms() const override;
  int64_t monotonic_ms() const override;
  void sleep_ms(int64_t duration_ms) override { advance_ms(duration_ms); }
  void advance_ms(int64_t duration_ms);

 private:
  mutable std::mutex mutex_;
  int64_t now_ms_;
};

// RFC 3339 in UTC: "2026-11-21T00:31:28Z", or with milliseconds.
std::string format_utc(int64_t wall_ms, bool with_ms = false);
// RFC 3339 / ISO 8601 with offset or Z; throws Error bad_input.
int64_t parse_utc(std::string_view text);
// HTTP-date (RFC 9110 section 5.6.7); parse returns -1 when it is not one.
std::string format_http_date(int64_t wall_ms);
int64_t parse_http_date(std::string_view text);
// "1s", "30s", "2m", "1.5h", "7d", "250ms" -> milliseconds; throws Error bad_input naming the text.
int64_t parse_duration_ms(std::string_view text);
// "12 ms", "1.4 s", "2 m 10 s": for people.
std::string format_duration(int64_t duration_ms);
// "41 KiB", "2.1 MiB": for people.
std::string format_bytes(uint64_t size_bytes);

}  // namespace dae
