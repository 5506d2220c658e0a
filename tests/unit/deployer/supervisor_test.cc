#include "deployer/supervisor.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <functional>

#include "base/clock.h"
#include "base/error.h"
#include "base/value.h"

namespace dae::deployer {
namespace {

bool eventually(const std::function<bool()>& condition, int64_t limit_ms = 5000) {
  SystemClock clock;
  for (const int64_t end_ms = clock.monotonic_ms() + limit_ms; !condition(); clock.sleep_ms(5)) {
    if (clock.monotonic_ms() > end_ms) return false;
  }
  return true;
}

class SupervisorTest : public ::testing::Test {
 protected:
  std::unique_ptr<Supervisor> make() { return make_process_supervisor(*runner_, dir_.path() / "instances"); }

  InstanceSpec shell(const std::string& script, const std::string& id = "bubbler/0123456789ab/web.0") {
    InstanceSpec spec;
    spec.id = id;
    spec.argv = {"/bin/sh", "-c", script};
    spec.cwd = dir_.path();
    spec.log_file = dir_.path() / "log" / "web.0.log";
    return spec;
  }

  void TearDown() override {
    const auto supervisor = make();
    for (const auto& id : supervisor->list()) {
      const auto process = supervisor->status(id).process;
      if (process.pid > 1) runner_->signal(process, SIGKILL, true);
    }
  }

  TempDir dir_;
  std::unique_ptr<ProcessRunner> runner_ = make_process_runner();
};

TEST_F(SupervisorTest, StartsAnInstanceAndWritesItsOutputToTheLog) {
  const auto supervisor = make();
  const auto spec = shell("echo hello; exec sleep 60");
  supervisor->start(spec);
  EXPECT_TRUE(supervisor->status(spec.id).running);
  EXPECT_TRUE(eventually([&] { return read_file_if_exists(spec.log_file) == "hello\n"; }));
  EXPECT_EQ(supervisor->list(), std::vector<std::string>{spec.id});
}

TEST_F(SupervisorTest, KeepsAnInstanceThatRunsAlready) {
  const auto supervisor = make();
  const auto spec = shell("exec sleep 60");
  supervisor->start(spec);
  const auto first = supervisor->status(spec.id).process;
  supervisor->start(spec);
  EXPECT_EQ(supervisor->status(spec.id).process, first);
}

TEST_F(SupervisorTest, TellsTheExitCodeOfOneThatEnded) {
  const auto supervisor = make();
  const auto spec = shell("exit 7");
  supervisor->start(spec);
  ASSERT_TRUE(eventually([&] { return !supervisor->status(spec.id).running; }));
  EXPECT_EQ(supervisor->status(spec.id).exit_code, 7);
  supervisor->forget(spec.id);
  EXPECT_TRUE(supervisor->list().empty());
  EXPECT_TRUE(list_dir(dir_.path() / "instances").empty());
}

TEST_F(SupervisorTest, FindsItsInstancesAgainAfterItWasReplaced) {
  const auto spec = shell("exec sleep 60");
  ProcessIdentity before;
  {
    const auto supervisor = make();
    supervisor->start(spec);
    before = supervisor->status(spec.id).process;
  }
  const auto other_runner = make_process_runner();  // knows no children
  const auto again = make_process_supervisor(*other_runner, dir_.path() / "instances");
  const auto status = again->status(spec.id);
  EXPECT_TRUE(status.running);
  EXPECT_EQ(status.process, before);
  again->start(spec);
  EXPECT_EQ(again->status(spec.id).process, before);
}

TEST_F(SupervisorTest, FindsAnOrphanWhoseIdentityWasNeverWritten) {
  const auto spec = shell("exec sleep 60");
  ProcessIdentity before;
  const Path record = dir_.path() / "instances" / "bubbler+0123456789ab+web.0.json";
  {
    const auto supervisor = make();
    supervisor->start(spec);
    before = supervisor->status(spec.id).process;
  }
  // As the file was before the start.
  Value value = read_json_file(record).root;
  for (const char* key : {"pid", "start_ticks", "boot_id"}) value.erase(key);
  write_file_atomic(record, canonical_json(value));
  EXPECT_EQ(make()->status(spec.id).process, before);
}

TEST_F(SupervisorTest, ForgetsRecordsOfAnotherBootOrOfAReusedPid) {
  const auto spec = shell("exec sleep 60");
  const Path record = dir_.path() / "instances" / "bubbler+0123456789ab+web.0.json";
  make()->start(spec);
  const Value original = read_json_file(record).root;
  Value changed = original;
  write_file_atomic(record, canonical_json(changed.set("start_ticks", original.get_integer("start_ticks") - 1)));
  EXPECT_FALSE(make()->status(spec.id).running);
  changed = original;
  write_file_atomic(record, canonical_json(changed.set("boot_id", "another")));
  EXPECT_FALSE(make()->status(spec.id).running);
  write_file_atomic(record, canonical_json(original));
  EXPECT_TRUE(make()->status(spec.id).running);
}

TEST_F(SupervisorTest, StopsWithTermAndKillsTheGroupWhenThatIsIgnored) {
  const auto supervisor = make();
  const auto polite = shell("trap 'exit 0' TERM; while :; do sleep 0.02; done", "bubbler/0123456789ab/web.0");
  auto stubborn = shell("trap '' TERM; echo up; sleep 60 & while :; do sleep 0.1; done", "bubbler/0123456789ab/web.1");
  stubborn.log_file = dir_.path() / "log" / "web.1.log";
  supervisor->start(polite);
  supervisor->start(stubborn);
  ASSERT_TRUE(eventually([&] { return read_file_if_exists(stubborn.log_file) == "up\n"; }));
  supervisor->stop(polite.id, 5000);
  supervisor->stop(stubborn.id, 200);
  EXPECT_TRUE(eventually([&] {
    supervisor->tick();
    return !supervisor->status(polite.id).running && !supervisor->status(stubborn.id).running;
  }));
  EXPECT_EQ(supervisor->status(polite.id).exit_code, 0);
  EXPECT_EQ(supervisor->status(stubborn.id).exit_code, 128 + SIGKILL);
}

TEST_F(SupervisorTest, GivesAnInstanceNothingOfOurEnvironmentButPathHomeAndLang) {
  ::setenv("DAE_TEST_SECRET", "x", 1);
  const auto supervisor = make();
  auto spec = shell("env; exec sleep 60");
  spec.env = {{"MINE", "1"}};
  supervisor->start(spec);
  ASSERT_TRUE(
      eventually([&] { return read_file_if_exists(spec.log_file).value_or("").find("MINE=1") != std::string::npos; }));
  const std::string text = read_file(spec.log_file);
  EXPECT_EQ(text.find("DAE_TEST_SECRET"), std::string::npos);
  EXPECT_NE(text.find("PATH="), std::string::npos);
  ::unsetenv("DAE_TEST_SECRET");
}

TEST_F(SupervisorTest, SaysWhichProgramIsMissingAndLeavesNoRecord) {
  const auto supervisor = make();
  auto spec = shell("");
  spec.argv = {"no-such-program-anywhere"};
  try {
    supervisor->start(spec);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::not_found);
  }
  EXPECT_TRUE(supervisor->list().empty());
  EXPECT_TRUE(list_dir(dir_.path() / "instances").empty());
}

TEST_F(SupervisorTest, MovesALogAsideBeforeTheStartWhenItIsLarge) {
  const auto supervisor = make();
  const auto spec = shell("echo new; exec sleep 60");
  make_dirs(spec.log_file.parent_path());
  write_file_atomic(spec.log_file, std::string(11 << 20, 'x'), 0644, Durability::none);
  supervisor->start(spec);
  EXPECT_TRUE(eventually([&] { return read_file_if_exists(spec.log_file) == "new\n"; }));
  EXPECT_EQ(file_info(spec.log_file.string() + ".1")->size_bytes, 11u << 20);
}

}  // namespace
}  // namespace dae::deployer
