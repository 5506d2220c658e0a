#include "base/process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <thread>

#include "base/clock.h"
#include "base/error.h"
#include "base/strings.h"

namespace dae {
namespace {

class ProcessTest : public ::testing::Test {
 protected:
  ProcessSpec shell(const std::string& script) {
    ProcessSpec spec;
    spec.argv = {"sh", "-c", script};
    return spec;
  }
  ProcessResult run(const std::string& script) { return runner_->run(shell(script)); }
  bool ends(const ProcessIdentity& id, int64_t limit_ms = 5000) {
    for (int64_t waited_ms = 0; runner_->alive(id); waited_ms += 5) {
      if (waited_ms > limit_ms) return false;
      clock_.sleep_ms(5);
    }
    return true;
  }
  SystemClock clock_;
  TempDir dir_;
  std::unique_ptr<ProcessRunner> runner_ = make_process_runner();
};

TEST_F(ProcessTest, CollectsBothOutputsAndTheExitCode) {
  const auto result = run("echo out; echo err >&2; exit 3");
  EXPECT_EQ(result.out, "out\n");
  EXPECT_EQ(result.err, "err\n");
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_FALSE(result.timed_out);
}

TEST_F(ProcessTest, TellsASignalAsTheShellDoes) {
  EXPECT_EQ(run("kill -TERM $$").exit_code, 128 + SIGTERM);
}

TEST_F(ProcessTest, PassesArgumentsUntouched) {
  ProcessSpec spec;
  spec.argv = {"printf", "%s|", "a b", "$HOME", "*", ""};
  EXPECT_EQ(runner_->run(spec).out, "a b|$HOME|*||");
}

TEST_F(ProcessTest, FeedsStandardInputLargerThanAPipe) {
  ProcessSpec spec = shell("sleep 0.05; cat");
  spec.stdin_bytes = std::string(1 << 20, 'x');
  EXPECT_EQ(runner_->run(spec).out, *spec.stdin_bytes);
}

TEST_F(ProcessTest, SurvivesAProgramThatDoesNotReadItsInput) {
  ProcessSpec spec = shell("exec <&-; sleep 0.05");
  spec.stdin_bytes = std::string(1 << 20, 'x');
  EXPECT_EQ(runner_->run(spec).exit_code, 0);
}

TEST_F(ProcessTest, GivesNoInputByDefault) {
  EXPECT_EQ(run("cat; echo end").out, "end\n");
}

TEST_F(ProcessTest, CutsEndlessOutputAndSaysSo) {
  ProcessSpec spec = shell("head -c 300000 /dev/zero");
  spec.output_limit_bytes = 1000;
  const auto result = runner_->run(spec);
  EXPECT_EQ(result.out.size(), 1000u);
  EXPECT_TRUE(result.truncated);
  EXPECT_EQ(result.exit_code, 0);
}

TEST_F(ProcessTest, KillsTheWholeGroupWhenTheTimeIsOver) {
  ProcessSpec spec = shell("sleep 60 & echo $! ; wait");
  spec.timeout_ms = 100;
  const auto result = runner_->run(spec);
  EXPECT_TRUE(result.timed_out);
  EXPECT_EQ(result.exit_code, 128 + SIGKILL);
  const auto grandchild = parse_int(trim(result.out));
  ASSERT_TRUE(grandchild);
  for (int i = 0; i < 200 && identify_process(static_cast<pid_t>(*grandchild)); ++i) clock_.sleep_ms(5);
  EXPECT_FALSE(identify_process(static_cast<pid_t>(*grandchild)));
}

TEST_F(ProcessTest, DoesNotWaitForAGrandchildThatKeepsThePipe) {
  const int64_t started_ms = clock_.monotonic_ms();
  const auto result = run("sleep 30 & echo $!");
  EXPECT_LT(clock_.monotonic_ms() - started_ms, 10'000);
  const auto grandchild = parse_int(trim(result.out));
  ASSERT_TRUE(grandchild);
  ::kill(static_cast<pid_t>(*grandchild), SIGKILL);
}

TEST_F(ProcessTest, RunsInTheDirectoryAndEnvironmentGiven) {
  ProcessSpec spec = shell("pwd; echo $A-$HOME");
  spec.cwd = dir_.path();
  spec.env = {{"A", "1"}, {"PATH", "/usr/bin:/bin"}};
  spec.inherit_env = false;
  EXPECT_EQ(runner_->run(spec).out, dir_.path().string() + "\n1-\n");
  spec.inherit_env = true;
  EXPECT_EQ(runner_->run(spec).out, dir_.path().string() + "\n1-" + env_var("HOME").value_or("") + "\n");
}

TEST_F(ProcessTest, LooksForTheProgramInThePathOfItsOwnEnvironment) {
  write_file_atomic(dir_.path() / "mine", "#!/bin/sh\necho mine\n", 0755);
  ProcessSpec spec;
  spec.argv = {"mine"};
  spec.env = {{"PATH", dir_.path().string() + ":/usr/bin:/bin"}};
  EXPECT_EQ(runner_->run(spec).out, "mine\n");
}

TEST_F(ProcessTest, NamesAProgramOrDirectoryThatIsMissing) {
  const auto message = [&](const ProcessSpec& spec) -> std::string {
    try {
      runner_->run(spec);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::not_found);
      return error.message();
    }
    return "";
  };
  ProcessSpec spec;
  spec.argv = {"no-such-program-anywhere"};
  EXPECT_EQ(message(spec), "cannot find program `no-such-program-anywhere`");
  spec.argv = {"/no/such/program"};
  EXPECT_EQ(message(spec), "cannot start `/no/such/program`");
  spec = shell("true");
  spec.cwd = "/no/such/directory";
  EXPECT_EQ(message(spec), "cannot change to `/no/such/directory`");
}

TEST_F(ProcessTest, GivesItsChildNoDescriptorAndNoSignalSettingOfOurs) {
  const Fd leaky(::open("/dev/null", O_RDONLY));  // without O_CLOEXEC
  ::signal(SIGPIPE, SIG_IGN);
  sigset_t usr1, before;
  ::sigemptyset(&usr1);
  ::sigaddset(&usr1, SIGUSR1);
  ::pthread_sigmask(SIG_BLOCK, &usr1, &before);
  const auto result = run("ls /proc/self/fd | wc -l; grep -E 'Sig(Blk|Ign)' /proc/self/status");
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  const auto lines = split_lines(result.out);
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(trim(lines[0]), "4") << "0, 1, 2 and the directory that ls reads";
  EXPECT_EQ(lines[1], "SigBlk:\t0000000000000000");
  // 32 and 33 belong to the C library, which ignores them in children of posix_spawn.
  EXPECT_EQ(lines[2], "SigIgn:\t0000000180000000");
}

TEST_F(ProcessTest, SpawnsAndRemembersHowItEnded) {
  ProcessSpec spec = shell("echo hello; echo trouble >&2; exit 5");
  spec.output_file = dir_.path() / "log";
  const auto id = runner_->spawn(spec);
  ASSERT_TRUE(ends(id));
  EXPECT_EQ(runner_->exit_code(id), 5);
  EXPECT_EQ(runner_->exit_code(id), 5) << "still known after it was reaped";
  EXPECT_EQ(read_file(spec.output_file), "hello\ntrouble\n");
  EXPECT_FALSE(runner_->signal(id, SIGTERM, false));
  EXPECT_FALSE(identify_process(id.pid)) << "no zombie is left";
}

TEST_F(ProcessTest, WritesWhatItCollectsIntoAFileAsItComes) {
  ProcessSpec spec = shell("echo first; until [ -s " + (dir_.path() / "log").string() + " ]; do :; done; echo second");
  spec.output_file = dir_.path() / "log";
  spec.timeout_ms = 20'000;
  const ProcessResult result = runner_->run(spec);
  EXPECT_EQ(result.exit_code, 0) << "it goes on when its first line is in the file";
  EXPECT_EQ(result.out, "first\nsecond\n");
  EXPECT_EQ(read_file(spec.output_file), result.out);
}

TEST_F(ProcessTest, TakesAZombieForEnded) {
  const auto id = runner_->spawn(shell("exit 0"));
  const auto other = make_process_runner();
  for (int i = 0; i < 400 && other->alive(id); ++i) clock_.sleep_ms(5);
  EXPECT_FALSE(other->alive(id));
  EXPECT_FALSE(other->exit_code(id)) << "not its child";
  EXPECT_EQ(runner_->exit_code(id), 0);
}

TEST_F(ProcessTest, TellsAReusedPidByItsStartTime) {
  ProcessSpec spec = shell("exec sleep 60");
  spec.own_session = true;
  const auto id = runner_->spawn(spec);
  ProcessIdentity stranger = id;
  ++stranger.start_ticks;
  EXPECT_TRUE(runner_->alive(id));
  EXPECT_FALSE(runner_->alive(stranger));
  EXPECT_FALSE(runner_->signal(stranger, SIGKILL, false));
  EXPECT_FALSE(runner_->signal(stranger, SIGKILL, true));
  stranger = id;
  stranger.boot_id = "another boot";
  EXPECT_FALSE(runner_->alive(stranger));
  EXPECT_FALSE(runner_->signal(stranger, SIGKILL, true));
  EXPECT_TRUE(runner_->alive(id));
  EXPECT_TRUE(runner_->signal(id, SIGKILL, false));
  ASSERT_TRUE(ends(id));
  EXPECT_EQ(runner_->exit_code(id), 128 + SIGKILL);
}

TEST_F(ProcessTest, SignalsTheGroupEvenWhenItsLeaderIsGone) {
  ProcessSpec spec = shell("sleep 60 & echo $!");
  spec.own_session = true;
  spec.output_file = dir_.path() / "log";
  const auto id = runner_->spawn(spec);
  ASSERT_TRUE(ends(id));
  const auto member = parse_int(trim(read_file(spec.output_file)));
  ASSERT_TRUE(member && identify_process(static_cast<pid_t>(*member)));
  EXPECT_TRUE(runner_->signal(id, SIGKILL, true));
  for (int i = 0; i < 400 && identify_process(static_cast<pid_t>(*member)); ++i) clock_.sleep_ms(5);
  EXPECT_FALSE(identify_process(static_cast<pid_t>(*member)));
}

TEST_F(ProcessTest, IdentifiesItself) {
  const auto self = identify_process(::getpid());
  ASSERT_TRUE(self);
  EXPECT_EQ(self->pid, ::getpid());
  EXPECT_GT(self->start_ticks, 0u);
  EXPECT_EQ(self->boot_id.size(), 36u);
  EXPECT_FALSE(identify_process(0));
  EXPECT_FALSE(identify_process(-1));
}

TEST(CommandLine, SplitsAsTheShellDoesWithoutExpanding) {
  EXPECT_EQ(split_command("python  indexer.py\t--deep"), (std::vector<std::string>{"python", "indexer.py", "--deep"}));
  EXPECT_EQ(split_command(R"(a 'b c' "d \"e\" $F" g\ h '' x'y'"z")"),
            (std::vector<std::string>{"a", "b c", "d \"e\" $F", "g h", "", "xyz"}));
  EXPECT_EQ(split_command(R"("a\b\\c")"), (std::vector<std::string>{R"(a\b\c)"}));
  EXPECT_TRUE(split_command("  ").empty());
  for (const char* text : {"'open", "\"open", "end\\"}) EXPECT_THROW(split_command(text), Error) << text;
}

TEST(CommandLine, QuotesWhatItWouldSplit) {
  const std::vector<std::string> argv = {"a", "b c", "it's", "", "$X", "--k=v", "\"", "\\", "new\nline"};
  EXPECT_EQ(split_command(quote_command(argv)), argv);
  EXPECT_EQ(quote_command({"a", "b c", "--k=v"}), "a 'b c' --k=v");
}

TEST(FindProgram, SkipsDirectoriesAndPlainFiles) {
  const TempDir dir;
  make_dirs(dir.path() / "a" / "tool");
  make_dirs(dir.path() / "b");
  write_file_atomic(dir.path() / "b" / "tool", "", 0644);
  const std::string path = (dir.path() / "a").string() + "::" + (dir.path() / "b").string();
  EXPECT_FALSE(find_program("tool", path));
  set_mode(dir.path() / "b" / "tool", 0755);
  EXPECT_EQ(find_program("tool", path), dir.path() / "b" / "tool");
  EXPECT_FALSE(find_program("", path));
}

int wait_for_a_signal() {
  StopSignal::install();
  if (StopSignal::requested() || StopSignal::wait_ms(10)) return 1;
  std::thread killer([] { ::kill(::getpid(), SIGTERM); });
  const bool woken = StopSignal::wait_ms(10'000);
  killer.join();
  return woken && StopSignal::requested() && StopSignal::wait_ms(0) ? 42 : 2;
}

int run_until_interrupted() {
  StopSignal::install();
  std::thread stopper([] {
    SystemClock().sleep_ms(100);
    StopSignal::request();
  });
  ProcessSpec spec;
  spec.argv = {"sleep", "60"};
  int code = 1;
  try {
    make_process_runner()->run(spec);
  } catch (const Error& error) {
    code = exit_code(error.kind());
  }
  stopper.join();
  return code;
}

// In a child: the flag cannot be taken back.
TEST(StopSignalDeathTest, SetsTheFlagOnceAndEndsAWait) {
  EXPECT_EXIT(std::_Exit(wait_for_a_signal()), ::testing::ExitedWithCode(42), "");
}

TEST(StopSignalDeathTest, InterruptsARunningProgram) {
  EXPECT_EXIT(std::_Exit(run_until_interrupted()), ::testing::ExitedWithCode(130), "");
}

}  // namespace
}  // namespace dae
