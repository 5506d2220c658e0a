#include "base/error.h"
#include "builder/build.h"
#include "git_fixture.h"

namespace dae::builder {
namespace {

class GitVersion : public GitTest {
 protected:
  std::string version(const std::string& project_version = "", const Path& dir = {}) {
    return source_version(app(dir), project_version).version;
  }
  static std::string g(const std::string& id) { return ".g" + id.substr(0, 12); }
};

TEST_F(GitVersion, CountsCommitsSinceTheNewestVersionTag) {
  init();
  commit("one");
  git({"tag", "-a", "v1.3.0", "-m", "x"});
  commit("two");
  git({"tag", "-a", "1.4.0", "-m", "x"});
  commit("three");
  const std::string head = commit("four");
  const SourceVersion found = source_version(app(), "9.9");
  EXPECT_EQ(found.version, "1.4.0+2" + g(head));
  EXPECT_EQ(found.base, "1.4.0");
  EXPECT_EQ(found.revision, head);
  EXPECT_EQ(found.commit_time_s, 1'700'000'000 + 4 * 60);
  EXPECT_TRUE(found.in_git);
  EXPECT_FALSE(found.dirty);
}

TEST_F(GitVersion, ATaggedCommitCountsZero) {
  init();
  const std::string head = commit("one");
  git({"tag", "-a", "v2.0.0rc1", "-m", "x"});
  EXPECT_EQ(version(), "2.0.0rc1+0" + g(head));
}

TEST_F(GitVersion, LightTagsCountButAnAnnotatedOneIsPreferred) {
  init();
  const std::string head = commit("one");
  git({"tag", "v1.0.0"});
  EXPECT_EQ(version(), "1.0.0+0" + g(head));
  git({"tag", "v1.9.0"});
  EXPECT_EQ(version(), "1.9.0+0" + g(head));
  git({"tag", "-a", "v1.2.0", "-m", "x"});
  EXPECT_EQ(version(), "1.2.0+0" + g(head));
}

TEST_F(GitVersion, OtherTagsAndTagsOfOtherBranchesDoNotCount) {
  init();
  const std::string head = commit("one");
  for (const char* name : {"latest", "v2", "deploy-3.1", "release/4.0", "v1.0.0+local"}) git({"tag", name});
  git({"checkout", "-q", "-b", "side"});
  commit("elsewhere");
  git({"tag", "v7.0.0"});
  git({"checkout", "-q", "main"});
  EXPECT_EQ(version("0.3"), "0.3+1" + g(head));
}

TEST_F(GitVersion, CountsTheCommitsOfBothSidesOfAMerge) {
  init();
  commit("one");
  git({"tag", "v1.0.0"});
  git({"checkout", "-q", "-b", "side"});
  write("side.py", "");
  commit("side");
  git({"checkout", "-q", "main"});
  write("main.py", "");
  commit("main");
  ++clock_;
  git({"merge", "-q", "--no-ff", "-m", "merge", "side"});
  std::string head = git({"rev-parse", "HEAD"});
  EXPECT_EQ(version(), "1.0.0+3" + g(head));
}

TEST_F(GitVersion, WithoutATagTheProjectSaysTheBase) {
  init();
  commit("one");
  const std::string head = commit("two");
  EXPECT_EQ(version("1.2"), "1.2+2" + g(head));
  EXPECT_EQ(version(), "0.0.0+2" + g(head));
  EXPECT_THROW(version("one"), Error);
  EXPECT_THROW(version("1.0+local"), Error);
}

TEST_F(GitVersion, EveryChangeOfASourceFileMakesItDirty) {
  init();
  write(".gitignore", "*.log\n");
  commit("one");
  EXPECT_FALSE(source_version(app(), "").dirty);
  write("x.log", "ignored");
  write("__pycache__/x.pyc", "never source");
  EXPECT_FALSE(source_version(app(), "").dirty);
  write("new.py", "untracked");
  EXPECT_TRUE(version().ends_with(".dirty"));
  remove_file(repo_ / "new.py");
  write("app.py", "app = 2\n");
  EXPECT_TRUE(version().ends_with(".dirty"));
  git({"add", "app.py"});
  EXPECT_TRUE(version().ends_with(".dirty"));
  git({"reset", "-q", "--hard"});
  EXPECT_FALSE(source_version(app(), "").dirty);
  remove_file(repo_ / "app.py");
  EXPECT_TRUE(version().ends_with(".dirty"));
}

TEST_F(GitVersion, ChangesOutsideTheAppOrLeftOutOfItDoNotCount) {
  git({"init", "-q", "-b", "main"});
  write("apps/bubbler/app.yaml",
        "name: bubbler\ninstances: {web: {wsgi: 'app:app'}}\nbuild: {exclude: ['tests/**']}\n");
  write("apps/bubbler/tests/t.py", "");
  write("other/x.py", "");
  const std::string head = commit("one");
  write("other/x.py", "changed");
  write("apps/bubbler/tests/t.py", "changed");
  EXPECT_EQ(version("", repo_ / "apps/bubbler"), "0.0.0+1" + g(head));
  write("apps/bubbler/x.py", "");
  EXPECT_TRUE(version("", repo_ / "apps/bubbler").ends_with(".dirty"));
}

TEST_F(GitVersion, AShallowCloneWithoutATagIsRefusedWithTheCommandThatMendsIt) {
  init();
  commit("one");
  git({"tag", "-a", "v1.0.0", "-m", "x"});
  commit("two");
  commit("three");
  const Path shallow = dir_.path() / "shallow";
  git({"clone", "-q", "--depth", "1", "file://" + repo_.string(), shallow.string()}, dir_.path());
  try {
    version("", shallow);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::refused);
    EXPECT_NE(error.hint().find("git fetch --unshallow --tags"), std::string::npos);
  }
  git({"fetch", "-q", "--unshallow", "--tags"}, shallow);
  EXPECT_EQ(version("", shallow), version());
}

TEST_F(GitVersion, AShallowCloneOfATaggedCommitIsFine) {
  init();
  commit("one");
  const std::string head = commit("two");
  git({"tag", "-a", "v1.0.0", "-m", "x"});
  const Path shallow = dir_.path() / "shallow";
  git({"clone", "-q", "--depth", "1", "file://" + repo_.string(), shallow.string()}, dir_.path());
  EXPECT_EQ(version("", shallow), "1.0.0+0" + g(head));
}

TEST_F(GitVersion, WithoutARepositoryTheSourceNamesItself) {
  write("app.yaml", "name: bubbler\ninstances: {web: {wsgi: 'app:app'}}\n");
  write("app.py", "app = 1\n");
  const SourceVersion first = source_version(app(), "1.2");
  EXPECT_TRUE(first.version.starts_with("1.2+0.g")) << first.version;
  EXPECT_EQ(first.version.size(), std::string("1.2+0.g").size() + 12);
  EXPECT_FALSE(first.in_git);
  EXPECT_EQ(first.revision, "");
  EXPECT_EQ(source_version(app(), "1.2").version, first.version);
  write("app.py", "app = 2\n");
  EXPECT_NE(source_version(app(), "1.2").version, first.version);
}

TEST_F(GitVersion, ARepositoryWithoutACommitIsNoRepositoryYet) {
  init();
  EXPECT_FALSE(source_version(app(), "").in_git);
  EXPECT_TRUE(version().starts_with("0.0.0+0.g"));
}

}  // namespace
}  // namespace dae::builder
