// Revisions of real repositories, read from folders and over HTTP, and trees that mean harm.
#include "resolver/source/git_source.h"

#include <sys/stat.h>

#include "git_fixture.h"
#include "resolver/source/gitmodules.h"
#include "scoped_env.h"
#include "support/error_of.h"

namespace dae::resolver {
namespace {

using dae::testing::error_of;
using testing::GitFolder;
using testing::GitServer;
using testing::ScopedEnv;

class Git : public ::testing::Test {
 protected:
  std::string resolve(const std::string& url, const std::string& revision = "") {
    return resolve_git(url, revision, "the repository", access());
  }
  Path checkout(const std::string& url, const std::string& commit) {
    return checkout_git(url, commit, "", "the repository", access());
  }
  VcsAccess access() { return {*transport_, *runner_, events_, dir_.path() / "cache", offline_}; }

  TempDir dir_;
  ScopedEnv home_{"HOME", (dir_.path() / "home").string()};
  ScopedEnv no_global_{"GIT_CONFIG_GLOBAL", "/dev/null"};
  NullSink events_;
  std::unique_ptr<ProcessRunner> runner_ = make_process_runner();
  std::unique_ptr<Transport> transport_ = [] {
    HttpClientOptions options;
    options.retry_base_ms = 1;
    return make_http_client(options);
  }();
  bool offline_ = false;
};

TEST_F(Git, FindsBranchesTagsAndCommitsByAllTheirNames) {
  GitFolder repo(dir_.path() / "repo", *runner_);
  const std::string first = repo.file("a.py", "1\n").commit();
  repo.git({"tag", "light"});
  repo.git({"tag", "-a", "v1.0", "-m", "one"});
  repo.git({"branch", "feature/x"});
  const std::string second = repo.file("a.py", "2\n").commit();
  repo.git({"update-ref", "refs/pull/7/head", first});
  repo.git({"branch", "both", second});
  repo.git({"tag", "both", first});

  EXPECT_EQ(resolve(repo.url()), second);
  EXPECT_EQ(resolve(repo.url(), "HEAD"), second);
  EXPECT_EQ(resolve(repo.url(), "main"), second);
  EXPECT_EQ(resolve(repo.url(), "feature/x"), first);
  EXPECT_EQ(resolve(repo.url(), "light"), first);
  EXPECT_EQ(resolve(repo.url(), "v1.0"), first) << "an annotated tag is not a commit itself";
  EXPECT_EQ(resolve(repo.url(), first), first);
  EXPECT_EQ(resolve(repo.url(), first.substr(0, 9)), first);
  EXPECT_EQ(resolve(repo.url(), "refs/pull/7/head"), first);
  EXPECT_EQ(resolve(repo.url(), "pull/7/head"), first);
  EXPECT_EQ(resolve(repo.url(), "both"), second) << "a branch goes before a tag";

  const Path tree = checkout(repo.url(), first);
  EXPECT_EQ(read_file(tree / "a.py"), "1\n");
  EXPECT_EQ(checkout(repo.url(), second), tree.parent_path() / second);
}

TEST_F(Git, ABranchIsAskedForAnewAndACommitNever) {
  GitFolder repo(dir_.path() / "repo", *runner_);
  const std::string first = repo.file("a.py", "1\n").commit();
  EXPECT_EQ(resolve(repo.url(), "main"), first);
  const std::string second = repo.file("a.py", "2\n").commit();
  EXPECT_EQ(resolve(repo.url(), "main"), second);
  remove_all(repo.dir());
  EXPECT_EQ(resolve(repo.url(), first), first);
  EXPECT_EQ(read_file(checkout(repo.url(), first) / "a.py"), "1\n");
  EXPECT_EQ(error_of([&] { resolve(repo.url(), "main"); }).kind(), ErrorKind::not_found);
}

TEST_F(Git, AHistoryThatWasRewrittenIsFollowed) {
  GitFolder repo(dir_.path() / "repo", *runner_);
  repo.file("a.py", "1\n").commit();
  repo.git({"tag", "v1"});
  resolve(repo.url(), "v1");
  repo.git({"commit", "-q", "--amend", "-m", "another"});
  repo.git({"tag", "-f", "v1"});
  EXPECT_EQ(resolve(repo.url(), "v1"), repo.git({"rev-parse", "HEAD"}));
  EXPECT_EQ(resolve(repo.url(), "main"), repo.git({"rev-parse", "HEAD"}));
}

TEST_F(Git, SaysWhatThereIsWhenARevisionIsNot) {
  GitFolder repo(dir_.path() / "repo", *runner_);
  repo.commit();
  repo.git({"tag", "v1"});
  const Error error = error_of([&] { resolve(repo.url(), "mian"); });
  EXPECT_EQ(error.kind(), ErrorKind::not_found);
  EXPECT_NE(error.message().find("`mian`"), std::string::npos);
  EXPECT_EQ(error.hint(), "it has main, v1");
  EXPECT_EQ(error_of([&] { resolve(repo.url(), std::string(40, '1')); }).kind(), ErrorKind::not_found);
  GitFolder empty(dir_.path() / "empty", *runner_);
  EXPECT_EQ(error_of([&] { resolve(empty.url()); }).kind(), ErrorKind::not_found);
  EXPECT_EQ(error_of([&] { resolve("file://" + (dir_.path() / "nowhere").string()); }).kind(), ErrorKind::not_found);
}

TEST_F(Git, ACheckoutLooksLikeACloneToToolsThatCountCommits) {
  GitFolder repo(dir_.path() / "repo", *runner_);
  repo.file("a.py", "1\n").file(".gitattributes", "*.py text eol=lf\n").commit();
  repo.git({"tag", "-a", "v1.0", "-m", "one"});
  ::chmod((repo.dir() / "a.py").c_str(), 0755);
  const std::string second = repo.commit();
  const Path tree = checkout(repo.url(), resolve(repo.url()));
  ProcessSpec spec;
  spec.argv = {"git", "describe", "--long", "--dirty"};
  spec.cwd = tree;
  const ProcessResult described = runner_->run(spec);
  EXPECT_EQ(trim(described.out), "v1.0-1-g" + second.substr(0, 7)) << described.err;
  EXPECT_NE(file_info(tree / "a.py")->mode & 0100, 0u);
}

TEST_F(Git, HooksOfTheRepositoryAndOfTheUserNeverRun) {
  const Path mark = dir_.path() / "ran";
  GitFolder repo(dir_.path() / "repo", *runner_);
  repo.file("a.py", "1\n").file("post-checkout", "#!/bin/sh\ntouch " + mark.string() + "\n").commit();
  for (const Path& hooks : {repo.dir() / ".git/hooks", dir_.path() / "hooks"}) {
    make_dirs(hooks);
    copy_file(repo.dir() / "post-checkout", hooks / "post-checkout", 0755);
  }
  make_dirs(dir_.path() / "home");
  write_file_atomic(dir_.path() / "home/.gitconfig",
                    "[core]\n\thooksPath = " + (dir_.path() / "hooks").string() + "\n");
  checkout(repo.url(), resolve(repo.url()));
  EXPECT_FALSE(exists(mark));
}

TEST_F(Git, SubmodulesComeWithIt) {
  GitFolder inner(dir_.path() / "inner", *runner_);
  inner.file("deep.txt", "deep\n").commit();
  GitFolder lib(dir_.path() / "lib", *runner_);
  lib.file("lib.txt", "lib\n");
  lib.git({"submodule", "add", "-q", "../inner", "vendor/inner"});
  lib.commit();
  lib.file("lib.txt", "later\n").commit();
  const std::string pinned = lib.git({"rev-parse", "HEAD~1"});
  GitFolder repo(dir_.path() / "repo", *runner_);
  repo.git({"submodule", "add", "-q", lib.url(), "libs/lib"});
  repo.git({"-C", "libs/lib", "checkout", "-q", pinned});
  repo.commit();

  const Path tree = checkout(repo.url(), resolve(repo.url()));
  EXPECT_EQ(read_file(tree / "libs/lib/lib.txt"), "lib\n") << "the commit it is pinned to";
  EXPECT_EQ(read_file(tree / "libs/lib/vendor/inner/deep.txt"), "deep\n") << "a relative address within a submodule";
}

TEST_F(Git, RefusesLinksThatLeaveTheTree) {
  for (const auto& [name, target] : std::vector<std::pair<std::string, std::string>>{
           {"up", "../../etc/passwd"}, {"absolute", "/etc/passwd"}, {"by-way-of", "deep/er/est/root/../x"}}) {
    GitFolder repo(dir_.path() / name, *runner_);
    repo.file("deep/er/est/x", "").file("ok.txt", "");
    symlink_atomic("../../..", repo.dir() / "deep/er/est/root");
    symlink_atomic("deep/er/../../ok.txt", repo.dir() / "fine");
    const std::string harmless = repo.commit();
    EXPECT_TRUE(exists(checkout(repo.url(), resolve(repo.url())) / "fine"));
    symlink_atomic(target, repo.dir() / "out");
    repo.commit();
    const std::string commit = resolve(repo.url());
    const Error error = error_of([&] { checkout(repo.url(), commit); });
    EXPECT_EQ(error.kind(), ErrorKind::refused) << name;
    EXPECT_NE(error.message().find("`out`"), std::string::npos) << error.what();
    EXPECT_FALSE(exists(dir_.path() / "cache/git-v1/checkouts" / commit));
  }
}

TEST_F(Git, RefusesTreesWithNamesThatLeadElsewhere) {
  for (const std::string name : {"..", ".git", "."}) {
    GitFolder repo(dir_.path() / ("r" + Digest::of(name).short_hex()), *runner_);
    repo.commit();
    const std::string blob = repo.git({"hash-object", "-w", "--stdin"}, "evil");
    std::string raw;
    for (size_t i = 0; i < blob.size(); i += 2) raw += static_cast<char>(std::stoi(blob.substr(i, 2), nullptr, 16));
    const std::string inner = repo.git({"hash-object", "-t", "tree", "-w", "--literally", "--stdin"},
                                       std::string("100644 evil") + '\0' + raw);
    std::string raw_tree;
    for (size_t i = 0; i < inner.size(); i += 2) {
      raw_tree += static_cast<char>(std::stoi(inner.substr(i, 2), nullptr, 16));
    }
    const std::string tree =
        repo.git({"hash-object", "-t", "tree", "-w", "--literally", "--stdin"}, "40000 " + name + '\0' + raw_tree);
    const std::string commit = repo.git({"commit-tree", tree, "-m", "evil"});
    repo.git({"update-ref", "refs/heads/evil", commit});
    EXPECT_EQ(resolve(repo.url(), "evil"), commit);
    EXPECT_EQ(error_of([&] { checkout(repo.url(), commit); }).kind(), ErrorKind::failed) << name;
    EXPECT_FALSE(exists(dir_.path() / "cache/git-v1/checkouts" / commit));
    EXPECT_FALSE(exists(dir_.path() / "cache/git-v1/checkouts/evil"));
  }
}

TEST_F(Git, RefusesATreeThatUnpacksWithoutEnd) {
  GitFolder repo(dir_.path() / "repo", *runner_);
  repo.file("a", "x").commit();
  std::string tree = repo.git({"rev-parse", "HEAD^{tree}"});
  for (int level = 0; level < 8; ++level) {
    std::string listing;
    for (int i = 0; i < 10; ++i) listing += "040000 tree " + tree + "\td" + std::to_string(i) + "\n";
    tree = repo.git({"mktree"}, listing);
  }
  const std::string commit = repo.git({"commit-tree", tree, "-m", "bomb"});
  repo.git({"update-ref", "refs/heads/main", commit});
  resolve(repo.url());
  EXPECT_EQ(error_of([&] { checkout(repo.url(), commit); }).message(), "the tree is too large");
}

TEST_F(Git, OverHttpWithATag) {
  GitFolder repo(dir_.path() / "served/repo", *runner_);
  const std::string first = repo.file("a.py", "1\n").commit();
  repo.git({"tag", "-a", "v1", "-m", "one"});
  repo.file("a.py", std::string(300'000, 'a')).commit();
  const GitServer server(dir_.path() / "served", *runner_);
  const std::string url = server.url() + "/repo/.git";
  EXPECT_EQ(resolve(url, "v1"), first);
  EXPECT_EQ(read_file(checkout(url, first) / "a.py"), "1\n");
  const int asked = server.asked();
  EXPECT_EQ(resolve(url, first), first);
  checkout(url, first);
  EXPECT_EQ(server.asked(), asked) << "what is here is not asked for";
  EXPECT_EQ(resolve(url), repo.git({"rev-parse", "HEAD"}));
  EXPECT_EQ(resolve(server.url() + "/moved/repo/.git", "v1"), first);

  offline_ = true;
  EXPECT_EQ(resolve(url, "v1"), first) << "as it was last seen";
  EXPECT_EQ(resolve(url, first.substr(0, 10)), first);
  const int before = server.asked();
  const Error error = error_of([&] { resolve(url, "never"); });
  EXPECT_EQ(error.kind(), ErrorKind::refused);
  EXPECT_NE(error.message().find("--offline"), std::string::npos);
  EXPECT_EQ(error_of([&] { resolve(server.url() + "/other/.git"); }).kind(), ErrorKind::refused);
  EXPECT_EQ(server.asked(), before);
}

TEST_F(Git, CredentialsComeFromTheUrlNetrcOrAHelperAndAreNeverShown) {
  GitFolder repo(dir_.path() / "served/repo", *runner_);
  const std::string head = repo.commit();
  const GitServer server(dir_.path() / "served", *runner_, "someone:p@ss/w");
  const std::string host = server.url().substr(7), plain = server.url() + "/repo/.git";

  const Error none = error_of([&] { resolve(plain); });
  EXPECT_EQ(none.kind(), ErrorKind::refused);
  const std::string wrong_url = "http://someone:wr0ng@" + host + "/repo/.git";
  const Error wrong = error_of([&] { resolve(wrong_url); });
  EXPECT_EQ(wrong.kind(), ErrorKind::refused);
  EXPECT_EQ(render_error(wrong).find("wr0ng"), std::string::npos) << render_error(wrong);

  EXPECT_EQ(resolve("http://someone:p%40ss%2Fw@" + host + "/repo/.git"), head);
  for (const WalkEntry& entry : walk_tree(dir_.path() / "cache")) {
    if (!entry.info.is_file()) continue;
    EXPECT_EQ(read_file(entry.path).find("p%40ss"), std::string::npos) << entry.path;
  }
  remove_all(dir_.path() / "cache");
  make_dirs(dir_.path() / "home");
  const std::string name = host.substr(0, host.find(':'));
  write_file_atomic(dir_.path() / "home/.netrc", "machine " + name + " login someone password p@ss/w\n", 0600);
  EXPECT_EQ(resolve(plain), head);
  remove_all(dir_.path() / "home/.netrc");
  remove_all(dir_.path() / "cache");
  write_file_atomic(dir_.path() / "helper.config",
                    "[credential]\n\thelper = \"!f() { echo username=someone; echo password=p@ss/w; }; f\"\n");
  const ScopedEnv helper("GIT_CONFIG_GLOBAL", (dir_.path() / "helper.config").string());
  EXPECT_EQ(resolve(plain), head);
}

TEST_F(Git, TellsAServerThatIsNoneOfGit) {
  std::vector<Route> routes;
  routes.push_back({"GET", "/page/{*}", [](const ServerRequest&) { return ServerResponse::text(200, "<html>"); }});
  const auto server = start_http_server({}, std::move(routes));
  EXPECT_EQ(error_of([&] { resolve(server->url() + "/page/x"); }).kind(), ErrorKind::not_found);
  EXPECT_EQ(error_of([&] { resolve(server->url() + "/gone/x"); }).kind(), ErrorKind::not_found);
  const std::string closed = server->url();
  server->drain(0);
  EXPECT_EQ(error_of([&] { resolve("http://127.0.0.1:1/x.git"); }).kind(), ErrorKind::network);
}

TEST_F(Git, ARepositoryFromElsewhereDoesNotMakeUsReadFoldersOfThisMachine) {
  GitFolder secret(dir_.path() / "secret", *runner_);
  secret.file("key", "secret").commit();
  GitFolder repo(dir_.path() / "served/repo", *runner_);
  repo.git({"submodule", "add", "-q", secret.url(), "lib"});
  repo.commit();
  const GitServer server(dir_.path() / "served", *runner_);
  const std::string url = server.url() + "/repo/.git", commit = resolve(url);
  const Error error = error_of([&] { checkout(url, commit); });
  EXPECT_EQ(error.kind(), ErrorKind::refused);
  EXPECT_NE(error.message().find("folder of this machine"), std::string::npos) << error.what();
}

TEST(Gitmodules, AreReadWithoutGitsOwnReader) {
  const auto urls = git::parse_gitmodules(
      "[include]\n\tpath = /etc/passwd\n[submodule \"a b\"]\n\tpath = \"libs/a b\" # note\n\turl = https://h/x;y.git\n"
      "\tbranch = main\n; url = no\n[submodule \"c\"]\r\n\tURL = ../c\r\n\tpath=c\r\n[submodule \"d\"]\n\tpath = d\n");
  EXPECT_EQ(urls, (std::map<std::string, std::string>{{"libs/a b", "https://h/x"}, {"c", "../c"}}));
}

TEST(Gitmodules, RelativeAddressesStartAtTheRepositoryThatNamesThem) {
  EXPECT_EQ(git::submodule_url("https://u:p@h/a/b.git", "../c.git"), "https://u:p@h/a/c.git");
  EXPECT_EQ(git::submodule_url("https://h/a/b/", "../../c"), "https://h/c");
  EXPECT_EQ(git::submodule_url("https://h/a/b", "./c"), "https://h/a/b/c");
  EXPECT_EQ(git::submodule_url("https://h/a", "git@h2:x/y.git"), "ssh://git@h2/x/y.git");
  EXPECT_EQ(git::submodule_url("https://h/a", "https://h3/z"), "https://h3/z");
  EXPECT_THROW(git::submodule_url("https://h/a", "../../../c"), Error);
}

}  // namespace
}  // namespace dae::resolver
