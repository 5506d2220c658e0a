#include <gtest/gtest.h>

#include "base/error.h"
#include "resolver/standards/direct_url.h"

namespace dae::resolver {
namespace {

const std::string kSha = std::string(64, 'a');

DirectUrl parse(const std::string& text) {
  return parse_direct_url(text, "direct_url.json");
}
std::string round(const std::string& text) {
  return render_direct_url(parse(text));
}

TEST(DirectUrl, ReadsAndWritesEachKind) {
  for (const std::string& text : {
           R"({"archive_info":{"hash":"sha256=)" + kSha + R"(","hashes":{"md5":"ab","sha256":")" + kSha +
               R"("}},"subdirectory":"a/b","url":"https://host/x.zip"})",
           std::string(R"({"archive_info":{},"url":"https://host/x.zip"})"),
           std::string(R"({"dir_info":{},"url":"file:///srv/x"})"),
           std::string(R"({"dir_info":{"editable":true},"url":"file:///srv/x"})"),
           std::string(R"({"url":"https://host/x.git","vcs_info":{"commit_id":"abc","vcs":"git"}})"),
           std::string(
               R"({"url":"https://host/x","vcs_info":{"commit_id":"abc","requested_revision":"v1","vcs":"hg"}})"),
       }) {
    EXPECT_EQ(round(text), text);
  }
}

TEST(DirectUrl, TheOlderHashCountsOnItsOwn) {
  const DirectUrl direct = parse(R"({"archive_info":{"hash":"sha256=ab","hashes":null},"url":"https://host/x.zip"})");
  EXPECT_EQ(std::get<DirectUrl::Archive>(direct.info).hashes, (std::map<std::string, std::string>{{"sha256", "ab"}}));
}

TEST(DirectUrl, RefusesWhatTheSpecificationDoes) {
  for (const char* text :
       {"", "[]", "{}", R"({"url":"https://h/x"})", R"({"url":1,"dir_info":{}})", R"({"dir_info":{}})",
        R"({"url":"https://h/x","dir_info":{}})", R"({"url":"file:x","dir_info":{}})",
        R"({"url":"file:///x","dir_info":{"editable":"yes"}})",
        R"({"url":"file:///x","dir_info":{},"archive_info":{}})", R"({"url":"https://h/x","vcs_info":{"vcs":"git"}})",
        R"({"url":"https://h/x","vcs_info":[]})", R"({"url":"https://h/x","archive_info":{"hash":"sha256"}})",
        R"({"url":"https://h/x","archive_info":{"hashes":{"sha256":1}}})",
        R"({"url":"https://h/x","archive_info":{"hash":"md5=a","hashes":{"sha256":"b"}}})",
        R"({"url":"https://h/x","archive_info":{"hash":"sha256=a","hashes":{"sha256":"b"}}})"}) {
    try {
      parse(text);
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::bad_input) << text;
      EXPECT_EQ(error.subject().find("direct_url.json"), 0u) << text;
    }
  }
}

TEST(DirectUrl, KeepsNoCredentialsButVariablesAndTheUserOfGit) {
  EXPECT_EQ(strip_url_credentials("https://user:secret@host/x?a=b@c"), "https://host/x?a=b@c");
  EXPECT_EQ(strip_url_credentials("https://a@b:secret@host/x"), "https://host/x");
  EXPECT_EQ(strip_url_credentials("https://token@host"), "https://host");
  EXPECT_EQ(strip_url_credentials("https://${USER}:${PASS-2}@host/x"), "https://${USER}:${PASS-2}@host/x");
  EXPECT_EQ(strip_url_credentials("https://${TOKEN}@host/x"), "https://${TOKEN}@host/x");
  EXPECT_EQ(strip_url_credentials("https://${USER}:secret@host/x"), "https://host/x");
  EXPECT_EQ(strip_url_credentials("https://${}@host/x"), "https://host/x");
  EXPECT_EQ(strip_url_credentials("ssh://git@host/x", "git"), "ssh://git@host/x");
  EXPECT_EQ(strip_url_credentials("ssh://git:secret@host/x", "git"), "ssh://host/x");
  EXPECT_EQ(strip_url_credentials("https://git@host/x.zip"), "https://host/x.zip");
  EXPECT_EQ(strip_url_credentials("file:///srv/a@b"), "file:///srv/a@b");
  EXPECT_EQ(strip_url_credentials("./a@b"), "./a@b");
  DirectUrl direct;
  direct.url = "https://user:secret@host/x.zip#sha256=00";
  EXPECT_EQ(render_direct_url(direct), R"({"archive_info":{},"url":"https://host/x.zip"})");
}

}  // namespace
}  // namespace dae::resolver
