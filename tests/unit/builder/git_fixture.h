#pragma once
// Real git repositories for the tests of this room, made with the git program and nothing of the machine's own
// settings.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/process.h"
#include "builder/app_file.h"

namespace dae::builder {

class GitTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!find_program("git")) GTEST_SKIP() << "needs git";
    make_dirs(repo_);
  }

  ProcessResult run(const Path& cwd, std::vector<std::string> argv) {
    ProcessSpec spec;
    spec.argv = std::move(argv);
    spec.cwd = cwd;
    const std::string date = std::to_string(1'700'000'000 + 60 * clock_) + " +0000";
    spec.env = {{"GIT_CONFIG_GLOBAL", "/dev/null"}, {"GIT_CONFIG_NOSYSTEM", "1"},
                {"GIT_AUTHOR_NAME", "A"},           {"GIT_AUTHOR_EMAIL", "a@x.example"},
                {"GIT_COMMITTER_NAME", "C"},        {"GIT_COMMITTER_EMAIL", "c@x.example"},
                {"GIT_AUTHOR_DATE", date},          {"GIT_COMMITTER_DATE", date}};
    return runner_->run(spec);
  }

  std::string git(std::vector<std::string> argv, Path cwd = {}) {
    argv.insert(argv.begin(), "git");
    const ProcessResult result = run(cwd.empty() ? repo_ : cwd, argv);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return result.out;
  }

  void write(const std::string& name, const std::string& text, mode_t mode = 0644) {
    make_dirs((repo_ / name).parent_path());
    write_file_atomic(repo_ / name, text, mode, Durability::none);
  }

  // Each commit is a minute later than the one before.
  std::string commit(const std::string& message) {
    ++clock_;
    git({"add", "-A"});
    git({"commit", "-q", "--allow-empty", "-m", message});
    std::string id = git({"rev-parse", "HEAD"});
    id.pop_back();
    return id;
  }

  void init(const std::string& app_yaml = "name: bubbler\ninstances: {web: {wsgi: 'app:app'}}\n") {
    git({"init", "-q", "-b", "main"});
    write("app.yaml", app_yaml);
    write("app.py", "app = 1\n");
  }

  AppFile app(const Path& dir = {}) { return find_app_file(dir.empty() ? repo_ : dir); }

  TempDir dir_;
  Path repo_ = dir_.path() / "repo";
  std::unique_ptr<ProcessRunner> runner_ = make_process_runner();
  int clock_ = 0;
};

}  // namespace dae::builder
