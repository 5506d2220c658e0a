#include "mirror/storage/s3_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "base/strings.h"

namespace dae::mirror {
namespace {

constexpr size_t kMaxErrorBody = 64 << 10, kLongestReason = 300;
// S3 refuses requests that are signed with a time more than 15 minutes from its own.
constexpr int64_t kMaxSkewMs = 15 * 60'000;

// A server's words, for a line of a terminal or a page.
std::string shown(std::string_view text) {
  std::string out = html_escape(text.substr(0, kLongestReason));
  std::replace_if(
      out.begin(), out.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, ' ');
  return out;
}

bool is_one_of(std::string_view code, std::initializer_list<std::string_view> codes) {
  return std::find(codes.begin(), codes.end(), code) != codes.end();
}

// Some of these come with status 400, or in the body of a 200.
bool is_about_credentials(std::string_view code) {
  return is_one_of(code, {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken",
                          "TokenRefreshRequired", "AllAccessDisabled", "AccountProblem"});
}

ErrorKind kind_of(int status, const S3Refusal& refusal) {
  // The bytes on their way were not those whose digest was signed.
  if (is_one_of(refusal.code, {"XAmzContentSHA256Mismatch", "BadDigest", "InvalidDigest"})) {
    return ErrorKind::verification;
  }
  if (is_one_of(refusal.code, {"NoSuchBucket", "InvalidBucketName", "AuthorizationHeaderMalformed",
                               "AuthorizationQueryParametersError", "QuotaExceeded", "NotImplemented"})) {
    return ErrorKind::refused;
  }
  if (is_about_credentials(refusal.code) || refusal.code == "RequestTimeTooSkewed") return ErrorKind::refused;
  if (status == 401 || status == 403 || status == 405 || status == 501) return ErrorKind::refused;
  // Those of other writes pass; the others, as that of a key that is a folder too, do not.
  if (status == 409 && !is_one_of(refusal.code, {"ConditionalRequestConflict", "OperationAborted", ""})) {
    return ErrorKind::refused;
  }
  // A redirect is not followed: its target would get a request that was signed for somebody else.
  return status >= 300 && status < 400 ? ErrorKind::refused : ErrorKind::network;
}

// Names with a dot are none that the certificate `*.s3.REGION.amazonaws.com` covers.
std::string bucket_url_of(const S3Place& place) {
  if (!place.endpoint.empty()) return place.endpoint + "/" + place.bucket + "/";
  const std::string host =
      "s3." + place.region + (place.region.starts_with("cn-") ? ".amazonaws.com.cn" : ".amazonaws.com");
  if (place.bucket.find('.') != std::string::npos) return "https://" + host + "/" + place.bucket + "/";
  return "https://" + place.bucket + "." + host + "/";
}

}  // namespace

S3Refusal s3_refusal(std::string_view body) {
  if (body.empty() || body.size() > kMaxErrorBody) return {};
  try {
    const XmlElement root = parse_xml(body, "");
    if (root.name != "Error") return {};
    return {shown(root.text_of("Code")), shown(root.text_of("Message"))};
  } catch (const Error&) {
    return {};  // a proxy's page
  }
}

S3Client::S3Client(const S3Place& place, const S3Credentials& credentials, Transport& transport, Clock& clock)
    : place_(place),
      signing_{.access_key = credentials.access_key,
               .secret_key = credentials.secret_key,
               .session_token = credentials.session_token,
               .region = place.region},
      transport_(transport),
      clock_(clock),
      bucket_url_(bucket_url_of(place)) {}

HttpRequest S3Client::request(const std::string& method, const std::string& url) const {
  HttpRequest out;
  out.method = method;
  out.url = url;
  out.signing = signing_;
  return out;
}

HttpRequest S3Client::object_request(const std::string& method, const std::string& key) const {
  check_object_key(key);
  return request(method, bucket_url_ + place_.prefix + key);
}

HttpRequest S3Client::bucket_request(const std::vector<std::pair<std::string, std::string>>& query) const {
  std::vector<std::string> pairs;
  for (const auto& [name, value] : query) pairs.push_back(name + "=" + percent_encode(value));
  // Without the slash in path style: some servers take `/bucket/` for an object with an empty key.
  std::string url = bucket_url_;
  if (parse_url(url).path != "/") url.pop_back();
  return request("GET", url + "?" + join(pairs, "&"));
}

std::string S3Client::subject(const std::string& key) const {
  return "s3://" + place_.bucket + "/" + place_.prefix + html_escape(key.substr(0, kLongestReason));
}

bool S3Client::is_missing_object(const HttpResponse& response) {
  return response.status == 404 && s3_refusal(response.body).code != "NoSuchBucket";
}

std::string S3Client::hint_of(const S3Refusal& refusal, const HttpResponse& response) const {
  const int64_t date_ms = parse_http_date(response.headers.get("Date"));
  const int64_t skew_ms = date_ms < 0 ? 0 : clock_.wall_ms() - date_ms;
  if (refusal.code == "RequestTimeTooSkewed" || (response.status == 403 && std::abs(skew_ms) > kMaxSkewMs)) {
    const std::string apart = date_ms < 0 ? "" : fmt::format(" ({} apart)", format_duration(std::abs(skew_ms)));
    return "the clocks of this machine and of the server differ" + apart + ": set this machine's, for example by NTP";
  }
  if (refusal.code == "NoSuchBucket") return "make the bucket `" + place_.bucket + "`, or correct the storage's URL";
  if (is_one_of(refusal.code, {"AuthorizationHeaderMalformed", "PermanentRedirect", "TemporaryRedirect",
                               "IllegalLocationConstraintException"}) ||
      (response.status >= 300 && response.status < 400)) {
    const std::string region = shown(response.headers.get("x-amz-bucket-region"));
    return region.empty() ? "do `region` and `endpoint` of the storage's URL belong to the bucket?"
                          : "the bucket is in the region `" + region + "`: name it in the storage's URL (`region=…`)";
  }
  if (response.status == 501 || refusal.code == "NotImplemented") {
    return "a mirror's storage needs conditional writes (If-Match and If-None-Match of PutObject)";
  }
  if (response.status == 401 || response.status == 403 || is_about_credentials(refusal.code)) {
    return "are these the right credentials (AWS_ACCESS_KEY_ID, or the profile AWS_PROFILE), and may they read, write, "
           "list and delete in this bucket?";
  }
  return "";
}

Error S3Client::error(const std::string& what, const std::string& key, const HttpResponse& response) const {
  const S3Refusal refusal = s3_refusal(response.body);
  Error out = error(what, key, refusal, response.status);
  if (std::string hint = hint_of(refusal, response); !hint.empty()) out.with_hint(std::move(hint));
  return out;
}

Error S3Client::error(const std::string& what, const std::string& key, const S3Refusal& refusal, int status) const {
  std::string why = fmt::format("the server answered {} {}", status, http_reason(status));
  if (!refusal.code.empty()) {
    why = refusal.code + (refusal.message.empty() ? "" : ": " + refusal.message) + fmt::format(" ({})", status);
  }
  Error out(kind_of(status, refusal), what, subject(key));
  out.because(std::move(why));
  return out;
}

Error S3Client::unusable(const std::string& what, const std::string& key, std::string why) const {
  Error out(ErrorKind::network, what, subject(key));
  out.because(std::move(why));
  return out;
}

XmlElement S3Client::parse(const std::string& what, const std::string& key, const std::string& body,
                           const char* root) const {
  XmlElement out;
  try {
    out = parse_xml(body, subject(key));
  } catch (const Error& wrong) {
    throw unusable(what, key, wrong.message() + ", " + wrong.cause());
  }
  if (out.name != root) throw unusable(what, key, "the answer is of something else");
  return out;
}

}  // namespace dae::mirror
