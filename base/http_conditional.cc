#include "base/http_conditional.h"

#include <algorithm>
#include <charconv>

#include "base/clock.h"
#include "base/strings.h"

namespace dae {

namespace {

// If-None-Match compares weakly: a `W/` before either side does not matter.
bool etag_list_has(std::string_view list, std::string_view etag) {
  while (!list.empty()) {
    size_t open = list.find('"');
    if (open == std::string_view::npos) return false;
    size_t close = list.find('"', open + 1);
    if (close == std::string_view::npos) return false;
    if (list.substr(open + 1, close - open - 1) == etag) return true;
    list.remove_prefix(close + 1);
  }
  return false;
}

std::optional<uint64_t> digits(std::string_view text) {
  uint64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::result_out_of_range) return UINT64_MAX;
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool if_range_holds(const Headers& request, const Validators& validators) {
  std::string_view field = trim(request.get("If-Range"));
  if (field.empty()) return true;
  if (field.starts_with('"')) {
    return !validators.etag.empty() && field.size() == validators.etag.size() + 2 && field.ends_with('"') &&
           field.substr(1, validators.etag.size()) == validators.etag;
  }
  int64_t date_ms = parse_http_date(field);
  return date_ms >= 0 && validators.last_modified_ms >= 0 && date_ms / 1000 == validators.last_modified_ms / 1000;
}

}  // namespace

bool is_not_modified(const Headers& request, const Validators& validators) {
  if (request.has("If-None-Match")) {  // stronger than any date, which is then ignored
    std::string_view list = trim(request.get("If-None-Match"));
    return list == "*" || (!validators.etag.empty() && etag_list_has(list, validators.etag));
  }
  if (validators.last_modified_ms < 0 || !request.has("If-Modified-Since")) return false;
  int64_t since_ms = parse_http_date(request.get("If-Modified-Since"));
  return since_ms >= 0 && validators.last_modified_ms / 1000 <= since_ms / 1000;
}

RangeAnswer pick_range(const Headers& request, const Validators& validators, uint64_t size_bytes, ByteRange* range) {
  std::string_view field = trim(request.get("Range"));
  if (field.size() < 6 || !iequals(field.substr(0, 6), "bytes=") || field.find(',') != std::string_view::npos ||
      !if_range_holds(request, validators)) {
    return RangeAnswer::whole;
  }
  field = trim(field.substr(6));
  size_t dash = field.find('-');
  if (dash == std::string_view::npos) return RangeAnswer::whole;
  std::string_view first_text = field.substr(0, dash), last_text = field.substr(dash + 1);
  auto first = digits(first_text), last = digits(last_text);
  if (first_text.empty()) {  // the last so many bytes
    if (!last) return RangeAnswer::whole;
    if (*last == 0 || size_bytes == 0) return RangeAnswer::unsatisfiable;
    range->length = std::min(*last, size_bytes);
    range->offset = size_bytes - range->length;
    return RangeAnswer::part;
  }
  if (!first || (!last && !last_text.empty())) return RangeAnswer::whole;
  // RFC 9110, 14.2 leaves open whether a range that ends before it begins is ignored or refused. Who asks for one
  // counts wrongly and is not helped by all of a large file.
  if (*first >= size_bytes || (last && *last < *first)) return RangeAnswer::unsatisfiable;
  range->offset = *first;
  range->length = std::min(last.value_or(UINT64_MAX), size_bytes - 1) - *first + 1;
  return RangeAnswer::part;
}

}  // namespace dae
