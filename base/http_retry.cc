#include "base/http_retry.h"

#include <algorithm>

#include "base/clock.h"
#include "base/strings.h"

namespace dae {

bool is_idempotent(std::string_view method) {
  return method == "GET" || method == "HEAD" || method == "PUT" || method == "DELETE" || method == "OPTIONS";
}

bool is_retryable_status(int status) {
  // 501 and 505 are 5xx too, but asking again cannot change them.
  return status == 408 || status == 429 || status == 500 || status == 502 || status == 503 || status == 504;
}

int64_t retry_after_ms(std::string_view field, int64_t now_wall_ms) {
  field = trim(field);
  if (field.empty()) return -1;
  if (auto seconds = parse_int(field)) {
    return *seconds < 0 ? -1 : std::min<int64_t>(*seconds, 365 * 86'400) * 1000;
  }
  int64_t date_ms = parse_http_date(field);
  return date_ms < 0 ? -1 : std::max<int64_t>(0, date_ms - now_wall_ms);
}

int64_t backoff_ms(int retry, int64_t base_ms, double jitter) {
  int64_t pause_ms = std::min(kMaxBackoffMs, base_ms << std::clamp(retry, 0, 16));
  return pause_ms + static_cast<int64_t>(static_cast<double>(pause_ms) * 0.2 * std::clamp(jitter, -1.0, 1.0));
}

}  // namespace dae
