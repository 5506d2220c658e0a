#pragma once
// What mirror.yaml says about serving: the access log, read-only, and how much clients may take of this machine.
#include <cstdint>

#include "base/fs.h"
#include "base/value.h"

namespace dae::mirror {

struct ServingConfig {
  Path access_log;  // empty: none; "-": standard output
  enum class LogFormat { json, common } log_format = LogFormat::json;
  bool read_only = false;
  int connections = 4096;
  int64_t header_timeout_ms = 30'000, idle_timeout_ms = 60'000;
  int64_t drain_ms = 10'000;  // for what is being answered when it is told to end
};
// `access_log`, `access_log_format`, `read_only`.
void parse_serving(Reader& reader, ServingConfig& config);
// `limits.connections`, `limits.header_timeout`, `limits.idle_timeout`, `limits.drain`.
void parse_serving_limits(Reader& limits, ServingConfig& config);

}  // namespace dae::mirror
