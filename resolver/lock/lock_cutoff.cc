#include "resolver/lock/lock_cutoff.h"

#include <fmt/format.h>

#include <optional>

#include "base/clock.h"
#include "base/error.h"
#include "base/strings.h"

namespace dae::resolver {

namespace {

constexpr int64_t kSecond = 1000, kMinute = 60 * kSecond, kHour = 60 * kMinute, kDay = 24 * kHour, kWeek = 7 * kDay;
constexpr int64_t kMaxCount = 100'000;

[[noreturn]] void refuse(std::string_view text, const char* why) {
  throw Error(ErrorKind::bad_input, fmt::format("`{}` {}", text.substr(0, 100), why), "",
              "write a moment (2026-01-31T12:00:00Z), a day (2026-01-31) or an age (7 days, 12h, 2 weeks, P7D)");
}

std::optional<int64_t> unit_ms(std::string_view unit) {
  if (unit == "s" || unit == "sec" || unit == "secs" || unit == "second" || unit == "seconds") return kSecond;
  if (unit == "m" || unit == "min" || unit == "mins" || unit == "minute" || unit == "minutes") return kMinute;
  if (unit == "h" || unit == "hr" || unit == "hrs" || unit == "hour" || unit == "hours") return kHour;
  if (unit == "d" || unit == "day" || unit == "days") return kDay;
  if (unit == "w" || unit == "week" || unit == "weeks") return kWeek;
  return std::nullopt;
}

// "7 days", "1 week 2 days", "1d12h": a number and a unit, again and again; "ago" may follow.
std::optional<int64_t> age_ms(std::string_view rest) {
  if (rest.ends_with(" ago")) rest.remove_suffix(4);
  rest = trim(rest);
  if (rest.empty()) return std::nullopt;
  int64_t sum = 0;
  while (!rest.empty()) {
    const size_t digits = std::min(rest.find_first_not_of("0123456789"), rest.size());
    const auto count = parse_int(rest.substr(0, digits));
    if (digits == 0 || !count || *count > kMaxCount) return std::nullopt;
    rest = trim(rest.substr(digits));
    const size_t letters = std::min(rest.find_first_not_of("abcdefghijklmnopqrstuvwxyz"), rest.size());
    const auto unit = unit_ms(rest.substr(0, letters));
    if (!unit) return std::nullopt;
    sum += *count * *unit;
    rest = trim(rest.substr(letters));
  }
  return sum;
}

// ISO 8601 durations without the calendar's units: "P1W", "P1DT12H".
std::optional<int64_t> iso_age_ms(std::string_view rest) {
  if (!rest.starts_with('p') || rest.size() < 3) return std::nullopt;
  const size_t time = rest.find('t');
  const std::string_view days = rest.substr(1, time == std::string_view::npos ? time : time - 1);
  const std::string_view clock = time == std::string_view::npos ? "" : rest.substr(time + 1);
  if (days.find_first_of("hms") != std::string_view::npos || clock.find_first_of("dw") != std::string_view::npos ||
      rest.find(' ') != std::string_view::npos || (time != std::string_view::npos && clock.empty())) {
    return std::nullopt;
  }
  return age_ms(std::string(days) + std::string(clock));
}

bool is_day(std::string_view text) {
  if (text.size() != 10) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (i == 4 || i == 7 ? text[i] != '-' : text[i] < '0' || text[i] > '9') return false;
  }
  return true;
}

}  // namespace

std::string cutoff_from(std::string_view text, int64_t now_ms) {
  text = trim(text);
  const std::string plain = lower(text);
  if (plain.find("month") != std::string::npos || plain.find("year") != std::string::npos) {
    refuse(text, "has no fixed length");
  }
  auto age = age_ms(plain);
  if (!age) age = iso_age_ms(plain);
  if (age) {
    if (*age >= now_ms) refuse(text, "is before all uploads");
    // Whole seconds: two runs within one agree.
    return format_utc((now_ms - *age) / 1000 * 1000);
  }
  try {
    const int64_t moment = is_day(text) ? parse_utc(std::string(text) + "T00:00:00Z") + kDay : parse_utc(text);
    return format_utc(moment, moment % 1000 != 0);
  } catch (const Error&) {
    refuse(text, "is no time");
  }
}

}  // namespace dae::resolver
