#include "base/clock.h"

#include <fmt/format.h>
#include <time.h>

#include <array>
#include <chrono>
#include <cmath>
#include <thread>

#include "base/error.h"
#include "base/strings.h"

namespace dae {
namespace {

constexpr int64_t kDayMs = 86'400'000;
constexpr std::array<std::string_view, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

struct Civil {
  int year = 1970, month = 1, day = 1, hour = 0, minute = 0, second = 0, ms = 0, weekday = 4;
};

Civil civil_from_ms(int64_t wall_ms) {
  using namespace std::chrono;
  const int64_t days = wall_ms >= 0 ? wall_ms / kDayMs : (wall_ms - kDayMs + 1) / kDayMs;
  const int64_t rest = wall_ms - days * kDayMs;
  const sys_days date{std::chrono::days(days)};
  const year_month_day ymd(date);
  Civil c;
  c.year = static_cast<int>(ymd.year());
  c.month = static_cast<int>(static_cast<unsigned>(ymd.month()));
  c.day = static_cast<int>(static_cast<unsigned>(ymd.day()));
  c.weekday = static_cast<int>(weekday(date).c_encoding());
  c.hour = static_cast<int>(rest / 3'600'000);
  c.minute = static_cast<int>(rest / 60'000 % 60);
  c.second = static_cast<int>(rest / 1000 % 60);
  c.ms = static_cast<int>(rest % 1000);
  return c;
}

bool is_valid(const Civil& c) {
  using namespace std::chrono;
  const year_month_day ymd{year(c.year), month(static_cast<unsigned>(c.month)), day(static_cast<unsigned>(c.day))};
  // 60 is a leap second (RFC 3339 section 5.7); it counts as the second after.
  return ymd.ok() && c.hour < 24 && c.minute < 60 && c.second <= 60;
}

int64_t ms_from_civil(const Civil& c) {
  using namespace std::chrono;
  const year_month_day ymd{year(c.year), month(static_cast<unsigned>(c.month)), day(static_cast<unsigned>(c.day))};
  const int64_t days = sys_days(ymd).time_since_epoch().count();
  return days * kDayMs + c.hour * 3'600'000ll + c.minute * 60'000ll + c.second * 1000ll + c.ms;
}

// Takes text apart from the left; every step says whether it fitted.
struct Scanner {
  std::string_view rest;
  bool digits(size_t count, int& out) {
    if (rest.size() < count) return false;
    out = 0;
    for (char c : rest.substr(0, count)) {
      if (c < '0' || c > '9') return false;
      out = out * 10 + (c - '0');
    }
    rest.remove_prefix(count);
    return true;
  }
  bool literal(std::string_view text) {
    if (!rest.starts_with(text)) return false;
    rest.remove_prefix(text.size());
    return true;
  }
  bool any_of(std::string_view characters) {
    if (rest.empty() || characters.find(rest.front()) == std::string_view::npos) return false;
    rest.remove_prefix(1);
    return true;
  }
  bool month(int& out) {
    for (size_t i = 0; i < kMonths.size(); ++i) {
      if (literal(kMonths[i])) return out = static_cast<int>(i) + 1, true;
    }
    return false;
  }
  bool time_of_day(Civil& c) {
    return digits(2, c.hour) && literal(":") && digits(2, c.minute) && literal(":") && digits(2, c.second);
  }
  void fraction(Civil& c) {
    int scale = 100;
    while (!rest.empty() && rest.front() >= '0' && rest.front() <= '9') {
      c.ms += (rest.front() - '0') * scale;
      scale /= 10;
      rest.remove_prefix(1);
    }
  }
  bool offset(int64_t& out_ms) {
    out_ms = 0;
    if (any_of("Zz")) return true;
    const int64_t sign = rest.starts_with('-') ? -1 : 1;
    int hours = 0, minutes = 0;
    if (!any_of("+-") || !digits(2, hours)) return false;
    literal(":");
    if (!rest.empty() && !digits(2, minutes)) return false;
    out_ms = sign * (hours * 3'600'000ll + minutes * 60'000ll);
    return hours < 24 && minutes < 60;
  }
};

int64_t clock_ms(clockid_t id) {
  timespec now{};
  ::clock_gettime(id, &now);
  return static_cast<int64_t>(now.tv_sec) * 1000 + now.tv_nsec / 1'000'000;
}

double unit_ms(std::string_view unit) {
  if (unit == "ms") return 1;
  if (unit == "s") return 1000;
  if (unit == "m") return 60'000;
  if (unit == "h") return 3'600'000;
  if (unit == "d") return 86'400'000;
  if (unit == "w") return 7 * 86'400'000.0;
  return 0;
}

}  // namespace

int64_t SystemClock::wall_ms() const {
  return clock_ms(CLOCK_REALTIME);
}
int64_t SystemClock::monotonic_ms() const {
  return clock_ms(CLOCK_MONOTONIC);
}
void SystemClock::sleep_ms(int64_t duration_ms) {
  if (duration_ms > 0) std::this_thread::sleep_for(std::chrono::milliseconds(duration_ms));
}

int64_t ManualClock::wall_ms() const {
  std::lock_guard lock(mutex_);
  return now_ms_;
}
int64_t ManualClock::monotonic_ms() const {
  return wall_ms();
}
void ManualClock::advance_ms(int64_t duration_ms) {
  std::lock_guard lock(mutex_);
  if (duration_ms > 0) now_ms_ += duration_ms;
}

std::string format_utc(int64_t wall_ms, bool with_ms) {
  const Civil c = civil_from_ms(wall_ms);
  std::string text =
      fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", c.year, c.month, c.day, c.hour, c.minute, c.second);
  if (with_ms) text += fmt::format(".{:03}", c.ms);
  return text + "Z";
}

int64_t parse_utc(std::string_view text) {
  Scanner s{trim(text)};
  Civil c;
  int64_t offset_ms = 0;
  bool ok = s.digits(4, c.year) && s.literal("-") && s.digits(2, c.month) && s.literal("-") && s.digits(2, c.day) &&
            s.any_of("Tt ") && s.time_of_day(c);
  if (ok && s.any_of(".,")) s.fraction(c);
  ok = ok && s.offset(offset_ms) && s.rest.empty() && is_valid(c);
  if (!ok) {
    throw Error(ErrorKind::bad_input, fmt::format("`{}` is no time", text.substr(0, 100)), "",
                "expected RFC 3339, such as 2026-11-21T00:31:28Z");
  }
  return ms_from_civil(c) - offset_ms;
}

std::string format_http_date(int64_t wall_ms) {
  const Civil c = civil_from_ms(wall_ms);
  return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", kDays[static_cast<size_t>(c.weekday)], c.day,
                     kMonths[static_cast<size_t>(c.month - 1)], c.year, c.hour, c.minute, c.second);
}

int64_t parse_http_date(std::string_view text) {
  text = trim(text);
  const size_t comma = text.find(", ");
  Civil c;
  if (comma == std::string_view::npos) {  // asctime form: "Sun Nov  6 08:49:37 1994"
    Scanner s{text.size() > 4 ? text.substr(4) : std::string_view()};
    const bool ok = s.month(c.month) && s.literal(" ") && (s.literal(" ") ? s.digits(1, c.day) : s.digits(2, c.day)) &&
                    s.literal(" ") && s.time_of_day(c) && s.literal(" ") && s.digits(4, c.year) && s.rest.empty();
    return ok && is_valid(c) ? ms_from_civil(c) : -1;
  }
  Scanner s{text.substr(comma + 2)};
  if (!s.digits(2, c.day)) return -1;
  if (s.literal("-")) {  // RFC 850 form: "Sunday, 06-Nov-94 08:49:37 GMT"
    if (!(s.month(c.month) && s.literal("-") && s.digits(2, c.year))) return -1;
    c.year += c.year < 70 ? 2000 : 1900;
  } else if (!(s.literal(" ") && s.month(c.month) && s.literal(" ") && s.digits(4, c.year))) {
    return -1;
  }
  const bool ok = s.literal(" ") && s.time_of_day(c) && s.literal(" GMT") && s.rest.empty();
  return ok && is_valid(c) ? ms_from_civil(c) : -1;
}

int64_t parse_duration_ms(std::string_view text) {
  const std::string_view trimmed = trim(text);
  size_t end = 0, points = 0;
  while (end < trimmed.size() && ((trimmed[end] >= '0' && trimmed[end] <= '9') || trimmed[end] == '.')) {
    points += trimmed[end++] == '.';
  }
  const double unit = unit_ms(trim(trimmed.substr(end)));
  if (end == 0 || end > 15 || points > 1 || trimmed.substr(0, end) == "." || unit == 0) {
    throw Error(ErrorKind::bad_input, fmt::format("`{}` is no duration", text.substr(0, 100)), "",
                "write a number and a unit: 250ms, 30s, 2m, 1.5h, 7d");
  }
  const double value = std::stod(std::string(trimmed.substr(0, end))) * unit;
  if (value > 1e15) throw Error(ErrorKind::bad_input, fmt::format("duration `{}` is too long", trimmed));
  return std::llround(value);
}

std::string format_duration(int64_t duration_ms) {
  if (duration_ms < 0) return "-" + format_duration(-duration_ms);
  if (duration_ms < 1000) return fmt::format("{} ms", duration_ms);
  if (duration_ms < 59'950) return fmt::format("{:.1f} s", static_cast<double>(duration_ms) / 1000);
  const int64_t seconds = (duration_ms + 500) / 1000;
  if (seconds < 3600) return fmt::format("{} m {} s", seconds / 60, seconds % 60);
  if (seconds < 86'400) return fmt::format("{} h {} m", seconds / 3600, seconds % 3600 / 60);
  return fmt::format("{} d {} h", seconds / 86'400, seconds % 86'400 / 3600);
}

std::string format_bytes(uint64_t size_bytes) {
  if (size_bytes < 1024) return fmt::format("{} B", size_bytes);
  double size = static_cast<double>(size_bytes) / 1024;
  constexpr std::array<std::string_view, 5> units = {"KiB", "MiB", "GiB", "TiB", "PiB"};
  size_t unit = 0;
  for (; size >= 1023.95 && unit + 1 < units.size(); ++unit) size /= 1024;
  return size < 9.95 ? fmt::format("{:.1f} {}", size, units[unit]) : fmt::format("{:.0f} {}", size, units[unit]);
}

}  // namespace dae
