#include "base/http.h"

#include <gtest/gtest.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/http_conditional.h"
#include "base/http_retry.h"
#include "base/http_router.h"

namespace dae {
namespace {

TEST(HttpHeaders, CompareNamesWithoutCaseAndKeepDuplicatesInOrder) {
  Headers headers{{"Link", "a"}, {"link", "b"}, {"ETag", "x"}};
  EXPECT_EQ(headers.get("LINK"), "a");
  EXPECT_TRUE(headers.has("etag"));
  EXPECT_FALSE(headers.has("Etagg"));
  EXPECT_EQ(headers.fields().size(), 3u);
  headers.set("LINK", "c");
  EXPECT_EQ(headers.fields().size(), 2u);
  EXPECT_EQ(headers.get("link"), "c");
  headers.erase("etag");
  EXPECT_EQ(headers.get("ETag"), "");
}

TEST(HttpUrl, TakesAnAddressApart) {
  Url url = parse_url("HTTPS://user:p%40ss@Example.ORG:8443/a/b?x=1&y#frag");
  EXPECT_EQ(url.scheme, "https");
  EXPECT_EQ(url.user_info, "user:p%40ss");
  EXPECT_EQ(url.host, "example.org");
  EXPECT_EQ(url.port, 8443);
  EXPECT_EQ(url.path, "/a/b");
  EXPECT_EQ(url.query, "x=1&y");
  EXPECT_EQ(url.fragment, "frag");
  EXPECT_EQ(url.origin(), "https://example.org:8443");
  EXPECT_EQ(url.text(), "https://example.org:8443/a/b?x=1&y");
}

TEST(HttpUrl, FillsInPortAndPath) {
  EXPECT_EQ(parse_url("http://h").text(), "http://h/");
  EXPECT_EQ(parse_url("http://h").port, 80);
  EXPECT_EQ(parse_url("https://h:443/").origin(), "https://h");
  EXPECT_EQ(parse_url("http://[::1]:8400/x").host, "[::1]");
  EXPECT_EQ(parse_url("http://[::1]:8400/x").port, 8400);
}

TEST(HttpUrl, RefusesWhatIsNoHttpAddress) {
  for (const char* text :
       {"", "ftp://h/", "http:///x", "http://h:0/", "http://h:65536/", "http://h:8x/", "//h/x", "h/x", "http://h/a b",
        "http://h/\r\nX: y", "http://[::1/", "http://a\\b/", "file:///etc/passwd"}) {
    EXPECT_THROW(parse_url(text), Error) << text;
  }
}

TEST(HttpUrl, NamesNoPasswordWhenItRefuses) {
  try {
    parse_url("http://user:hunter2@h:99999/");
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::bad_input);
    EXPECT_EQ(std::string(error.what()).find("hunter2"), std::string::npos) << error.what();
  }
}

// RFC 3986 sections 5.4.1 and 5.4.2, all of them.
TEST(HttpUrl, ResolvesTheExamplesOfRfc3986) {
  const std::pair<const char*, const char*> kExamples[] = {
      {"g:h", "g:h"},
      {"g", "http://a/b/c/g"},
      {"./g", "http://a/b/c/g"},
      {"g/", "http://a/b/c/g/"},
      {"/g", "http://a/g"},
      {"//g", "http://g"},
      {"?y", "http://a/b/c/d;p?y"},
      {"g?y", "http://a/b/c/g?y"},
      {"#s", "http://a/b/c/d;p?q#s"},
      {"g#s", "http://a/b/c/g#s"},
      {"g?y#s", "http://a/b/c/g?y#s"},
      {";x", "http://a/b/c/;x"},
      {"g;x", "http://a/b/c/g;x"},
      {"g;x?y#s", "http://a/b/c/g;x?y#s"},
      {"", "http://a/b/c/d;p?q"},
      {".", "http://a/b/c/"},
      {"./", "http://a/b/c/"},
      {"..", "http://a/b/"},
      {"../", "http://a/b/"},
      {"../g", "http://a/b/g"},
      {"../..", "http://a/"},
      {"../../", "http://a/"},
      {"../../g", "http://a/g"},
      {"../../../g", "http://a/g"},
      {"../../../../g", "http://a/g"},
      {"/./g", "http://a/g"},
      {"/../g", "http://a/g"},
      {"g.", "http://a/b/c/g."},
      {".g", "http://a/b/c/.g"},
      {"g..", "http://a/b/c/g.."},
      {"..g", "http://a/b/c/..g"},
      {"./../g", "http://a/b/g"},
      {"./g/.", "http://a/b/c/g/"},
      {"g/./h", "http://a/b/c/g/h"},
      {"g/../h", "http://a/b/c/h"},
      {"g;x=1/./y", "http://a/b/c/g;x=1/y"},
      {"g;x=1/../y", "http://a/b/c/y"},
      {"g?y/./x", "http://a/b/c/g?y/./x"},
      {"g?y/../x", "http://a/b/c/g?y/../x"},
      {"g#s/./x", "http://a/b/c/g#s/./x"},
      {"g#s/../x", "http://a/b/c/g#s/../x"},
      {"http:g", "http:g"},
  };
  for (const auto& [reference, expected] : kExamples) {
    EXPECT_EQ(resolve_url("http://a/b/c/d;p?q", reference), expected) << reference;
  }
  EXPECT_EQ(resolve_url("http://a", "g"), "http://a/g");
}

TEST(HttpUrl, EncodesAndDecodesPercents) {
  EXPECT_EQ(percent_encode("a b/c~\xC3\xA9"), "a%20b%2Fc~%C3%A9");
  EXPECT_EQ(percent_encode("a b/c", true), "a%20b/c");
  EXPECT_EQ(percent_decode("a%20b%2fc"), "a b/c");
  EXPECT_EQ(percent_decode("100%"), "100%");
  EXPECT_EQ(percent_decode("%zz%4"), "%zz%4");
}

TEST(HttpRetry, DoublesThePauseUpToTenSeconds) {
  EXPECT_EQ(backoff_ms(0, 250, 0), 250);
  EXPECT_EQ(backoff_ms(2, 250, 0), 1000);
  EXPECT_EQ(backoff_ms(30, 250, 0), 10'000);
  EXPECT_EQ(backoff_ms(0, 1000, 1), 1200);
  EXPECT_EQ(backoff_ms(0, 1000, -1), 800);
}

TEST(HttpRetry, ReadsRetryAfterInSecondsAndAsADate) {
  int64_t now_ms = 1'700'000'000'000;
  EXPECT_EQ(retry_after_ms("7", now_ms), 7000);
  EXPECT_EQ(retry_after_ms(format_http_date(now_ms + 5000), now_ms), 5000);
  EXPECT_EQ(retry_after_ms(format_http_date(now_ms - 5000), now_ms), 0);
  EXPECT_EQ(retry_after_ms("soon", now_ms), -1);
  EXPECT_EQ(retry_after_ms("", now_ms), -1);
  EXPECT_EQ(retry_after_ms("-3", now_ms), -1);
}

TEST(HttpRetry, NeverRepeatsAPost) {
  EXPECT_TRUE(is_idempotent("PUT"));
  EXPECT_FALSE(is_idempotent("POST"));
  EXPECT_FALSE(is_idempotent("PATCH"));
  EXPECT_TRUE(is_retryable_status(503));
  EXPECT_FALSE(is_retryable_status(501));
  EXPECT_FALSE(is_retryable_status(404));
}

std::string range_of(const char* field, uint64_t size_bytes, const Headers& more = {}) {
  Headers request = more;
  request.add("Range", field);
  ByteRange range;
  switch (pick_range(request, {.etag = "v1", .last_modified_ms = 1'700'000'000'000}, size_bytes, &range)) {
    case RangeAnswer::whole:
      return "whole";
    case RangeAnswer::unsatisfiable:
      return "unsatisfiable";
    case RangeAnswer::part:
      break;
  }
  return std::to_string(range.offset) + "+" + std::to_string(range.length);
}

TEST(HttpRange, PicksWhatIsAskedFor) {
  EXPECT_EQ(range_of("bytes=0-0", 10), "0+1");
  EXPECT_EQ(range_of("bytes=2-5", 10), "2+4");
  EXPECT_EQ(range_of("bytes=2-", 10), "2+8");
  EXPECT_EQ(range_of("bytes=2-99", 10), "2+8");
  EXPECT_EQ(range_of("bytes=-3", 10), "7+3");
  EXPECT_EQ(range_of("bytes=-99", 10), "0+10");
  EXPECT_EQ(range_of("bytes=0-18446744073709551615", 10), "0+10");
  EXPECT_EQ(range_of("bytes=0-99999999999999999999999", 10), "0+10");
  EXPECT_EQ(range_of("bytes=10-", 10), "unsatisfiable");
  EXPECT_EQ(range_of("bytes=-0", 10), "unsatisfiable");
  EXPECT_EQ(range_of("bytes=5-2", 10), "unsatisfiable");
  EXPECT_EQ(range_of("bytes=0-", 0), "unsatisfiable");
}

TEST(HttpRange, AnswersTheWholeToWhatItDoesNotUnderstand) {
  for (const char* field :
       {"bytes=a-b", "bytes=", "bytes=-", "bytes=1", "lines=1-2", "bytes=0-1,4-5", "bytes=--1", "bytes=1-2x"}) {
    EXPECT_EQ(range_of(field, 10), "whole") << field;
  }
}

TEST(HttpRange, AppliesOnlyWhileIfRangeHolds) {
  EXPECT_EQ(range_of("bytes=2-", 10, {{"If-Range", "\"v1\""}}), "2+8");
  EXPECT_EQ(range_of("bytes=2-", 10, {{"If-Range", "\"v2\""}}), "whole");
  EXPECT_EQ(range_of("bytes=2-", 10, {{"If-Range", "W/\"v1\""}}), "whole");
  EXPECT_EQ(range_of("bytes=2-", 10, {{"If-Range", format_http_date(1'700'000'000'000)}}), "2+8");
  EXPECT_EQ(range_of("bytes=2-", 10, {{"If-Range", format_http_date(1'700'000'001'000)}}), "whole");
}

TEST(HttpConditional, ComparesTagsWeaklyAndPrefersThemToDates) {
  Validators file{.etag = "v1", .last_modified_ms = 1'700'000'000'000};
  auto current = [&](Headers request) { return is_not_modified(request, file); };
  EXPECT_TRUE(current({{"If-None-Match", "\"v1\""}}));
  EXPECT_TRUE(current({{"If-None-Match", "\"v0\", W/\"v1\""}}));
  EXPECT_TRUE(current({{"If-None-Match", "*"}}));
  EXPECT_FALSE(current({{"If-None-Match", "\"v2\""}}));
  EXPECT_FALSE(current({{"If-None-Match", "v1"}}));
  EXPECT_TRUE(current({{"If-Modified-Since", format_http_date(1'700'000'000'000)}}));
  EXPECT_FALSE(current({{"If-Modified-Since", format_http_date(1'699'999'999'000)}}));
  EXPECT_FALSE(current({{"If-Modified-Since", "yesterday"}}));
  EXPECT_FALSE(current({{"If-None-Match", "\"v2\""}, {"If-Modified-Since", format_http_date(1'700'000'000'000)}}));
}

std::string routed(const Router& router, std::string_view method, std::string_view target) {
  auto parsed = parse_target(target);
  if (!parsed) return "refused";
  Router::Match match = router.match(method, parsed->segments);
  if (match.route == nullptr) return match.allow.empty() ? "none" : "allow " + match.allow;
  std::string out = match.route->pattern;
  for (const std::string& capture : match.captures) out += " [" + capture + "]";
  return out;
}

Router make_router() {
  std::vector<Route> routes;
  for (auto [method, pattern] : {std::pair{"GET", "/v2/{+}/blobs/{}"},
                                 {"GET", "/v2/{+}/manifests/{}"},
                                 {"POST", "/v2/{+}/blobs/uploads/"},
                                 {"PUT", "/v2/{+}/blobs/uploads/{}"},
                                 {"GET", "/v2/"},
                                 {"GET", "/{}/simple/"},
                                 {"GET", "/{}/simple/{}/"},
                                 {"GET", "/files/{*}"},
                                 {"DELETE", "/a/b"},
                                 {"GET", "/a/{}"},
                                 {"GET", "/"}}) {
    routes.push_back(Route{.method = method, .pattern = pattern, .handle = {}});
  }
  return Router(std::move(routes));
}

TEST(HttpRouter, TakesTheMostSpecificPattern) {
  Router router = make_router();
  EXPECT_EQ(routed(router, "GET", "/"), "/");
  EXPECT_EQ(routed(router, "GET", "/v2/"), "/v2/");
  EXPECT_EQ(routed(router, "GET", "/v2"), "none");
  EXPECT_EQ(routed(router, "GET", "/v2/apps/bubbler/manifests/1.0"), "/v2/{+}/manifests/{} [apps/bubbler] [1.0]");
  EXPECT_EQ(routed(router, "POST", "/v2/a/b/c/blobs/uploads/"), "/v2/{+}/blobs/uploads/ [a/b/c]");
  EXPECT_EQ(routed(router, "PUT", "/v2/blobs/blobs/uploads/7"), "/v2/{+}/blobs/uploads/{} [blobs] [7]");
  EXPECT_EQ(routed(router, "GET", "/v2/blobs/sha256:0"), "none");
  EXPECT_EQ(routed(router, "HEAD", "/pypi/simple/flask/"), "/{}/simple/{}/ [pypi] [flask]");
  EXPECT_EQ(routed(router, "GET", "/pypi/simple/flask"), "none");
  EXPECT_EQ(routed(router, "GET", "/files/x/y%20z"), "/files/{*} [x/y z]");
  EXPECT_EQ(routed(router, "GET", "/files/"), "/files/{*} []");
  EXPECT_EQ(routed(router, "GET", "/a/b"), "/a/{} [b]");
  EXPECT_EQ(routed(router, "DELETE", "/a/b"), "/a/b");
}

TEST(HttpRouter, NamesTheMethodsThatWouldHaveMatched) {
  Router router = make_router();
  EXPECT_EQ(routed(router, "POST", "/a/b"), "allow DELETE, GET, HEAD");
  EXPECT_EQ(routed(router, "GET", "/v2/a/blobs/uploads/"), "allow POST");
}

TEST(HttpRouter, LetsNoPathEscape) {
  Router router = make_router();
  for (const char* target : {"/files/../x", "/files/%2e%2e/x", "/files/a%2f..%2fx", "/files/a%00b", "files", "*", ""}) {
    EXPECT_EQ(routed(router, "GET", target), "refused") << target;
  }
  EXPECT_EQ(routed(router, "GET", "/a/b%2fc"), "none");
  EXPECT_EQ(routed(router, "GET", "/files/..x"), "/files/{*} [..x]");
}

TEST(HttpRouter, DecodesTheQueryInOrder) {
  auto target = parse_target("http://h/x?b=1+2&a=%26&flag&&b=3");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->path, "/x");
  std::vector<std::pair<std::string, std::string>> expected{{"b", "1 2"}, {"a", "&"}, {"flag", ""}, {"b", "3"}};
  EXPECT_EQ(target->query, expected);
}

TEST(HttpRouter, RefusesPatternsThatCannotWork) {
  for (const char* pattern : {"x", "/{*}/x", "/{+}/{+}/x", "/a{}", "/{+}/x/{*}"}) {
    EXPECT_THROW(Router({Route{.method = "GET", .pattern = pattern, .handle = {}}}), Error) << pattern;
  }
}

}  // namespace
}  // namespace dae
