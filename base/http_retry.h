#pragma once
// When to ask again, and after how long: pure decisions, used by the HTTP engine.
#include <cstdint>
#include <string_view>

namespace dae {

inline constexpr int64_t kMaxBackoffMs = 10'000;
// A server that asks for a longer pause than this gets no pause: its answer goes to the caller, who knows better.
inline constexpr int64_t kMaxRetryAfterMs = 60'000;

bool is_idempotent(std::string_view method);  // RFC 9110 section 9.2.2
bool is_retryable_status(int status);
// Retry-After as seconds or as an HTTP-date; -1 when absent or unreadable.
int64_t retry_after_ms(std::string_view field, int64_t now_wall_ms);
// Pause before retry number `retry` (from 0). `jitter` in [-1, 1] moves it by up to 20 %.
int64_t backoff_ms(int retry, int64_t base_ms, double jitter);

}  // namespace dae
