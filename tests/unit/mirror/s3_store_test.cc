// An S3 store whose server says what real ones say seldom, or never should.
#include <gtest/gtest.h>

#include <atomic>

#include "base/http_server.h"
#include "mirror/storage/s3_object_store.h"
#include "scripted_transport.h"
#include "support/error_of.h"

namespace dae::mirror {
namespace {

using dae::testing::error_of;
using testing::answer;
using testing::ScriptedTransport;

const Headers kEtag{{"ETag", "\"e\""}};

std::string refusal(const std::string& code, const std::string& message = "because") {
  return "<?xml version=\"1.0\"?><Error><Code>" + code + "</Code><Message>" + message + "</Message></Error>";
}

class S3Store : public ::testing::Test {
 protected:
  ObjectStore& open(ScriptedTransport::Script script, const std::string& url = "s3://bucket/p/?endpoint=http://h:1") {
    transport_ = std::make_unique<ScriptedTransport>(std::move(script));
    const S3Credentials credentials{"access", "hidden-secret", "hidden-session"};
    store_ = open_s3(parse_s3_url(url), credentials, *transport_, clock_);
    return *store_;
  }
  ObjectStore& open_answering(int status, const std::string& body = "", const Headers& headers = {}) {
    return open([=](const HttpRequest&) { return answer(status, body, headers); });
  }
  size_t asked() const { return transport_->requests().size(); }
  HttpRequest last() const { return transport_->requests().back(); }

  ManualClock clock_;
  std::unique_ptr<ScriptedTransport> transport_;
  std::unique_ptr<ObjectStore> store_;
};

TEST_F(S3Store, AddressesABucketByPathOrByHost) {
  open_answering(200, "x", kEtag).get("k/1");
  EXPECT_EQ(last().url, "http://h:1/bucket/p/k/1");
  EXPECT_EQ(last().signing->region, "us-east-1");
  EXPECT_EQ(last().signing->session_token, "hidden-session");
  const auto script = [](const HttpRequest&) { return answer(200, "x", kEtag); };
  open(script, "s3://bucket/p?region=eu-west-1").get("k");
  EXPECT_EQ(last().url, "https://bucket.s3.eu-west-1.amazonaws.com/p/k");
  open(script, "s3://bucket.with.dots").get("k");
  EXPECT_EQ(last().url, "https://s3.us-east-1.amazonaws.com/bucket.with.dots/k");
}

TEST_F(S3Store, TakesNoKeyThatAServerWouldReadOtherwise) {
  ObjectStore& store = open_answering(200);
  for (const char* key : {"", "/a", "a/", "a//b", "a/../b", "a b", "a%20b", "a?b", "\xc3\xa9"}) {
    EXPECT_EQ(error_of([&] { store.get(key); }).kind(), ErrorKind::bad_input) << key;
    EXPECT_EQ(error_of([&] { store.remove(key); }).kind(), ErrorKind::bad_input) << key;
  }
  EXPECT_EQ(asked(), 0U);
}

TEST_F(S3Store, SaysWhatTheServerSaidWithoutItsMarkup) {
  ObjectStore& store = open_answering(403, refusal("AccessDenied", "&lt;b&gt;no&#10;way"));
  const Error error = error_of([&] { store.get("k"); });
  EXPECT_EQ(error.kind(), ErrorKind::refused);
  EXPECT_EQ(error.cause(), "AccessDenied: &lt;b&gt;no way (403)");
  EXPECT_NE(error.hint().find("AWS_ACCESS_KEY_ID"), std::string::npos);
  EXPECT_EQ(render_error(error).find("hidden"), std::string::npos);
}

TEST_F(S3Store, SurvivesErrorsThatAreNoXml) {
  for (const std::string& body : {std::string("<html><b>no"), std::string(), std::string(1 << 20, '<')}) {
    const Error error = error_of([&] { open_answering(502, body).get("k"); });
    EXPECT_EQ(error.kind(), ErrorKind::network);
    EXPECT_NE(error.cause().find("502"), std::string::npos);
  }
}

TEST_F(S3Store, NamesClocksThatDiffer) {
  const Headers date{{"Date", format_http_date(clock_.wall_ms() - 3'600'000)}};
  for (const std::string& body : {refusal("RequestTimeTooSkewed"), std::string()}) {  // that of a HEAD has no body
    const Error error = error_of([&] { open_answering(403, body, date).head("k"); });
    EXPECT_EQ(error.kind(), ErrorKind::refused);
    EXPECT_NE(error.hint().find("clocks"), std::string::npos) << error.hint();
  }
}

TEST_F(S3Store, NamesCredentialsThatAreTooOld) {
  const Error error = error_of([&] { open_answering(400, refusal("ExpiredToken")).get("k"); });
  EXPECT_EQ(error.kind(), ErrorKind::refused);
  EXPECT_NE(error.hint().find("AWS_ACCESS_KEY_ID"), std::string::npos);
}

TEST_F(S3Store, NamesTheRegionThatABucketIsIn) {
  const Headers region{{"x-amz-bucket-region", "eu-north-1"}, {"Location", "http://elsewhere/"}};
  const Error error = error_of([&] { open_answering(301, refusal("PermanentRedirect"), region).get("k"); });
  EXPECT_EQ(error.kind(), ErrorKind::refused);
  EXPECT_NE(error.hint().find("eu-north-1"), std::string::npos);
}

TEST_F(S3Store, TellsAMissingBucketFromAMissingObject) {
  EXPECT_EQ(open_answering(404, refusal("NoSuchKey")).get("k"), std::nullopt);
  EXPECT_EQ(error_of([&] { open_answering(404, refusal("NoSuchBucket")).get("k"); }).kind(), ErrorKind::refused);
  EXPECT_EQ(error_of([&] { open_answering(404, refusal("NoSuchBucket")).put_if("k", "x", "\"e\""); }).kind(),
            ErrorKind::refused);
}

TEST_F(S3Store, NeverRepeatsAConditionalPutWhoseOutcomeIsUnknown) {
  ObjectStore& store = open([](const HttpRequest&) -> HttpResponse { throw Error(ErrorKind::network, "cut off"); });
  EXPECT_EQ(error_of([&] { store.put_if("k", "x", ""); }).kind(), ErrorKind::network);
  EXPECT_EQ(asked(), 1U);
  EXPECT_TRUE(last().send_once);
  EXPECT_EQ(error_of([&] { open_answering(500, refusal("InternalError")).put_if("k", "x", "\"e\""); }).kind(),
            ErrorKind::network);
  EXPECT_EQ(asked(), 1U);
}

TEST_F(S3Store, RepeatsAConditionalPutThatWasInAnothersWay) {
  int turn = 0;
  ObjectStore& store = open([&](const HttpRequest& request) {
    EXPECT_EQ(request.headers.get("If-Match"), "\"e\"");
    return ++turn < 4 ? answer(409, refusal("ConditionalRequestConflict")) : answer(200, "", {{"ETag", "\"f\""}});
  });
  EXPECT_EQ(store.put_if("k", "x", "\"e\""), "\"f\"");
  EXPECT_EQ(asked(), 4U);
  ObjectStore& stuck = open_answering(409, refusal("ConditionalRequestConflict"));
  EXPECT_EQ(error_of([&] { stuck.put_if("k", "x", "\"e\""); }).kind(), ErrorKind::network);
  EXPECT_GT(asked(), 10U);
  ObjectStore& other = open_answering(409, refusal("ObjectParentIsFile"));
  EXPECT_EQ(error_of([&] { other.put_if("k", "x", ""); }).kind(), ErrorKind::refused);
  EXPECT_EQ(asked(), 1U);
}

TEST_F(S3Store, KnowsAServerThatHasNoConditionalWrites) {
  const Error error = error_of([&] { open_answering(501, refusal("NotImplemented")).put_if("k", "x", ""); });
  EXPECT_EQ(error.kind(), ErrorKind::refused);
  EXPECT_NE(error.hint().find("conditional writes"), std::string::npos);
}

TEST_F(S3Store, ReadsTheBodyOfACopyBeforeItBelievesIt) {
  int turn = 0;
  ObjectStore& store = open([&](const HttpRequest&) {
    return answer(200, ++turn < 3
                           ? refusal("InternalError")
                           : "<CopyObjectResult><LastModified>2026-01-01T00:00:00Z</LastModified></CopyObjectResult>");
  });
  store.copy("a", "b");
  EXPECT_EQ(asked(), 3U);
  EXPECT_EQ(last().headers.get("x-amz-copy-source"), "/bucket/p/a");
  EXPECT_EQ(error_of([&] { open_answering(200, refusal("AccessDenied")).copy("a", "b"); }).kind(), ErrorKind::refused);
  EXPECT_EQ(error_of([&] { open_answering(200, refusal("NoSuchKey")).copy("a", "b"); }).kind(), ErrorKind::not_found);
  EXPECT_EQ(error_of([&] { open_answering(200, "").copy("a", "b"); }).kind(), ErrorKind::network);
  EXPECT_EQ(error_of([&] { open_answering(200, "<ListBucketResult/>").copy("a", "b"); }).kind(), ErrorKind::network);
}

TEST_F(S3Store, TouchesInOneCopyWhereThatSetsTheTime) {
  ObjectStore& store = open([](const HttpRequest& request) {
    EXPECT_EQ(request.headers.get("x-amz-metadata-directive"), "REPLACE");
    return answer(200, "<CopyObjectResult><LastModified>2026-01-01T00:00:09.500Z</LastModified></CopyObjectResult>",
                  {{"Date", "Thu, 01 Jan 2026 00:00:10 GMT"}});
  });
  EXPECT_TRUE(store.touch("a"));
  EXPECT_EQ(asked(), 1U);
}

TEST_F(S3Store, TouchesByWayOfAnotherKeyWhereACopyOntoItselfChangesNothing) {
  ObjectStore& store = open([](const HttpRequest& request) {
    if (request.method == "DELETE") return answer(204);
    if (request.method == "GET") {
      return answer(200,
                    "<ListBucketResult><Contents><Key>p/touching/old</Key><Size>1</Size><LastModified>"
                    "2020-01-01T00:00:00Z</LastModified></Contents></ListBucketResult>");
    }
    const bool itself = request.headers.has("x-amz-metadata-directive");
    return answer(200,
                  std::string("<CopyObjectResult><LastModified>2026-01-01T00:00:0") + (itself ? "0" : "9") +
                      "Z</LastModified></CopyObjectResult>",
                  {{"Date", "Thu, 01 Jan 2026 00:00:10 GMT"}});
  });
  EXPECT_TRUE(store.touch("a"));
  EXPECT_EQ(asked(), 6U);
  EXPECT_EQ(transport_->requests()[2].url, "http://h:1/bucket/p/touching/old") << "left by one that was killed";
  EXPECT_TRUE(store.touch("a"));
  EXPECT_EQ(asked(), 9U) << "it knows that server now";
  EXPECT_EQ(transport_->requests()[7].url, "http://h:1/bucket/p/a");
}

std::string page(const std::string& contents, const std::string& rest) {
  return "<ListBucketResult><EncodingType>url</EncodingType>" + contents + rest + "</ListBucketResult>";
}
std::string entry(const std::string& key) {
  return "<Contents><Key>" + key + "</Key><Size>1</Size><ETag>e</ETag>" +
         "<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>";
}
const char* const kMore = "<IsTruncated>true</IsTruncated><NextContinuationToken>t+/=</NextContinuationToken>";

TEST_F(S3Store, ListsPageAfterPage) {
  ObjectStore& store = open([](const HttpRequest& request) {
    const bool first = request.url.find("continuation-token") == std::string::npos;
    return answer(200, first ? page(entry("p%2Fa") + entry("p/folder/"), kMore)
                             : page(entry("p%2Fz"), "<IsTruncated>false</IsTruncated>"));
  });
  std::vector<std::string> keys;
  store.list("", [&](const ObjectInfo& object) {
    keys.push_back(object.key);
    EXPECT_EQ(object.etag, "\"e\"");
    EXPECT_EQ(object.modified_ms, 1'767'225'600'000);
  });
  EXPECT_EQ(keys, (std::vector<std::string>{"a", "z"}));
  EXPECT_NE(last().url.find("continuation-token=t%2B%2F%3D"), std::string::npos) << last().url;
  EXPECT_EQ(last().url.rfind("http://h:1/bucket?", 0), 0U) << last().url;
}

TEST_F(S3Store, EndsAListingThatGoesInCircles) {
  const auto list = [](ObjectStore& store) { store.list("", [](const ObjectInfo&) {}); };
  for (const std::string& body :
       {page(entry("p/a"), kMore), page("", kMore), page(entry("p/a"), "<IsTruncated>true</IsTruncated>"),
        page(entry("p/b") + entry("p/a"), ""), page(entry("q/a"), ""), page("<Contents><Key>p/a</Key></Contents>", ""),
        std::string("<Other/>"), std::string("<ListBucketResult>"), std::string("no xml")}) {
    EXPECT_EQ(error_of([&] { list(open_answering(200, body)); }).kind(), ErrorKind::network) << body;
  }
  std::atomic<int> turn = 0;
  ObjectStore& endless = open([&](const HttpRequest&) {
    return answer(200, page("", "<IsTruncated>true</IsTruncated><NextContinuationToken>" + std::to_string(++turn) +
                                    "</NextContinuationToken>"));
  });
  EXPECT_EQ(error_of([&] { list(endless); }).kind(), ErrorKind::network);
}

class S3Fetch : public S3Store {
 protected:
  std::optional<ObjectInfo> fetch(ObjectStore& store, uint64_t limit = 1000) {
    ObjectStore::Fetch fetch;
    fetch.into = into();
    fetch.limit_bytes = limit;
    return store.get_file("k", fetch);
  }
  Path into() const { return dir_.path() / "into"; }
  static Headers header(const std::string& range, const std::string& length, const std::string& etag = "\"e\"") {
    Headers out{{"ETag", etag}, {"Last-Modified", "Thu, 01 Jan 2026 00:00:10 GMT"}, {"Content-Length", length}};
    if (!range.empty()) out.set("Content-Range", range);
    return out;
  }
  TempDir dir_;
};

TEST_F(S3Fetch, BeginsAnewWhenTheObjectChangedBetweenTwoRounds) {
  int turn = 0;
  ObjectStore& store = open([&](const HttpRequest& request) -> HttpResponse {
    switch (++turn) {
      case 1:
        request.on_headers(200, header("", "6", "\"old\""));
        request.on_body("old");
        throw Error(ErrorKind::network, "cut off");
      case 2:
        EXPECT_EQ(request.headers.get("If-Match"), "\"old\"");
        EXPECT_EQ(request.headers.get("Range"), "bytes=3-");
        return answer(412);
      default:
        EXPECT_FALSE(request.headers.has("If-Match"));
        EXPECT_FALSE(request.headers.has("Range"));
        return answer(200, "newer", header("", "5", "\"new\""));
    }
  });
  const auto info = fetch(store);
  ASSERT_TRUE(info);
  EXPECT_EQ(info->etag, "\"new\"");
  EXPECT_EQ(info->size_bytes, 5U);
  EXPECT_EQ(read_file(into()), "newer");
}

TEST_F(S3Fetch, TakesAllFromAServerThatKnowsNoRanges) {
  write_file_atomic(into(), "abc");
  EXPECT_TRUE(fetch(open_answering(200, "abcdef", header("", "6"))));
  EXPECT_EQ(read_file(into()), "abcdef");
}

TEST_F(S3Fetch, RefusesARangeThatWasNotAskedForAndMoreThanItMayHave) {
  write_file_atomic(into(), "abc");
  for (const char* range : {"bytes 0-5/6", "bytes 3-5/*", "bytes", "", "bytes 3-5", "bytes -1-5/6"}) {
    EXPECT_EQ(error_of([&] { fetch(open_answering(206, "def", header(range, "3"))); }).kind(), ErrorKind::network)
        << range;
  }
  EXPECT_EQ(read_file(into()), "abc");
  EXPECT_EQ(error_of([&] { fetch(open_answering(206, "defg", header("bytes 3-5/6", "4"))); }).kind(),
            ErrorKind::network);
  EXPECT_EQ(read_file(into()), "abc");
  EXPECT_EQ(error_of([&] { fetch(open_answering(206, "d", header("bytes 3-3/1001", "1"))); }).kind(),
            ErrorKind::bad_input);
  EXPECT_EQ(error_of([&] { fetch(open_answering(200, "d", header("", "1001"))); }).kind(), ErrorKind::bad_input);
}

TEST_F(S3Fetch, GivesUpOnAServerThatBringsNothing) {
  ObjectStore& store = open([](const HttpRequest&) -> HttpResponse { throw Error(ErrorKind::network, "cut off"); });
  EXPECT_EQ(error_of([&] { fetch(store); }).kind(), ErrorKind::network);
  EXPECT_EQ(asked(), 5U);
}

TEST_F(S3Fetch, EndsWhenItIsToStop) {
  ObjectStore& store = open_answering(200, "abc", header("", "3"));
  ObjectStore::Fetch stopped;
  stopped.into = into();
  stopped.stop = std::make_shared<std::atomic<bool>>(true);
  EXPECT_EQ(error_of([&] { store.get_file("k", stopped); }).kind(), ErrorKind::interrupted);
}

TEST_F(S3Fetch, PutsAllFilesBeforeItTellsOfAFailure) {
  std::vector<ObjectFile> files;
  for (int i = 0; i < 40; ++i) {
    const Path file = dir_.path() / std::to_string(i);
    write_file_atomic(file, "x", 0644, Durability::none);
    files.push_back({"k" + std::to_string(i), file, Digest::of("x")});
  }
  open_answering(200, "", kEtag).put_files(files);
  EXPECT_EQ(asked(), 40U);
  EXPECT_EQ(last().headers.get("x-amz-content-sha256"), Digest::of("x").hex());
  EXPECT_EQ(error_of([&] { open_answering(400, refusal("XAmzContentSHA256Mismatch")).put_files(files); }).kind(),
            ErrorKind::verification);
  EXPECT_EQ(asked(), 12U) << "those that were under way";
  files[0].file = dir_.path() / "none";
  EXPECT_EQ(error_of([&] { open_answering(200, "", kEtag).put_files(files); }).kind(), ErrorKind::not_found);
}

TEST(S3OverHttp, TellsTheSizeOfAnObjectThatIsNeverReadIntoMemory) {
  static constexpr uint64_t kLarge = 3ull << 30;
  ServerOptions options;
  options.loops = 1;
  const auto server =
      start_http_server(options, {{.method = "GET", .pattern = "/{*}", .handle = [](const ServerRequest&) {
                                     ServerResponse response;
                                     response.etag = "e";
                                     response.growing = std::make_shared<GrowingFile>(kLarge);
                                     response.headers.set("Last-Modified", format_http_date(0));
                                     return response;
                                   }}});
  ManualClock clock;
  const auto transport = make_http_client();
  const auto store =
      open_s3(parse_s3_url("s3://bucket?endpoint=" + server->url()), {"access", "secret", ""}, *transport, clock);
  EXPECT_EQ(store->head("large")->size_bytes, kLarge);
}

}  // namespace
}  // namespace dae::mirror
