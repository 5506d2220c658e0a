#include "mirror/site/html.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/strings.h"

namespace dae::mirror {

void Html::put(std::string_view text) {
  out_ += html_escape(text);
}

std::string grouped(int64_t number) {
  std::string out = std::to_string(number);
  const size_t first_digit = number < 0 ? 1 : 0;
  for (size_t at = out.size(); at > first_digit + 3;) out.insert(at -= 3, ",");
  return out;
}

std::string counted(int64_t number, std::string_view one, std::string_view many) {
  return grouped(number).append(1, ' ').append(number == 1 ? one : many);
}

Html time_of(int64_t wall_ms) {
  if (wall_ms <= 0) return Html("–");
  const std::string text = format_utc(wall_ms);
  // "2026-11-21T00:31:28Z"
  return Html("<time datetime=\"", text, "\">", text.substr(0, 10), " ", text.substr(11, 5), "</time>");
}

Html time_of(const std::string& rfc3339) {
  try {
    return time_of(parse_utc(rfc3339));
  } catch (const Error&) {
    return Html(rfc3339);
  }
}

}  // namespace dae::mirror
