#pragma once
// Wheels made on the spot, a store, and environments of the interpreter at hand.
#include <gtest/gtest.h>

#include <map>
#include <mutex>

#include "base/error.h"
#include "base/strings.h"
#include "resolver/install/environment.h"
#include "resolver/install/record.h"
#include "resolver/install/wheel_check.h"
#include "resolver/standards/names.h"
#include "scoped_env.h"
#include "support/error_of.h"
#include "support/zip_writer.h"

namespace dae::resolver::testing {

using dae::testing::WheelBuilder;

class NotingSink final : public EventSink {
 public:
  void emit(const Event& event) override {
    const std::scoped_lock lock(mutex_);
    if (event.type == EventType::warning) warnings.push_back(event.text);
  }
  std::vector<std::string> warnings;

 private:
  std::mutex mutex_;
};

class EnvironmentFixture : public ::testing::Test {
 protected:
  WheelToInstall stored(const std::string& file_name, const std::string& bytes, const std::string& url = "") {
    const std::vector<std::string> parts = split(file_name, '-');
    return {normalize_name(parts[0]), parts[1], file_name, blobs_->put(bytes), url};
  }
  WheelToInstall stored(const WheelBuilder& wheel) { return stored(wheel.file_name(), wheel.bytes()); }

  InstallPlan install(const std::vector<WheelToInstall>& wanted) { return install_into(env_, wanted); }
  InstallPlan install_into(const Path& env, const std::vector<WheelToInstall>& wanted) {
    const InstallPlan plan = plan_install(env, python_, wanted);
    apply_install(plan, env, python_, *blobs_, store_, events_);
    return plan;
  }

  Path site() const { return env_ / ("lib/python" + python_.python_version()) / "site-packages"; }
  ProcessResult run(const std::vector<std::string>& argv) {
    ProcessSpec spec;
    spec.argv = argv;
    spec.env = environment_variables(env_);
    return runner_->run(spec);
  }

  // Every file and link below an environment with its contents; what names its place or time is left out.
  static std::map<std::string, std::string> contents(const Path& env) {
    std::map<std::string, std::string> out;
    for (const WalkEntry& entry : walk_tree(env)) {
      if (entry.relative == ".dae-lock") continue;
      if (entry.info.is_symlink()) out[entry.relative] = "-> " + *read_link(entry.path);
      if (entry.info.is_file()) out[entry.relative] = Digest::of(read_file(entry.path)).hex();
      if (entry.info.is_dir()) out[entry.relative] = "directory";
    }
    return out;
  }

  // Every row of every RECORD is true, and every file of site-packages is in one, or bytecode of one that is.
  void expect_records_to_be_true(const Path& env) const {
    const Path packages = env / ("lib/python" + python_.python_version()) / "site-packages";
    std::map<std::string, int> listed;
    for (const std::string& name : list_dir(packages)) {
      if (!name.ends_with(".dist-info")) continue;
      for (const RecordEntry& entry : parse_record(read_file(packages / name / "RECORD"), name)) {
        const Path path = (packages / entry.path).lexically_normal();
        ASSERT_TRUE(exists(path)) << path;
        ++listed[path.string()];
        if (entry.hash.empty()) continue;
        EXPECT_EQ(entry.hash, "sha256=" + digest_base64url(sha256_file(path))) << path;
        EXPECT_EQ(entry.size_bytes, file_info(path)->size_bytes) << path;
      }
    }
    for (const WalkEntry& entry : walk_tree(packages)) {
      if (entry.info.is_file() && !entry.relative.ends_with(".pyc")) {
        EXPECT_EQ(listed[entry.path.string()], 1) << entry.path;
      }
    }
  }

  TempDir dir_;
  ScopedEnv cache_{"DAE_CACHE_DIR", (dir_.path() / "cache").string()};
  NotingSink events_;
  std::unique_ptr<ProcessRunner> runner_ = make_process_runner();
  // Looked for once: tests have caches of their own, and a probe takes as long as all the rest.
  static const Interpreter& interpreter() {
    static const Interpreter found = find_interpreter(*make_process_runner(), "", {});
    return found;
  }
  Interpreter python_ = interpreter();
  std::unique_ptr<BlobStore> blobs_ = open_blob_store(dir_.path() / "blobs");
  StorePaths store_{dir_.path() / "unpacked", false};  // compiling starts a process: only where it matters
  Path env_ = dir_.path() / "env";
};

// One of everything a wheel may hold.
inline WheelBuilder fancy_wheel() {
  WheelBuilder wheel("Fancy_Pkg", "1.0");
  wheel.file("fancy/__init__.py",
             "def main():\n    print('fancy', __file__)\nclass App:\n    run = staticmethod(main)\n");
  wheel.file("fancy/sub/deep.py", "X = 1\n").file("fancy/data, with \"quotes\".txt", "x\n");
  wheel.file("fancy/tool.sh", "#!/bin/sh\necho tool\n", true);
  wheel.data("purelib/fancy_pure.py", "PURE = 1\n").data("platlib/fancy_plat.py", "PLAT = 1\n");
  wheel.data("headers/fancy.h", "#define FANCY 1\n").data("data/share/fancy/readme.txt", "read me\n");
  wheel.data("scripts/fancy-script", "#!python\nimport fancy\nfancy.main()\n", true);
  wheel.data("scripts/fancy-shell", "#!/bin/sh\necho shell\n", true);
  wheel.entry_points(
      "[console_scripts]\nfancy = fancy:main\nfancy-app = fancy:App.run\n\n[gui_scripts]\nFancyGui = fancy:main\n"
      "[other.group]\nnot-a-script = nothing\n");
  return wheel;
}

}  // namespace dae::resolver::testing
