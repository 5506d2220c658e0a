#pragma once
// The log of long-running processes: time, level, message, key=value fields; as JSON lines on request.
// Goes to stderr. Thread-safe. Values under a secret-looking key (token, password, secret, authorization) are masked,
// and so is the user-info part of URLs.
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace dae {

enum class LogLevel { debug, info, warn, error };
using LogFields = std::initializer_list<std::pair<std::string_view, std::string>>;

void log_setup(LogLevel level, bool json);
void log(LogLevel level, std::string_view message, LogFields fields = {});
inline void log_debug(std::string_view message, LogFields fields = {}) {
  log(LogLevel::debug, message, fields);
}
inline void log_info(std::string_view message, LogFields fields = {}) {
  log(LogLevel::info, message, fields);
}
inline void log_warn(std::string_view message, LogFields fields = {}) {
  log(LogLevel::warn, message, fields);
}
inline void log_error(std::string_view message, LogFields fields = {}) {
  log(LogLevel::error, message, fields);
}

// `https://user:pass@host/x` -> `https://***@host/x`: for anything that prints a URL.
std::string redact_url(std::string_view url);

}  // namespace dae
