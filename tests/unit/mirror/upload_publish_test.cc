// Uploads over HTTP, as twine sends them.
#include <gtest/gtest.h>

#include <thread>

#include "mirror/index/page_store.h"
#include "mirror/policy/allowances.h"
#include "mirror/upload/tokens.h"
#include "upload_fixture.h"

namespace dae::mirror {
namespace {

using namespace testing;

constexpr const char* kWheel = "demo-1.0-py3-none-any.whl";

class Uploading : public ::testing::Test {
 protected:
  Uploading()
      : mirror("http://127.0.0.1:1/simple/",
               [](MirrorConfig& config) {
                 IndexConfig team;
                 team.name = "team";
                 team.mode = "private";
                 team.upstream = "";
                 team.frozen = true;
                 team.uploads = true;
                 IndexConfig loose = team;
                 loose.name = "loose";
                 loose.immutable = false;
                 config.indexes = {team, loose};
                 config.upload_limit_bytes = 100'000;
               }),
        catalog(mirror.dir.path() / "storage/catalog.db") {}

  std::string token(TokenGrant grant = {.index = "team"}) {
    return create_token(catalog, grant, "tester", mirror.clock.wall_ms()).secret;
  }
  HttpResponse upload(const std::string& secret, const std::string& file_name, const std::string& bytes,
                      const std::string& path = "/team/legacy/", const std::string& version = "1.0") {
    Headers headers = {{"Content-Type", kFormType}};
    if (!secret.empty()) headers.set("Authorization", basic(secret));
    return mirror.send("POST", path, headers,
                       form_body(usual_fields("demo", version, file_name, bytes), file_name, bytes));
  }
  std::vector<std::string> listed(const std::string& index = "team", const std::string& project = "demo") {
    const HttpResponse page =
        mirror.get("/" + index + "/simple/" + project + "/?format=application/vnd.pypi.simple.v1%2Bjson");
    std::vector<std::string> names;
    if (page.status == 404) return names;
    const Value root = parse_json(page.body, "page").root;
    for (const Value& file : root.at("files").as_array()) {
      names.push_back(file.at("filename").as_string());
    }
    return names;
  }
  // Without this file, as whoever tends the index would leave it.
  void remove(const std::string& index) {
    PageStore(catalog).apply(index, {{"demo", std::nullopt, 0}}, mirror.clock.wall_ms(), "removed");
  }

  TestMirror mirror;
  Catalog catalog;
  const std::string wheel = good_wheel("demo", "1.0");
};

TEST_F(Uploading, AWheelIsListedWithAllThatIsKnownOfIt) {
  const HttpResponse answer = upload(token(), kWheel, wheel);
  EXPECT_EQ(answer.status, 200) << answer.body;
  const HttpResponse page = mirror.get("/team/simple/demo/", {{"Accept", "application/vnd.pypi.simple.v1+json"}});
  ASSERT_EQ(page.status, 200);
  const Value root = parse_json(page.body, "page").root;
  EXPECT_EQ(root.at("meta").get_string("api-version"), "1.4");
  EXPECT_EQ(root.at("versions").as_array().at(0).as_string(), "1.0");
  const Value& file = root.at("files").as_array().at(0);
  EXPECT_EQ(file.get_string("filename"), kWheel);
  EXPECT_EQ(file.at("hashes").get_string("sha256"), Digest::of(wheel).hex());
  EXPECT_EQ(file.get_integer("size"), static_cast<int64_t>(wheel.size()));
  EXPECT_EQ(file.get_string("requires-python"), ">=3.9");
  EXPECT_EQ(parse_utc(file.get_string("upload-time")), mirror.clock.wall_ms());
  const std::string url = resolve_url(mirror.url() + "/team/simple/demo/", file.get_string("url"));
  EXPECT_EQ(mirror.get(url).body, wheel);
  const HttpResponse metadata = mirror.get(url + ".metadata");
  ASSERT_EQ(metadata.status, 200);
  EXPECT_EQ(Digest::of(metadata.body).hex(), file.at("core-metadata").get_string("sha256"));
}

TEST_F(Uploading, WhatIsUploadedIsSeenByWhoeverAsksNext) {
  EXPECT_EQ(mirror.get("/team/simple/demo/").headers.get("Cache-Control"), "no-cache");  // 404
  EXPECT_EQ(upload(token(), kWheel, wheel).status, 200);
  const HttpResponse page = mirror.get("/team/simple/demo/");
  EXPECT_EQ(page.headers.get("Cache-Control"), "no-cache");
  const std::string etag(page.headers.get("ETag"));
  EXPECT_EQ(mirror.get("/team/simple/demo/", {{"If-None-Match", etag}}).status, 304);
  EXPECT_EQ(upload(token(), "demo-1.0.tar.gz", make_sdist("demo", "1.0")).status, 200);
  EXPECT_EQ(mirror.get("/team/simple/demo/", {{"If-None-Match", etag}}).status, 200);
}

TEST_F(Uploading, AnSdistIsListed) {
  EXPECT_EQ(upload(token(), "demo-1.0.tar.gz", make_sdist("demo", "1.0"), "/team/").status, 200);
  EXPECT_EQ(listed(), (std::vector<std::string>{"demo-1.0.tar.gz"}));
}

TEST_F(Uploading, TheSameFileAgainIsFine) {
  const std::string secret = token();
  EXPECT_EQ(upload(secret, kWheel, wheel).status, 200);
  const HttpResponse again = upload(secret, kWheel, wheel);
  EXPECT_EQ(again.status, 200);
  EXPECT_NE(again.body.find("already"), std::string::npos);
  EXPECT_EQ(listed().size(), 1u);
}

TEST_F(Uploading, OtherBytesUnderANameAreRefusedWithAReasonThatTwinePrints) {
  const std::string secret = token();
  EXPECT_EQ(upload(secret, kWheel, wheel).status, 200);
  const HttpResponse other = upload(secret, kWheel, good_wheel("demo", "1.0", "x = 2\n"));
  EXPECT_EQ(other.status, 400);
  EXPECT_NE(other.body.find("File already exists"), std::string::npos);
  const HttpResponse spelled = upload(secret, "Demo-1.0-py3-none-any.whl", wheel);
  EXPECT_EQ(spelled.status, 400);
  EXPECT_NE(spelled.body.find("another spelling"), std::string::npos);
}

TEST_F(Uploading, AnIndexThatIsNotImmutableTakesOtherBytes) {
  const std::string secret = token({.index = "loose"});
  EXPECT_EQ(upload(secret, kWheel, wheel, "/loose/legacy/").status, 200);
  const std::string other = good_wheel("demo", "1.0", "x = 2\n");
  EXPECT_EQ(upload(secret, kWheel, other, "/loose/legacy/").status, 200);
  EXPECT_EQ(listed("loose").size(), 1u);
  remove("loose");
  EXPECT_EQ(upload(secret, kWheel, wheel, "/loose/legacy/").status, 200);
}

TEST_F(Uploading, ADeletedNameIsNeverUsedAgain) {
  const std::string secret = token();
  EXPECT_EQ(upload(secret, kWheel, wheel).status, 200);
  remove("team");
  for (const std::string& bytes : {wheel, good_wheel("demo", "1.0", "x = 2\n")}) {
    const HttpResponse answer = upload(secret, kWheel, bytes);
    EXPECT_EQ(answer.status, 400);
    EXPECT_NE(answer.body.find("was deleted"), std::string::npos) << answer.body;
  }
}

TEST_F(Uploading, NeedsAToken) {
  for (const std::string& secret : {std::string(), std::string("dae_0123456789abcdef_") + std::string(64, '0')}) {
    const HttpResponse answer = upload(secret, kWheel, wheel);
    EXPECT_EQ(answer.status, 401);
    EXPECT_NE(answer.headers.get("WWW-Authenticate").find("Basic"), std::string_view::npos);
  }
  const std::string late = token({.index = "team", .expires_ms = mirror.clock.wall_ms() + 1000});
  mirror.clock.advance_ms(1000);
  EXPECT_EQ(upload(late, kWheel, wheel).status, 401);
  const std::string gone = token();
  revoke_token(catalog, gone.substr(4, 16), "tester", mirror.clock.wall_ms());
  EXPECT_EQ(upload(gone, kWheel, wheel).status, 401);
  EXPECT_TRUE(listed().empty());
}

TEST_F(Uploading, ATokenIsForItsIndexAndProjects) {
  EXPECT_EQ(upload(token({.index = "loose"}), kWheel, wheel).status, 403);
  EXPECT_EQ(upload(token({.index = "team", .projects = {"other"}}), kWheel, wheel).status, 403);
  EXPECT_EQ(upload(token({.index = "team", .projects = {"other", "demo"}}), kWheel, wheel).status, 200);
}

TEST_F(Uploading, ATokenHasADaysQuota) {
  const std::string few = token({.index = "team", .quota_files = 1});
  EXPECT_EQ(upload(few, kWheel, wheel).status, 200);
  EXPECT_EQ(upload(few, kWheel, wheel).status, 200);  // nothing is taken
  EXPECT_EQ(upload(few, "demo-1.0.tar.gz", make_sdist("demo", "1.0")).status, 403);
  mirror.clock.advance_ms(24 * 3'600'000);
  EXPECT_EQ(upload(few, "demo-1.0.tar.gz", make_sdist("demo", "1.0")).status, 200);
  const std::string small = token({.index = "team", .quota_bytes = 100});
  const HttpResponse answer = upload(small, "demo-2.0.tar.gz", make_sdist("demo", "2.0"), "/team/", "2.0");
  EXPECT_EQ(answer.status, 403);
  EXPECT_NE(answer.body.find("100 B a day"), std::string::npos) << answer.body;
}

TEST_F(Uploading, RefusesWhatIsTooLarge) {
  const std::string secret = token();
  EXPECT_EQ(upload(secret, kWheel, std::string(100'001, 'x')).status, 413);
  EXPECT_EQ(upload(secret, kWheel, std::string(12u << 20, 'x')).status, 413);
}

TEST_F(Uploading, JudgesTokenAndSizeBeforeTheBody) {
  // Beyond what the route reads at all: only who looks at the header first can say anything else than 413.
  const std::string large(12u << 20, 'x');
  EXPECT_EQ(upload("", kWheel, large).status, 401);
  EXPECT_EQ(upload("dae_0123456789abcdef_" + std::string(64, '0'), kWheel, large).status, 401);
  EXPECT_EQ(upload(token({.index = "loose"}), kWheel, large).status, 403);
  const HttpResponse answer = upload(token(), kWheel, large);
  EXPECT_EQ(answer.status, 413);
  EXPECT_NE(answer.body.find("`limits.upload`"), std::string::npos) << answer.body;
}

TEST_F(Uploading, RefusesBrokenForms) {
  const Headers headers = {{"Content-Type", kFormType}, {"Authorization", basic(token())}};
  for (const std::string& body : {std::string(), std::string("nothing"), std::string("--frontier--\r\n"),
                                  form_body({}, "", wheel), form_body({{"name", "demo"}}, kWheel, wheel)}) {
    EXPECT_EQ(mirror.send("POST", "/team/legacy/", headers, body).status, 400);
  }
  EXPECT_EQ(mirror.send("POST", "/team/legacy/?:action=doc_upload", headers, form_body({}, kWheel, wheel)).status, 400);
  EXPECT_TRUE(list_dir(mirror.dir.path() / "storage/spool").empty());
}

TEST_F(Uploading, AnArchivedProjectTakesNoUploads) {
  const std::string secret = token();
  EXPECT_EQ(upload(secret, kWheel, wheel).status, 200);
  PageStore pages(catalog);
  ProjectDocument document = *pages.document("team", "demo");
  document.page.status = "archived";
  document.page.status_reason = "use newdemo";
  pages.apply("team", {{"demo", document, 0}}, mirror.clock.wall_ms(), "archived");
  const HttpResponse answer = upload(secret, "demo-1.0.tar.gz", make_sdist("demo", "1.0"));
  EXPECT_EQ(answer.status, 403);
  EXPECT_NE(answer.body.find("use newdemo"), std::string::npos);
}

TEST_F(Uploading, ANewNameThatLooksLikeAnotherIsTakenWithAWarning) {
  const std::string secret = token();
  EXPECT_EQ(upload(secret, kWheel, wheel).body, "OK\n");
  const std::string bytes = good_wheel("dem0", "1.0"), name = "dem0-1.0-py3-none-any.whl";
  const HttpResponse answer =
      mirror.send("POST", "/team/legacy/", {{"Content-Type", kFormType}, {"Authorization", basic(secret)}},
                  form_body(usual_fields("dem0", "1.0", name, bytes), name, bytes));
  EXPECT_EQ(answer.status, 200);
  EXPECT_NE(answer.body.find("looks like `demo`"), std::string::npos) << answer.body;
}

TEST_F(Uploading, ManyAtOnceAreAllListed) {
  const std::string secret = token();
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      const std::string version = "2." + std::to_string(i);
      EXPECT_EQ(upload(secret, "demo-" + version + ".tar.gz", make_sdist("demo", version), "/team/", version).status,
                200);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(listed().size(), 8u);
}

TEST_F(Uploading, EveryUploadIsInTheAuditTrail) {
  const std::string secret = token();
  EXPECT_EQ(upload(secret, kWheel, wheel).status, 200);
  const auto audit = read_audit(catalog, "team", 10);
  ASSERT_EQ(audit.size(), 2u);
  EXPECT_EQ(audit[1].action, "upload");
  EXPECT_EQ(audit[1].subject, kWheel);
  EXPECT_EQ(audit[1].who, "token " + secret.substr(4, 16));
}

// A write that fails at any of its steps, as a kill between two of them would leave it.
TEST_F(Uploading, AFailureAnywhereInTheTransactionLeavesNothingVisible) {
  const std::string secret = token();
  const char* const tables[] = {"documents", "entries",  "places",    "revisions",
                                "projects",  "uploaded", "token_use", "audit"};
  for (const std::string table : tables) {
    catalog.write([&](Database& db) {
      db.execute("CREATE TRIGGER fault BEFORE INSERT ON " + table + " BEGIN SELECT RAISE(ABORT, 'fault'); END");
    });
    EXPECT_EQ(upload(secret, kWheel, wheel).status, 500) << table;
    catalog.write([&](Database& db) { db.execute("DROP TRIGGER fault"); });
    EXPECT_TRUE(listed().empty()) << table;
    EXPECT_EQ(
        mirror.get("/packages/" + Digest::of(wheel).hex().substr(0, 2) + "/" + Digest::of(wheel).hex() + "/" + kWheel)
            .status,
        404);
    catalog.read(
        [&](Database& db) { EXPECT_EQ(token_use(db, secret.substr(4, 16), mirror.clock.wall_ms()).files, 0u); });
  }
  EXPECT_EQ(upload(secret, kWheel, wheel).status, 200);
  EXPECT_EQ(listed().size(), 1u);
}

}  // namespace
}  // namespace dae::mirror
