// Credentials: found where users keep them, sent to the origin they are for, and to no other.
#include "resolver/source/credentials.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/hash.h"
#include "fake_index.h"
#include "resolver/source/index.h"
#include "scoped_env.h"

namespace dae::resolver {
namespace {

using testing::FakeIndex;
using testing::ScopedEnv;

std::string basic(const std::string& login) {
  return "Basic " + base64(login);
}

class CredentialsTest : public ::testing::Test {
 protected:
  void netrc(const std::string& text) { write_file_atomic(dir_.path() / "netrc", text, 0600); }
  std::string sent(CredentialStore& store, const std::string& url) {
    const auto found = store.find(url);
    return found ? found->authorization : "";
  }

  TempDir dir_;
  ScopedEnv netrc_{"NETRC", (dir_.path() / "netrc").string()};
  ScopedEnv path_{"PATH", (dir_.path() / "bin").string()};
};

TEST_F(CredentialsTest, TheUrlOfAnIndexComesBeforeTheEnvironmentAndThatBeforeNetrc) {
  netrc("machine host.test login carol password three");
  const ScopedEnv user("DAE_INDEX_IN_HOUSE_USERNAME", "bob"), password("DAE_INDEX_IN_HOUSE_PASSWORD", "two");
  CredentialStore url;
  url.add({"https://alice:o%6Ee@host.test/simple/", "in-house"});
  EXPECT_EQ(sent(url, "https://host.test/simple/a/"), basic("alice:one"));
  CredentialStore environment;
  environment.add({"https://host.test/simple/", "in-house"});
  EXPECT_EQ(sent(environment, "https://host.test/files/a.whl"), basic("bob:two"));
  EXPECT_EQ(environment.find("https://host.test/")->origin, "DAE_INDEX_IN_HOUSE_USERNAME");
  CredentialStore file;
  file.add({"https://host.test/simple/", "other"});
  EXPECT_EQ(sent(file, "https://host.test/simple/a/"), basic("carol:three"));
}

TEST_F(CredentialsTest, AreForOneOriginOnly) {
  CredentialStore store;
  store.add({"https://alice:one@host.test/simple/"});
  EXPECT_EQ(sent(store, "https://host.test:443/files/a.whl"), basic("alice:one"));
  for (const char* other : {"http://host.test/a", "https://host.test:8443/a", "https://files.host.test/a"}) {
    EXPECT_EQ(sent(store, other), "") << other;
  }
}

TEST_F(CredentialsTest, OfTwoIndexesOfOneHostTheOneWhoseUrlFitsCounts) {
  CredentialStore store;
  store.add({"https://alice:one@host.test/a/simple/"});
  store.add({"https://bob:two@host.test/b/simple/"});
  EXPECT_EQ(sent(store, "https://host.test/b/simple/x/"), basic("bob:two"));
  EXPECT_EQ(sent(store, "https://host.test/a/simple/x/"), basic("alice:one"));
  EXPECT_EQ(sent(store, "https://host.test/files/x.whl"), basic("alice:one"));
}

TEST_F(CredentialsTest, ARequestLosesWhatItsUrlHeld) {
  CredentialStore store;
  HttpRequest request;
  request.url = "https://eve:p@ss@host.test/a?x=@y";
  store.authorise(request);
  EXPECT_EQ(request.url, "https://host.test/a?x=@y");
  EXPECT_EQ(request.headers.get("Authorization"), basic("eve:p@ss"));
}

TEST_F(CredentialsTest, TheKeyringIsAskedOnlyWhereItMayBeAndOnce) {
  make_dirs(dir_.path() / "bin");
  write_file_atomic(dir_.path() / "bin" / "keyring",
                    "#!/bin/sh\necho \"$@\" >>" + (dir_.path() / "asked").string() +
                        "\n[ \"$2\" = https://host.test/simple/ ] && [ \"$3\" = alice ] && echo 'pass word'\n",
                    0755);
  const auto runner = make_process_runner();
  CredentialStore forbidden, allowed(runner.get());
  forbidden.add({"https://alice@host.test/simple/"});
  EXPECT_EQ(sent(forbidden, "https://host.test/simple/a/"), basic("alice:")) << "a name may be a token";
  EXPECT_FALSE(exists(dir_.path() / "asked"));
  allowed.add({"https://alice@host.test/simple/"});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(sent(allowed, "https://host.test/simple/a/"), basic("alice:pass word"));
  EXPECT_EQ(read_file(dir_.path() / "asked"), "get https://host.test/simple/ alice\n");
}

TEST_F(CredentialsTest, ADamagedNetrcIsMentionedToThoseWhoAreRefused) {
  netrc("machine host.test\nlogin alice\npassword\n");
  CredentialStore store;
  EXPECT_FALSE(store.find("https://host.test/"));
  const std::string hint = store.hint("https://host.test/simple/a/");
  EXPECT_NE(hint.find("netrc:3"), std::string::npos) << hint;
}

TEST_F(CredentialsTest, HintsNameTheVariablesAndNeverASecret) {
  CredentialStore store;
  store.add({"https://host.test/simple/", "in-house"});
  EXPECT_NE(store.hint("https://host.test/x").find("DAE_INDEX_IN_HOUSE_USERNAME"), std::string::npos);
  store.add({"https://alice:s3cret@other.test/simple/"});
  const std::string hint = store.hint("https://other.test/x");
  EXPECT_NE(hint.find("the index URL"), std::string::npos) << hint;
  EXPECT_EQ(hint.find("s3cret"), std::string::npos);
  EXPECT_EQ(hint.find("alice"), std::string::npos);
}

TEST_F(CredentialsTest, DoNotFollowARedirectToAnotherOrigin) {
  FakeIndex index, stranger;
  ServerResponse moved = ServerResponse::text(302, "");
  moved.headers.add("Location", stranger.url() + "/landed/");
  index.set("/simple/a/", {moved, false, ""});
  stranger.set_text("/landed/", "<!DOCTYPE html><html><body></body></html>", "text/html");
  std::string url = index.simple();
  url.insert(url.find("//") + 2, "alice:s3cret@");
  IndexOptions options;
  options.indexes = {url};
  NullSink events;
  const auto transport = make_http_client();
  EXPECT_TRUE(make_index_client(*transport, options, events)->page("a"));
  EXPECT_EQ(index.last_header("/simple/a/", "Authorization"), basic("alice:s3cret"));
  EXPECT_EQ(stranger.asked("/landed/"), 1);
  EXPECT_EQ(stranger.last_header("/landed/", "Authorization"), "");
}

// ---- netrc

TEST(NetrcFile, IsReadWithQuotesCommentsMacrosAndADefault) {
  const Netrc netrc = Netrc::parse(
      "# mine\nmachine A.test login bob password #1\nmacdef init\nmachine evil.test login x password y\n\n"
      "machine b.test\n  login \"a b\"\n  password \"q\\\"q\"\n  account z\ndefault login any password thing\n"
      "machine a.test login later password later\n",
      "netrc");
  EXPECT_EQ(netrc.login("a.TEST")->user, "bob");
  EXPECT_EQ(netrc.login("a.test")->password, "#1") << "the first entry counts";
  EXPECT_EQ(netrc.login("b.test")->user, "a b");
  EXPECT_EQ(netrc.login("b.test")->password, "q\"q");
  EXPECT_EQ(netrc.login("evil.test")->user, "any") << "a macro's lines are no entries";
  EXPECT_FALSE(Netrc::parse("", "netrc").login("a.test"));
}

TEST(NetrcFile, SaysWhereItIsBrokenWithoutItsSecrets) {
  for (const char* text : {"machine\n", "machine a\nlogin\n", "password hunter2", "machine a login \"x\n", "hunter2"}) {
    try {
      Netrc::parse(text, "netrc");
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::bad_input);
      EXPECT_TRUE(error.subject().starts_with("netrc:")) << error.subject();
      EXPECT_EQ(std::string(error.what()).find("hunter2"), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace dae::resolver
