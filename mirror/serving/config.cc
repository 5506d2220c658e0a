#include "mirror/serving/config.h"

namespace dae::mirror {
namespace {

constexpr int64_t kMostConnections = 1'000'000, kLongestMs = 3'600'000;

int64_t timeout_ms(Reader& limits, const char* key, int64_t fallback_ms) {
  const int64_t wanted_ms = limits.duration_ms(key, fallback_ms);
  if (wanted_ms > 0 && wanted_ms <= kLongestMs) return wanted_ms;
  throw limits.error_at(*limits.optional(key), "a time between 1ms and 1h is wanted here");
}

}  // namespace

void parse_serving(Reader& reader, ServingConfig& config) {
  if (const Value* log = reader.optional("access_log")) {
    config.access_log = log->as_string();
    if (config.access_log.empty()) throw reader.error_at(*log, "`access_log` names no file", "`-` is standard output");
  }
  if (const Value* format = reader.optional("access_log_format")) {
    const std::string& text = format->as_string();
    if (text != "json" && text != "common") {
      throw reader.error_at(*format, "unknown form `" + text + "`", "the forms: `json`, `common`");
    }
    config.log_format = text == "json" ? ServingConfig::LogFormat::json : ServingConfig::LogFormat::common;
  }
  if (const Value* read_only = reader.optional("read_only")) config.read_only = read_only->as_bool();
}

void parse_serving_limits(Reader& limits, ServingConfig& config) {
  if (const Value* connections = limits.optional("connections")) {
    const int64_t count = connections->as_integer();
    if (count < 1 || count > kMostConnections) throw limits.error_at(*connections, "1 to 1000000 are possible here");
    config.connections = static_cast<int>(count);
  }
  config.header_timeout_ms = timeout_ms(limits, "header_timeout", config.header_timeout_ms);
  config.idle_timeout_ms = timeout_ms(limits, "idle_timeout", config.idle_timeout_ms);
  config.drain_ms = timeout_ms(limits, "drain", config.drain_ms);
}

}  // namespace dae::mirror
