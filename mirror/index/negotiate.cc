#include "mirror/index/negotiate.h"

#include <algorithm>
#include <array>
#include <vector>

#include "base/strings.h"
#include "resolver/standards/simple_page.h"

namespace dae::mirror {
namespace {

constexpr size_t kMostRanges = 64;  // of one header field; the rest is not looked at

struct MediaRange {
  std::string type;
  int q = 1000;  // thousandths
};

// qvalue: "0" or "1" with at most three decimals; anything else excludes the range.
int parse_q(std::string_view text) {
  if (text.empty() || (text[0] != '0' && text[0] != '1')) return 0;
  int q = (text[0] - '0') * 1000, unit = 100;
  if (text.size() > 1 && text[1] != '.') return 0;
  for (size_t i = 2; i < text.size(); ++i, unit /= 10) {
    if (text[i] < '0' || text[i] > '9' || unit == 0) return 0;
    q += (text[i] - '0') * unit;
  }
  return q > 1000 ? 0 : q;
}

std::vector<MediaRange> parse_accept(std::string_view accept) {
  std::vector<MediaRange> ranges;
  for (const std::string& item : split(accept, ',')) {
    if (ranges.size() == kMostRanges) break;
    const std::vector<std::string> parts = split(item, ';');
    MediaRange range{lower(trim(parts[0]))};
    if (range.type.empty()) continue;
    for (size_t i = 1; i < parts.size(); ++i) {
      const std::string parameter = lower(trim(parts[i]));
      if (parameter.rfind("q=", 0) == 0) range.q = parse_q(std::string_view(parameter).substr(2));
    }
    ranges.push_back(std::move(range));
  }
  return ranges;
}

// PEP 691 "latest" names whatever version is newest; the answer says which it is.
std::string resolve_latest(const std::string& type) {
  if (type == "application/vnd.pypi.simple.latest+json") return resolver::kSimpleJson;
  if (type == "application/vnd.pypi.simple.latest+html") return resolver::kSimpleHtml;
  return type;
}

// 3 named, 2 "application/*", 1 "*/*", 0 not matched.
int specificity(const std::string& range, const std::string& type) {
  if (resolve_latest(range) == type) return 3;
  if (range == "*/*") return 1;
  if (range.size() > 2 && range.ends_with("/*") && type.rfind(range.substr(0, range.size() - 1), 0) == 0) return 2;
  return 0;
}

}  // namespace

std::string page_content_type(PageFormat format) {
  switch (format) {
    case PageFormat::json:
      return resolver::kSimpleJson;
    case PageFormat::v1_html:
      return resolver::kSimpleHtml;
    case PageFormat::text_html:
      break;
  }
  return "text/html; charset=utf-8";
}

bool prefers_gzip(std::string_view accept_encoding) {
  int gzip = -1, identity = -1, any = -1;
  for (const MediaRange& coding : parse_accept(accept_encoding)) {
    if (coding.type == "gzip" || coding.type == "x-gzip") gzip = std::max(gzip, coding.q);
    if (coding.type == "identity") identity = coding.q;
    if (coding.type == "*") any = coding.q;
  }
  if (gzip < 0) gzip = any;
  return gzip > 0 && gzip >= identity;
}

std::optional<PageFormat> negotiate_page(std::string_view accept) {
  if (trim(accept).empty()) return PageFormat::text_html;
  struct Offer {
    PageFormat format;
    std::string type;
    int rank_named, rank_wild;
  };
  const std::array<Offer, 3> offers = {{{PageFormat::json, resolver::kSimpleJson, 3, 1},
                                        {PageFormat::v1_html, resolver::kSimpleHtml, 2, 2},
                                        {PageFormat::text_html, "text/html", 1, 3}}};
  const std::vector<MediaRange> ranges = parse_accept(accept);
  std::optional<PageFormat> best;
  int best_score = 0;
  for (const Offer& offer : offers) {
    int how = 0, q = 0;
    for (const MediaRange& range : ranges) {
      const int now = specificity(range.type, offer.type);
      if (now > how) how = now, q = range.q;
    }
    if (q == 0) continue;
    const int score = q * 100 + how * 10 + (how == 3 ? offer.rank_named : offer.rank_wild);
    if (score > best_score) best_score = score, best = offer.format;
  }
  return best;
}

}  // namespace dae::mirror
