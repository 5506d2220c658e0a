#include "hooks/hooks.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace dae::hooks {
namespace {

class RecordingSink final : public EventSink {
 public:
  void emit(const Event& event) override {
    if (event.type == EventType::warning) warnings.push_back(event.text);
    if (event.type == EventType::note) notes.push_back(event.text);
  }
  std::vector<std::string> warnings, notes;
};

class Hooks : public ::testing::Test {
 protected:
  HookRequest request(std::string point, std::vector<std::string> commands = {}) {
    HookRequest out;
    out.point = std::move(point);
    out.app_dir = dir_.path();
    out.commands = std::move(commands);
    out.context = {"bubbler", "1.2.0", "sha256:ab", "f00d", "prod", "n1", "pre"};
    return out;
  }

  void write_hook(const std::string& relative, const std::string& body, mode_t mode = 0755) {
    const Path path = dir_.path() / "hooks" / relative;
    make_dirs(path.parent_path());
    write_file_atomic(path, "#!/bin/sh\n" + body + "\n", mode, Durability::none);
  }

  void run(const HookRequest& wanted) { run_hooks(wanted, *runner_, sink_); }
  std::string file(const std::string& name) { return read_file(dir_.path() / name); }

  Error refusal(const HookRequest& wanted) {
    try {
      run(wanted);
    } catch (const Error& error) {
      return error;
    }
    ADD_FAILURE() << "the hook did not stop anything";
    return Error(ErrorKind::failed, "");
  }

  TempDir dir_;
  std::unique_ptr<ProcessRunner> runner_ = make_process_runner();
  RecordingSink sink_;
};

TEST_F(Hooks, CommandsComeBeforeExecutablesInByteOrder) {
  write_hook("after_build.d/20-b", "echo b >> order");
  write_hook("after_build.d/10-a", "echo a >> order");
  write_hook("after_build.d/Z", "echo Z >> order");
  run(request("after_build", {"sh -c 'echo first >> order'", "sh -c 'echo second >> order'"}));
  EXPECT_EQ(file("order"), "first\nsecond\na\nb\nZ\n");
}

TEST_F(Hooks, GetTheirContextInTheEnvironmentAndOnStandardInput) {
  write_hook("before_switch.d/show",
             "echo \"$DAE_POINT $DAE_APP $DAE_VERSION $DAE_DIGEST $DAE_REVISION $DAE_GROUP $DAE_NODE $DAE_STAGE "
             "$EXTRA\" > got\n"
             "cat >> got");
  HookRequest wanted = request("before_switch");
  wanted.env["EXTRA"] = "more";
  wanted.document = Value::object({{"b", 1}, {"a", "x"}});
  run(wanted);
  EXPECT_EQ(file("got"), "before_switch bubbler 1.2.0 sha256:ab f00d prod n1 pre more\n{\"a\":\"x\",\"b\":1}\n");
}

TEST_F(Hooks, AFailingBeforeHookStopsWhatFollows) {
  const Error error = refusal(request("before_deploy", {"sh -c 'echo no room; exit 3'", "sh -c 'echo x > ran'"}));
  EXPECT_EQ(error.kind(), ErrorKind::refused);
  EXPECT_EQ(error.message(), "the before_deploy hook `sh -c 'echo no room; exit 3'` failed with exit code 3");
  EXPECT_EQ(error.cause(), "no room");
  EXPECT_FALSE(exists(dir_.path() / "ran"));
}

TEST_F(Hooks, AFailingAfterHookOnlyWarns) {
  run(request("after_switch", {"sh -c 'echo bad >&2; exit 1'", "sh -c 'echo x > ran'"}));
  ASSERT_EQ(sink_.warnings.size(), 2u);
  EXPECT_EQ(sink_.warnings[0], "the after_switch hook `sh -c 'echo bad >&2; exit 1'` failed with exit code 1");
  EXPECT_EQ(sink_.warnings[1], "after_switch: bad");
  EXPECT_TRUE(exists(dir_.path() / "ran"));
}

TEST_F(Hooks, ShowWhatTheySay) {
  run(request("after_build", {"echo hello"}));
  EXPECT_EQ(sink_.notes, std::vector<std::string>{"after_build: hello"});
}

TEST_F(Hooks, OnlyTheLastLinesOfAFailureAreTold) {
  const Error error = refusal(request("before_build", {"sh -c 'seq 1 100; exit 1'"}));
  EXPECT_TRUE(error.cause().starts_with("81\n82\n")) << error.cause();
  EXPECT_TRUE(error.cause().ends_with("\n100"));
}

TEST_F(Hooks, AreKilledAtTheirTimeLimit) {
  HookRequest wanted = request("before_build", {"sleep 30"});
  wanted.timeout_ms = 100;
  EXPECT_EQ(refusal(wanted).message(), "the before_build hook `sleep 30` took longer than 100 ms");
}

TEST_F(Hooks, AMissingProgramOrAnOpenQuoteIsAFailureToo) {
  EXPECT_NE(refusal(request("before_build", {"no-such-program-here"})).message().find("cannot be started"),
            std::string::npos);
  EXPECT_NE(refusal(request("before_build", {"echo 'open"})).message().find("cannot be started"), std::string::npos);
  EXPECT_NE(refusal(request("before_build", {""})).message().find("the command is empty"), std::string::npos);
}

TEST_F(Hooks, FilesThatAreNotExecutableAreSkippedWithAWarning) {
  write_hook("before_build.d/readme", "exit 1", 0644);
  write_hook("before_build.d/.hidden", "exit 1");
  make_dirs(dir_.path() / "hooks/before_build.d/folder");
  run(request("before_build"));
  EXPECT_EQ(sink_.warnings, std::vector<std::string>{"`hooks/before_build.d/readme` is skipped: it is not executable"});
}

TEST_F(Hooks, RefuseAPointThatDoesNotExist) {
  const Error error = refusal(request("before_biuld"));
  EXPECT_EQ(error.kind(), ErrorKind::usage);
  EXPECT_EQ(error.hint(), "did you mean `before_build`?");
  EXPECT_EQ(refusal(request("../evil")).kind(), ErrorKind::usage);
}

TEST_F(Hooks, NothingToRunIsFine) {
  run(request("on_failure"));
  EXPECT_TRUE(sink_.warnings.empty());
  EXPECT_TRUE(sink_.notes.empty());
}

}  // namespace
}  // namespace dae::hooks
