#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "base/log.h"
#include "base/strings.h"
#include "base/value.h"
#include "mirror/storage/s3_object_store.h"

namespace dae::mirror {
namespace {

constexpr std::string_view kScheme = "s3://";
constexpr size_t kMaxUrl = 2048, kMaxPrefix = 400, kMaxRegion = 60;

bool is_lower_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

// "Bucket naming rules" of Amazon S3, of which other servers have the same or fewer.
bool is_bucket(std::string_view text) {
  if (text.size() < 3 || text.size() > 63) return false;
  if (!is_lower_or_digit(text.front()) || !is_lower_or_digit(text.back())) return false;
  if (text.find("..") != std::string_view::npos) return false;
  return std::all_of(text.begin(), text.end(), [](char c) { return is_lower_or_digit(c) || c == '-' || c == '.'; });
}

bool is_region(std::string_view text) {
  return !text.empty() && text.size() <= kMaxRegion &&
         std::all_of(text.begin(), text.end(), [](char c) { return is_lower_or_digit(c) || c == '-' || c == '_'; });
}

class PlaceReader {
 public:
  explicit PlaceReader(std::string_view text) : text_(text) {}

  S3Place read() {
    if (text_.size() > kMaxUrl) fail("it is too long");
    if (!is_s3_url(text_)) fail("it does not begin with `s3://`");
    if (text_.find('#') != std::string_view::npos) fail("a `#`, which means nothing here");
    std::string_view rest = text_.substr(kScheme.size());
    const size_t mark = std::min(rest.find('?'), rest.size());
    if (mark < rest.size()) query(rest.substr(mark + 1));
    rest = rest.substr(0, mark);
    const size_t slash = std::min(rest.find('/'), rest.size());
    place_.bucket = rest.substr(0, slash);
    // Before anything of it could be shown.
    if (place_.bucket.find('@') != std::string::npos) {
      fail("a name or password in it", "credentials come from the environment: AWS_ACCESS_KEY_ID, …");
    }
    if (!is_bucket(place_.bucket)) {
      fail("the bucket's name is none", "3 to 63 lower-case letters, digits, `-` and `.`: s3://BUCKET/PREFIX");
    }
    if (slash < rest.size()) prefix(rest.substr(slash + 1));
    return std::move(place_);
  }

 private:
  [[noreturn]] void fail(const std::string& why, std::string hint = "") const {
    // Without the query, which may hold what does not belong there.
    std::string shown = redact_url(text_.substr(0, std::min(text_.find_first_of("?#"), text_.size())));
    std::replace_if(
        shown.begin(), shown.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, '?');
    if (hint.empty()) hint = "s3://BUCKET/PREFIX?endpoint=https%3A%2F%2Fs3.example&region=eu-central-1";
    throw Error(ErrorKind::bad_input, "not the URL of an S3 storage", shown.substr(0, 200))
        .because(why)
        .with_hint(hint);
  }

  void prefix(std::string_view text) {
    if (text.ends_with('/')) text.remove_suffix(1);
    if (text.empty()) return;
    try {
      check_object_key(text);
    } catch (const Error& error) {
      fail("its prefix cannot begin the key of an object: " + error.cause());
    }
    if (text.size() > kMaxPrefix) fail("its prefix is too long");
    place_.prefix = std::string(text) + "/";
  }

  void query(std::string_view text) {
    std::vector<std::string> seen;
    for (const std::string& pair : split(text, '&')) {
      const size_t equals = std::min(pair.find('='), pair.size());
      const std::string name = percent_decode(pair.substr(0, equals));
      const std::string value = equals < pair.size() ? percent_decode(pair.substr(equals + 1)) : "";
      if (std::count(seen.begin(), seen.end(), name) > 0) fail(fmt::format("`{}` stands there twice", name));
      if (name == "endpoint") {
        endpoint(value);
      } else if (name == "region") {
        if (!is_region(value)) fail("the region is none", "for example `region=eu-central-1`");
        place_.region = value;
      } else {
        const std::string nearest = nearest_name(name, {"endpoint", "region"});
        fail("a parameter that is neither `endpoint` nor `region`",
             nearest.empty() ? "" : "did you mean `" + nearest + "`?");
      }
      seen.push_back(name);
    }
  }

  void endpoint(const std::string& value) {
    std::optional<Url> url;
    try {
      url = parse_url(value);
    } catch (const Error&) {
      // Said below.
    }
    if (url && !url->user_info.empty()) {
      fail("a name or password in the endpoint", "credentials come from the environment: AWS_ACCESS_KEY_ID, …");
    }
    if (!url || url->path != "/" || !url->query.empty() || !url->fragment.empty()) {
      fail("the endpoint is not the origin of a server", "for example `endpoint=https%3A%2F%2Fs3.example%3A9000`");
    }
    place_.endpoint = url->origin();
  }

  std::string_view text_;
  S3Place place_;
};

}  // namespace

bool is_s3_url(std::string_view text) {
  return text.starts_with(kScheme);
}

S3Place parse_s3_url(std::string_view text) {
  return PlaceReader(text).read();
}

std::string S3Place::text() const {
  std::vector<std::string> parameters;
  if (!endpoint.empty()) parameters.push_back("endpoint=" + percent_encode(endpoint));
  if (region != S3Place().region) parameters.push_back("region=" + region);
  return std::string(kScheme) + bucket + "/" + prefix + (parameters.empty() ? "" : "?" + join(parameters, "&"));
}

}  // namespace dae::mirror
