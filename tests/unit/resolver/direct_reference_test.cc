// The spellings of direct references.
#include "resolver/source/direct_reference.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace dae::resolver {
namespace {

using Kind = DirectReference::Kind;

DirectReference parse(const std::string& text) {
  return parse_direct_reference(text, "/app");
}

Error refused(const std::string& text) {
  try {
    parse(text);
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "accepted: " << text;
  return Error(ErrorKind::failed, "none");
}

TEST(DirectReference, RepositoriesWithRevisionNameAndFolder) {
  const DirectReference git =
      parse("git+https://u:p@host:8443/a/b.git@feature/x#egg=My.Name[extra]&subdirectory=py/lib/");
  EXPECT_EQ(git.kind, Kind::vcs);
  EXPECT_EQ(git.vcs, "git");
  EXPECT_EQ(git.url, "https://u:p@host:8443/a/b.git");
  EXPECT_EQ(git.revision, "feature/x");
  EXPECT_EQ(git.name, "my-name");
  EXPECT_EQ(git.subdirectory, "py/lib");
  EXPECT_EQ(git.label.find("u:p"), std::string::npos) << git.label;

  EXPECT_EQ(parse("git+ssh://git@host/a/b").url, "ssh://git@host/a/b");
  EXPECT_EQ(parse("git+ssh://git@host/a/b").revision, "");
  EXPECT_EQ(parse("hg+https://host/repo@stable").vcs, "hg");
  EXPECT_EQ(parse("git+file:///srv/repo@v1").url, "file:///srv/repo");
  const DirectReference named = parse("My_Name[x] @ git+https://host/r");
  EXPECT_EQ(named.name, "my-name");
  EXPECT_EQ(named.url, "https://host/r");
}

TEST(DirectReference, AddressesAndPaths) {
  const std::string sum(64, 'a');
  const DirectReference url = parse("https://host/x-1.tar.gz?token=1#sha256=" + sum + "&subdirectory=sub");
  EXPECT_EQ(url.kind, Kind::url);
  EXPECT_EQ(url.url, "https://host/x-1.tar.gz?token=1");
  EXPECT_EQ(url.sha256, sum);
  EXPECT_EQ(url.subdirectory, "sub");
  EXPECT_EQ(parse("file:///srv/a%20b/").path, "/srv/a b");
  EXPECT_EQ(parse("./lib").path, "/app/lib");
  EXPECT_EQ(parse("../lib/").path, "/lib");
  EXPECT_EQ(parse(".").path, "/app");
  EXPECT_EQ(parse("lib[extra]").path, "/app/lib");
  EXPECT_EQ(parse("x @ file:///srv/x").name, "x");
  EXPECT_EQ(parse("./lib#egg=x").name, "x");
}

TEST(DirectReference, TheUserOfSshIsPartOfTheAddressAndItsPasswordIsNot) {
  EXPECT_EQ(shareable_url("ssh://me:s3cret@host:22/a/b@c", "git"), "ssh://me@host:22/a/b@c");
  EXPECT_EQ(shareable_url("ssh://me@host/a:b", "hg"), "ssh://me@host/a:b");
  EXPECT_EQ(shareable_url("ssh://host:22/a@b", "git"), "ssh://host:22/a@b");
  EXPECT_EQ(shareable_url("https://me@host/a", "git"), "https://host/a");
}

TEST(DirectReference, RefusesWithAHintWhatOtherToolsSpellDifferently) {
  EXPECT_EQ(refused("git@github.example:a/b.git").hint(), "write `git+ssh://git@github.example/a/b.git`");
  EXPECT_EQ(refused("git+git@github.example:a/b.git").hint(), "write `git+ssh://git@github.example/a/b.git`");
  EXPECT_EQ(refused("git+ssh://git@host:a/b.git").hint(), "write `ssh://host/a/b.git`");
  EXPECT_EQ(refused("svn+https://host/x").kind(), ErrorKind::refused);
  EXPECT_EQ(refused("git+git://host/x").kind(), ErrorKind::refused);
  EXPECT_EQ(refused("git+ext::sh -c x").kind(), ErrorKind::bad_input);
  EXPECT_EQ(refused("ssh://host/x").hint(), "a repository is written `git+ssh://…`");
}

TEST(DirectReference, RefusesWhatWouldMeanSomethingElseFurtherOn) {
  for (const std::string text :
       {"git+ssh://-oProxyCommand=x/y", "git+ssh://u@-x/y", "git+https://host/r@--upload-pack=x", "-x", "",
        "git+https://host/r@a..b", "git+https://host/r@a:b", "git+https://host/r@", "git+https://host/",
        "git+https://host/r#subdirectory=../x", "git+https://host/r#subdirectory=/x", "git+https://host/r#egg=..",
        "git+https://host/r#subdirectory=a/.git", "https://host/x.zip#sha256=12", "https://host/x.zip#md5=00",
        "file://host/x", "git+file://host/x", "git+https://host/r\nx", "hg+static-http://host/x"}) {
    refused(text);
  }
  EXPECT_EQ(std::string(refused("git+https://u:s3cret@host/r@a..b").what()).find("s3cret"), std::string::npos);
}

}  // namespace
}  // namespace dae::resolver
