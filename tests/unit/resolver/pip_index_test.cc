// Which index pip would use: asked of pip, remembered until something that decides it changes.
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/strings.h"
#include "resolver/source/index.h"
#include "scoped_env.h"

namespace dae::resolver {
namespace {

using testing::ScopedEnv;

class PipIndexTest : public ::testing::Test {
 protected:
  // A `python3` that answers like the script we hand to the real one, and leaves a mark each time it runs.
  void fake_python(const std::string& answer, const std::string& name = "python3") {
    write_file_atomic(bin_ / name,
                      "#!/bin/sh\necho x >>" + (dir_.path() / "runs").string() +
                          "\necho 'WARNING: noise'\ncat <<'END'\n" + answer + "\nEND\n",
                      0755);
  }
  std::string answer(const std::string& index_url) const {
    return R"({"index_url": ")" + index_url + R"(", "extra": ["http://extra.test/simple"], "cert": "/etc/ca.pem", )" +
           R"("no_index": false, "default": "http://default.test/simple", "files": [")" + config_.string() + R"("]})";
  }
  size_t runs() const { return read_file_if_exists(dir_.path() / "runs").value_or("").size() / 2; }

  TempDir dir_;
  const Path bin_ = [this] {
    make_dirs(dir_.path() / "bin");
    return dir_.path() / "bin";
  }();
  const Path config_ = dir_.path() / "pip.conf";
  ScopedEnv cache_{"DAE_CACHE_DIR", (dir_.path() / "cache").string()};
  ScopedEnv path_{"PATH", bin_.string() + ":/usr/bin:/bin"};
  std::unique_ptr<ProcessRunner> runner_ = make_process_runner();
};

TEST_F(PipIndexTest, TakesWhatPipSaysWithSlashesAtTheEnd) {
  fake_python(answer("http://index.test/simple"));
  const PipIndex index = pip_index(*runner_);
  EXPECT_EQ(index.index_url, "http://index.test/simple/");
  EXPECT_EQ(index.extra_index_urls, std::vector<std::string>{"http://extra.test/simple/"});
  EXPECT_EQ(index.ca_file, "/etc/ca.pem");
  EXPECT_EQ(index.origin, "pip's configuration");
}

TEST_F(PipIndexTest, AsksOnceUntilAConfigurationFileOrAVariableChanges) {
  fake_python(answer("http://index.test/simple"));
  pip_index(*runner_);
  EXPECT_EQ(pip_index(*runner_).index_url, "http://index.test/simple/");
  EXPECT_EQ(runs(), 1u);
  write_file_atomic(config_, "[global]\n");
  pip_index(*runner_);
  EXPECT_EQ(runs(), 2u) << "a configuration file appeared";
  {
    const ScopedEnv url("PIP_INDEX_URL", "http://other.test/simple");
    pip_index(*runner_);
    EXPECT_EQ(runs(), 3u) << "a variable was set";
  }
}

TEST_F(PipIndexTest, CredentialsAreNotRemembered) {
  fake_python(answer("http://bob:hunter2@index.test/simple"));
  EXPECT_EQ(pip_index(*runner_).index_url, "http://bob:hunter2@index.test/simple/");
  pip_index(*runner_);
  EXPECT_EQ(runs(), 2u);
  EXPECT_FALSE(exists(dir_.path() / "cache/pip-index.json"));
}

TEST_F(PipIndexTest, ADamagedMemoryIsAskedForAgain) {
  fake_python(answer("http://index.test/simple"));
  pip_index(*runner_);
  write_file_atomic(dir_.path() / "cache/pip-index.json", "{\"format\": 1, ");
  EXPECT_EQ(pip_index(*runner_).index_url, "http://index.test/simple/");
  EXPECT_EQ(runs(), 2u);
}

TEST_F(PipIndexTest, WithoutAnyPipSaysWhatWasTried) {
  write_file_atomic(bin_ / "python3", "#!/bin/sh\necho 'No module named pip' >&2\nexit 1\n", 0755);
  const ScopedEnv path("PATH", bin_.string());
  try {
    pip_index(*runner_);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::not_found);
    EXPECT_NE(error.cause().find((bin_ / "python3").string()), std::string::npos);
    EXPECT_FALSE(error.hint().empty());
  }
}

TEST_F(PipIndexTest, ReadsTheConfigurationOfTheRealPip) {
  ProcessSpec probe;
  probe.argv = {"/usr/bin/python3", "-m", "pip", "--version"};
  if (!exists("/usr/bin/python3") || runner_->run(probe).exit_code != 0) GTEST_SKIP() << "no pip here";
  const ScopedEnv path("PATH", "/usr/bin:/bin");
  write_file_atomic(config_,
                    "[global]\nindex-url = http://configured.test/simple\nextra-index-url =\n    http://two.test/s\n");
  const ScopedEnv config("PIP_CONFIG_FILE", config_.string());
  PipIndex index = pip_index(*runner_);
  EXPECT_EQ(index.index_url, "http://configured.test/simple/");
  EXPECT_EQ(index.extra_index_urls, std::vector<std::string>{"http://two.test/s/"});
  EXPECT_EQ(index.origin, "pip's configuration");
  const ScopedEnv variable("PIP_INDEX_URL", "http://variable.test/simple/");
  EXPECT_EQ(pip_index(*runner_).index_url, "http://variable.test/simple/") << "the environment goes before files";
}

}  // namespace
}  // namespace dae::resolver
