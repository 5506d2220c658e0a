#include "base/http_signing.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/hash.h"
#include "base/strings.h"

// libcurl 7.88 signs what it is given and makes nothing of it canonical. Hence, before it signs:
// - the query is sorted and encoded here (curl's issue 9717), and every parameter has a `=` (8107);
// - the path may only have characters that are never encoded (13754);
// - x-amz-content-sha256 is there, as S3 demands it and 7.88 only reads it (8810);
// - there is no field that it would sign and not send (without a value), nor two of which one's name begins with the
//   other's and a `-`, as it sorts whole lines, where `-` comes before the `:`.

namespace dae {
namespace {

constexpr const char* kContentHash = "x-amz-content-sha256";

Error cannot_sign(const std::string& subject, std::string why) {
  Error error(ErrorKind::bad_input, "the request cannot be signed", subject);
  error.because(std::move(why));
  return error;
}

std::string canonical_query(std::string_view query) {
  std::vector<std::pair<std::string, std::string>> parameters;
  for (const std::string& pair : split(query, '&')) {
    if (pair.empty()) continue;
    const size_t equals = std::min(pair.find('='), pair.size());
    const std::string value = equals < pair.size() ? pair.substr(equals + 1) : "";
    parameters.emplace_back(percent_encode(percent_decode(pair.substr(0, equals))),
                            percent_encode(percent_decode(value)));
  }
  std::sort(parameters.begin(), parameters.end());
  std::vector<std::string> out;
  for (const auto& [name, value] : parameters) out.push_back(name + "=" + value);
  return join(out, "&");
}

void check_path(std::string_view path, const std::string& subject) {
  const bool plain = std::all_of(path.begin(), path.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-._~/").find(c) != std::string_view::npos;
  });
  if (!plain) throw cannot_sign(subject, "its path has a character that would have to be encoded");
}

void check_order(const Headers& headers, const std::string& subject) {
  for (const auto& [name, value] : headers.fields()) {
    if (trim(value).empty()) throw cannot_sign(subject, fmt::format("the field `{}` has no value", html_escape(name)));
    for (const auto& other : headers.fields()) {
      if (lower(other.first).starts_with(lower(name) + "-")) {
        throw cannot_sign(subject, fmt::format("libcurl cannot sort the field `{}`", html_escape(name)));
      }
    }
  }
}

}  // namespace

void make_signable(HttpRequest& request, const std::string& subject) {
  const RequestSigning& signing = *request.signing;
  static constexpr std::string_view kBreaks("\r\n\0", 3);
  for (const std::string* text : {&signing.access_key, &signing.secret_key, &signing.region, &signing.service}) {
    if (text->empty() || text->find_first_of(kBreaks) != std::string::npos) {
      throw cannot_sign(subject, "a part of the credentials is empty or has a line break");
    }
  }
  if ((signing.region + signing.service).find_first_of(": \t") != std::string::npos) {
    throw cannot_sign(subject, "region or service are none");
  }
  Url url = parse_url(request.url);
  check_path(url.path, subject);
  const std::string query = canonical_query(url.query);
  request.url = url.origin() + url.path + (query.empty() ? "" : "?" + query);
  request.follow_redirects = false;
  Headers& headers = request.headers;
  if (!request.body_file.empty() && !headers.has(kContentHash)) {
    throw cannot_sign(subject, "the digest of the file is not given");
  }
  if (!headers.has(kContentHash)) headers.set(kContentHash, Digest::of(request.body).hex());
  if (!signing.session_token.empty()) headers.set("x-amz-security-token", signing.session_token);
  const bool has_body = request.method == "PUT" || request.method == "POST" || request.method == "PATCH";
  if (has_body && !headers.has("Content-Type")) headers.set("Content-Type", "application/octet-stream");
  check_order(headers, subject);
}

void set_signing(CURL* easy, const RequestSigning& signing) {
  const std::string how = fmt::format("aws:amz:{}:{}", signing.region, signing.service);
  curl_easy_setopt(easy, CURLOPT_AWS_SIGV4, how.c_str());
  // Not CURLOPT_USERPWD, which is cut at the first colon.
  curl_easy_setopt(easy, CURLOPT_USERNAME, signing.access_key.c_str());
  curl_easy_setopt(easy, CURLOPT_PASSWORD, signing.secret_key.c_str());
}

}  // namespace dae
