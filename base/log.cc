#include "base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <memory>

#include "base/clock.h"
#include "base/strings.h"
#include "base/value.h"

namespace dae {
namespace {

std::atomic<bool> json_lines{false};

spdlog::logger& logger() {
  static const std::shared_ptr<spdlog::logger> instance = [] {
    auto made = std::make_shared<spdlog::logger>("dae", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern("%v");
    made->flush_on(spdlog::level::trace);
    return made;
  }();
  return *instance;
}

spdlog::level::level_enum spdlog_level(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warn:
      return spdlog::level::warn;
    case LogLevel::error:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

std::string_view level_name(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return "debug";
    case LogLevel::info:
      return "info";
    case LogLevel::warn:
      return "warn";
    case LogLevel::error:
      return "error";
  }
  return "info";
}

bool is_secret(std::string_view key) {
  const std::string name = lower(key);
  for (std::string_view word : {"token", "password", "secret", "authorization"}) {
    if (name.find(word) != std::string::npos) return true;
  }
  return false;
}

std::string shown_value(std::string_view key, const std::string& value) {
  return is_secret(key) ? "***" : redact_url(value);
}

// A field is quoted when it would not read as one word.
std::string text_value(const std::string& value) {
  const bool plain = !value.empty() && value.find_first_of(" \t\r\n\"=") == std::string::npos;
  return plain ? value : json_string(value);
}

}  // namespace

void log_setup(LogLevel level, bool json) {
  logger().set_level(spdlog_level(level));
  json_lines = json;
}

void log(LogLevel level, std::string_view message, LogFields fields) {
  if (!logger().should_log(spdlog_level(level))) return;
  const std::string time = format_utc(SystemClock().wall_ms(), true);
  std::string line;
  if (json_lines) {
    line = "{\"time\":" + json_string(time) + ",\"level\":" + json_string(level_name(level)) +
           ",\"message\":" + json_string(redact_url(message));
    for (const auto& [key, value] : fields) line += "," + json_string(key) + ":" + json_string(shown_value(key, value));
    line += "}";
  } else {
    // One line a record, whatever the message holds: nobody forges a record with a newline.
    line = time + " " + std::string(level_name(level)) + " " + replace_all(redact_url(message), "\n", "\\n");
    for (const auto& [key, value] : fields) {
      line += " " + std::string(key) + "=" + text_value(shown_value(key, value));
    }
  }
  logger().log(spdlog_level(level), spdlog::string_view_t(line.data(), line.size()));
}

std::string redact_url(std::string_view url) {
  std::string out;
  for (;;) {
    const size_t scheme = url.find("://");
    if (scheme == std::string_view::npos) break;
    const size_t start = scheme + 3;
    const size_t end = url.find_first_of("/?# \t\r\n\"'<>", start);
    const std::string_view authority = url.substr(start, end == std::string_view::npos ? end : end - start);
    const size_t at = authority.rfind('@');
    out += url.substr(0, start);
    if (at == std::string_view::npos) {
      url.remove_prefix(start);
    } else {
      out += "***";
      url.remove_prefix(start + at);
    }
  }
  return out += url;
}

}  // namespace dae
