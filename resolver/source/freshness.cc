#include "resolver/source/freshness.h"

#include <algorithm>
#include <optional>

#include "base/clock.h"
#include "base/strings.h"

namespace dae::resolver {
namespace {

// A year: longer lifetimes are cut, so that sums cannot overflow (RFC 9111 section 1.2.2).
constexpr int64_t kMaxLifetimeS = 365 * 24 * 3600;

struct CacheControl {
  bool no_store = false, no_cache = false, must_revalidate = false;
  std::optional<int64_t> max_age_s;
};

std::string_view unquoted(std::string_view text) {
  text = trim(text);
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') text = text.substr(1, text.size() - 2);
  return text;
}

CacheControl parse_cache_control(const Headers& headers) {
  CacheControl out;
  for (const auto& [name, value] : headers.fields()) {
    if (!iequals(name, "cache-control")) continue;
    for (const std::string& part : split(value, ',')) {
      const std::string_view directive = trim(part);
      const size_t equals = directive.find('=');
      const std::string key = lower(trim(directive.substr(0, equals)));
      if (key == "no-store") out.no_store = true;
      if (key == "no-cache") out.no_cache = true;
      if (key == "must-revalidate") out.must_revalidate = true;
      // Of several the first counts, as it does for who reads no further.
      if (key == "max-age" && !out.max_age_s && equals != std::string_view::npos) {
        // An unreadable lifetime counts as stale (RFC 9111 section 4.2.1).
        const auto seconds = parse_int(unquoted(directive.substr(equals + 1)));
        out.max_age_s = std::clamp<int64_t>(seconds.value_or(0), 0, kMaxLifetimeS);
      }
    }
  }
  return out;
}

// What caches on the way say, or what the clocks of both sides say, whichever is more (RFC 9111 section 4.2.3).
int64_t age_of(const Headers& headers, int64_t now_ms) {
  const int64_t date_ms = parse_http_date(headers.get("date"));
  const int64_t apparent_s = date_ms < 0 ? 0 : (now_ms - date_ms) / 1000;
  const int64_t stated_s = parse_int(trim(headers.get("age"))).value_or(0);
  return std::clamp<int64_t>(std::max(apparent_s, stated_s), 0, kMaxLifetimeS);
}

}  // namespace

Freshness freshness_of(const Headers& headers, int64_t now_ms, int64_t heuristic_ms) {
  const CacheControl control = parse_cache_control(headers);
  Freshness out;
  if (control.no_store) return {false, 0, true};
  out.must_revalidate = control.must_revalidate || control.no_cache;
  if (control.no_cache) return out;
  const int64_t age_s = age_of(headers, now_ms);
  if (control.max_age_s) {
    out.fresh_until_ms = now_ms + (*control.max_age_s - age_s) * 1000;
  } else if (headers.has("expires")) {
    const int64_t expires = parse_http_date(headers.get("expires"));
    const int64_t date = parse_http_date(headers.get("date"));
    const int64_t lifetime_ms = expires < 0 ? 0 : expires - (date < 0 ? now_ms : date);
    out.fresh_until_ms = now_ms + std::min(lifetime_ms, kMaxLifetimeS * 1000) - age_s * 1000;
  } else if (!headers.has("etag") && !headers.has("last-modified")) {
    out.fresh_until_ms = now_ms + heuristic_ms;
  }
  return out;
}

}  // namespace dae::resolver
