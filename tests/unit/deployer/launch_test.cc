#include "deployer/launch.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.h"

namespace dae::deployer {
namespace {

class LaunchTest : public ::testing::Test {
 protected:
  void SetUp() override {
    make_dirs(env() / "bin");
    write_file_atomic(env() / "bin" / "gunicorn", "", 0755);
    app_.name = "bubbler";
    app_.version = "1.4.0";
    app_.env = {{"FLASK_ENV", "production"}};
    web_.name = "web";
    web_.wsgi = "app:app";
    web_.workers = 4;
  }
  Path env() const { return dir_.path() / "env"; }
  Path source() const { return dir_.path() / "source"; }
  Launch launch(const mirror::Instance& instance, const std::string& bind = "unix:/run/x.sock", bool reload = false) {
    return launch_instance(app_, instance, env(), source(), bind, reload);
  }
  std::string failure(const mirror::Instance& instance, const std::string& bind = "unix:/run/x.sock") {
    try {
      launch(instance, bind);
    } catch (const Error& error) {
      return error.message();
    }
    return "";
  }

  TempDir dir_;
  mirror::AppConfig app_;
  mirror::Instance web_;
};

TEST_F(LaunchTest, ServesAWsgiInstanceWithTheGunicornOfItsEnvironment) {
  const Launch got = launch(web_);
  const std::vector<std::string> expected = {(env() / "bin/gunicorn").string(),
                                             "--bind",
                                             "unix:/run/x.sock",
                                             "--workers",
                                             "4",
                                             "--chdir",
                                             source().string(),
                                             "--graceful-timeout",
                                             "30",
                                             "app:app"};
  EXPECT_EQ(got.argv, expected);
  EXPECT_EQ(got.env.at("FLASK_ENV"), "production");
  EXPECT_EQ(got.env.at("DAE_SOCKET"), "/run/x.sock");
  EXPECT_EQ(got.env.at("DAE_APP"), "bubbler");
  EXPECT_TRUE(got.env.at("PATH").starts_with((env() / "bin").string()));
  EXPECT_FALSE(got.env.contains("PORT"));
}

TEST_F(LaunchTest, ReloadsOnlyWhenAskedTo) {
  const auto has = [](const Launch& got, const char* word) {
    return std::find(got.argv.begin(), got.argv.end(), word) != got.argv.end();
  };
  EXPECT_FALSE(has(launch(web_), "--reload"));
  const Launch got = launch(web_, "127.0.0.1:8000", true);
  EXPECT_TRUE(has(got, "--reload"));
  EXPECT_EQ(got.argv.back(), "app:app");
  EXPECT_EQ(got.env.at("PORT"), "8000");
}

TEST_F(LaunchTest, TurnsTheControlSocketOffWhereGunicornHasOne) {
  const Path package = env() / "lib/python3.11/site-packages/gunicorn";
  make_dirs(package);
  write_file_atomic(package / "config.py", "cli = [\"--bind\"]\n");
  auto argv = launch(web_).argv;
  EXPECT_EQ(std::count(argv.begin(), argv.end(), "--no-control-socket"), 0);
  write_file_atomic(package / "config.py", "cli = [\"--no-control-socket\"]\n");
  argv = launch(web_).argv;
  EXPECT_EQ(std::count(argv.begin(), argv.end(), "--no-control-socket"), 1);
}

TEST_F(LaunchTest, PutsTheSocketIntoTheWordsOfACommand) {
  web_.command = "serve --uds $DAE_SOCKET '--also=${DAE_SOCKET}' $DAE_SOCKETS \"$HOME\"";
  const std::vector<std::string> expected = {"serve",        "--uds", "/run/x.sock", "--also=/run/x.sock",
                                             "$DAE_SOCKETS", "$HOME"};
  EXPECT_EQ(launch(web_).argv, expected);
}

TEST_F(LaunchTest, PutsThePortIntoTheWordsOfACommand) {
  web_.command = "serve --port $PORT";
  EXPECT_EQ(launch(web_, "127.0.0.1:8000").argv.back(), "8000");
  EXPECT_EQ(failure(web_), "the command of instance `web` listens on $PORT, but a node gives it a unix socket");
}

TEST_F(LaunchTest, RunsADaemonByItsCommand) {
  mirror::Instance daemon;
  daemon.name = "indexer";
  daemon.type = "daemon";
  daemon.command = "python indexer.py --deep";
  const Launch got = launch(daemon, "");
  EXPECT_EQ(got.argv, (std::vector<std::string>{"python", "indexer.py", "--deep"}));
  EXPECT_FALSE(got.env.contains("DAE_SOCKET"));
}

TEST_F(LaunchTest, NamesTheInstanceThatCannotBeStarted) {
  mirror::Instance empty;
  empty.name = "web";
  EXPECT_EQ(failure(empty), "instance `web` has neither `wsgi` nor `command`");
  empty.type = "daemon";
  empty.name = "indexer";
  EXPECT_EQ(failure(empty), "instance `indexer` has no `command`");
  empty.command = "echo 'open";
  EXPECT_NE(failure(empty).find("quote is not closed"), std::string::npos);
  remove_file(env() / "bin" / "gunicorn");
  EXPECT_EQ(failure(web_), "instance `web` needs gunicorn, which is not installed");
}

}  // namespace
}  // namespace dae::deployer
