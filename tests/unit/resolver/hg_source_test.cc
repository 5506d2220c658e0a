// Real Mercurial repositories, where there is an `hg` (in PATH, or named by $DAE_TEST_HG).
#include "resolver/source/hg_source.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/strings.h"
#include "scoped_env.h"

namespace dae::resolver {
namespace {

using testing::ScopedEnv;

class Mercurial : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto named = env_var("DAE_TEST_HG");
    const auto found = named ? std::optional(Path(*named)) : find_program("hg");
    if (!found) GTEST_SKIP() << "no hg here; `pip install mercurial` and DAE_TEST_HG=<its hg>";
    path_ = std::make_unique<ScopedEnv>("PATH", found->parent_path().string() + ":/usr/bin:/bin");
    make_dirs(repo_);
    hg({"init", "."});
  }

  std::string hg(std::vector<std::string> arguments) {
    ProcessSpec spec;
    spec.argv = {"hg", "--config", "ui.username=t"};
    spec.argv.insert(spec.argv.end(), arguments.begin(), arguments.end());
    spec.cwd = repo_;
    spec.env = {{"HGPLAIN", "1"}};
    const ProcessResult result = runner_->run(spec);
    EXPECT_EQ(result.exit_code, 0) << join(arguments, " ") << "\n" << result.out << result.err;
    return std::string(trim(result.out));
  }
  std::string commit(const std::string& text) {
    write_file_atomic(repo_ / "a.py", text);
    hg({"commit", "-A", "-m", "change"});
    return hg({"log", "-r", ".", "--template", "{node}"});
  }
  std::string resolve(const std::string& revision = "") {
    return resolve_hg(url(), revision, "the repository", access());
  }
  std::string url() const { return "file://" + repo_.string(); }
  VcsAccess access() { return {*transport_, *runner_, events_, dir_.path() / "cache", false}; }
  ErrorKind kind_of(const std::function<void()>& action) {
    try {
      action();
    } catch (const Error& error) {
      return error.kind();
    }
    ADD_FAILURE() << "no error";
    return ErrorKind::failed;
  }

  TempDir dir_;
  Path repo_ = dir_.path() / "repo";
  ScopedEnv home_{"HOME", dir_.path().string()};
  std::unique_ptr<ScopedEnv> path_;
  NullSink events_;
  std::unique_ptr<ProcessRunner> runner_ = make_process_runner();
  std::unique_ptr<Transport> transport_ = make_http_client();
};

TEST_F(Mercurial, FindsBranchesTagsAndCommits) {
  const std::string first = commit("1\n");
  hg({"tag", "v1"});
  hg({"branch", "stable"});
  const std::string second = commit("2\n");
  EXPECT_EQ(resolve("v1"), first);
  EXPECT_EQ(resolve("stable"), second);
  EXPECT_EQ(resolve(first.substr(0, 8)), first);
  EXPECT_NE(resolve(), second) << "the default branch";
  EXPECT_EQ(read_file(checkout_hg(url(), first, "it", access()) / "a.py"), "1\n");
  EXPECT_EQ(read_file(checkout_hg(url(), second, "it", access()) / "a.py"), "2\n");
  EXPECT_EQ(kind_of([&] { resolve("no-such"); }), ErrorKind::not_found);

  remove_all(repo_);
  EXPECT_EQ(resolve(first), first) << "a commit that is here";
  EXPECT_EQ(kind_of([&] { resolve("stable"); }), ErrorKind::network);
}

TEST_F(Mercurial, RefusesLinksThatLeaveTheTreeAndExpressionsForRevisions) {
  commit("1\n");
  EXPECT_EQ(kind_of([&] { resolve("all()"); }), ErrorKind::bad_input);
  symlink_atomic("../../x", repo_ / "out");
  const std::string node = commit("2\n");
  EXPECT_EQ(resolve(), node);
  EXPECT_EQ(kind_of([&] { checkout_hg(url(), node, "it", access()); }), ErrorKind::refused);
}

}  // namespace
}  // namespace dae::resolver
