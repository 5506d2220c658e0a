// Builds of source trees: what they are given, what they may do, what becomes of them when they go wrong.
#include "resolver/install/build.h"

#include <algorithm>
#include <atomic>
#include <thread>

#include "environment_fixture.h"
#include "fake_index.h"
#include "resolver/install/build_system.h"
#include "resolver/lock/build_pins.h"
#include "resolver/lock/merge.h"
#include "resolver/standards/requirement.h"

namespace dae::resolver {
namespace {

using dae::testing::error_of;
using dae::testing::make_zip;
using testing::EnvironmentFixture;
using testing::FakeIndex;
using testing::ScopedEnv;
using testing::WheelBuilder;

// A back end that is itself a package: `tool`. PROJECT.txt names what it makes; project.py, where there is one, runs
// first and may say what more is needed.
constexpr const char* kTool = R"(
import base64, hashlib, os, zipfile
MARK = "tool-1"
def _project():
    scope = {}
    if os.path.exists("project.py"):
        exec(open("project.py").read(), scope)
    return scope
def get_requires_for_build_wheel(config_settings=None):
    return _project().get("MORE", [])
def build_wheel(folder, config_settings=None, metadata_directory=None):
    name, version = open("PROJECT.txt").read().split()
    made = _project()
    if "build" in made:
        made["build"]()
    info = "%s-%s.dist-info/" % (name, version)
    files = {name + ".py": "MADE_BY = %r\n" % made.get("made_by", MARK),
             info + "WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
             info + "METADATA": "Metadata-Version: 2.1\nName: %s\nVersion: %s\n\n" % (name, version)}
    rows = "".join("%s,sha256=%s,%d\n" % (k, base64.urlsafe_b64encode(hashlib.sha256(v.encode()).digest()).decode().rstrip("="), len(v))
                   for k, v in files.items())
    files[info + "RECORD"] = rows + info + "RECORD,,\n"
    wheel = "%s-%s-py3-none-any.whl" % (name, version)
    with zipfile.ZipFile(os.path.join(folder, wheel), "w") as archive:
        for k, v in files.items():
            archive.writestr(zipfile.ZipInfo(k), v)
    return wheel
)";

class Build : public EnvironmentFixture {
 protected:
  Path cache() const { return dir_.path() / "cache"; }

  LockedFile served(const std::string& file_name, const std::string& bytes) {
    index_.set_text("/" + file_name, bytes);
    LockedFile out;
    out.name = file_name;
    out.url = index_.url() + "/" + file_name;
    out.sha256 = Digest::of(bytes).hex();
    out.size_bytes = bytes.size();
    return out;
  }
  LockedPackage wheel_package(const std::string& name, const std::string& version, const std::string& module) {
    WheelBuilder wheel(name, version);
    wheel.file(name + ".py", module);
    LockedPackage out;
    out.name = name;
    out.version = version;
    out.wheels = {served(wheel.file_name(), wheel.bytes())};
    return out;
  }
  static std::string source(const std::string& name, const std::string& needs, const std::string& project) {
    return make_zip(
        {{name + "-1.0/pyproject.toml", "[build-system]\nrequires = [" + needs + "]\nbuild-backend = \"tool\"\n"},
         {name + "-1.0/PROJECT.txt", name + " 1.0"},
         {name + "-1.0/project.py", project}});
  }
  LockedPackage sdist_package(const std::string& name, const std::string& needs, const std::string& project = "") {
    LockedPackage out;
    out.name = name;
    out.version = "1.0";
    out.sdist = served(name + "-1.0.zip", source(name, needs, project));
    return out;
  }
  Selected selected(const LockedPackage& package) { return select_pins({package}, python_.target()).front(); }

  // Answers with the newest package of each name.
  BuildSetup setup() {
    BuildSetup out;
    out.sandbox = std::make_shared<BuildSandbox>(settings_);
    out.unpacked = store_.unpacked;
    out.resolve = [this](SourceBuilder&, const BuildQuery& query) {
      ++resolved_;
      std::vector<LockedPackage> pins;
      for (const std::string& text : query.requirements) pins.push_back(packages_.at(Requirement::parse(text).key));
      std::ranges::sort(pins, {}, &LockedPackage::name);
      return pins;
    };
    return out;
  }
  void make_builder(BuildSetup setup) {
    builder_ = std::make_unique<SourceBuilder>(python_, *transport_, *blobs_, cache(), *runner_, events_, setup);
  }
  std::vector<WheelToInstall> fetch(const std::vector<LockedPackage>& wanted) {
    std::vector<Selected> items;
    for (const LockedPackage& package : wanted) items.push_back(selected(package));
    if (!builder_) make_builder(setup());
    return fetch_selected(items, python_, *transport_, *blobs_, cache(), *runner_, events_,
                          builder_->fetch_options({}));
  }
  // What `a`, built of this, says after it was installed.
  std::string made_by(const LockedPackage& package) {
    install(fetch({package}));
    return read_file(site() / (package.name + ".py"));
  }
  bool shut_in() {
    BuildSandbox sandbox;
    return sandbox.active(*runner_, events_);
  }
  size_t built_wheels() const {
    size_t count = 0;
    for (const WalkEntry& entry : walk_tree(cache() / "built-wheels")) count += entry.relative.ends_with(".whl");
    return count;
  }

  FakeIndex index_;
  std::unique_ptr<Transport> transport_ = [] {
    HttpClientOptions options;
    options.retry_base_ms = 1;
    return make_http_client(options);
  }();
  BuildSettings settings_;
  std::map<std::string, LockedPackage> packages_ = {{"tool", wheel_package("tool", "1.0", kTool)}};
  std::atomic<int> resolved_ = 0;
  std::unique_ptr<SourceBuilder> builder_;
};

TEST_F(Build, HappensWithItsPinnedRequirementsAndNothingElse) {
  const LockedPackage a = sdist_package("a", "\"tool\"", R"(
import importlib.util, sys
made_by = "%s pip:%s" % (sorted(p.rsplit("/", 1)[-1] for p in sys.path)[-1], importlib.util.find_spec("pip"))
)");
  EXPECT_EQ(made_by(a), "MADE_BY = 'site-packages pip:None'\n");
  EXPECT_EQ(resolved_, 1);
  make_builder(setup());
  made_by(a);
  EXPECT_EQ(resolved_, 1) << "what was built is kept, and found without a look at the source";
}

TEST_F(Build, BackEndsMayAskForMore) {
  packages_["extra"] = wheel_package("extra", "2.0", "NAME = 'extra-2'\n");
  const LockedPackage a = sdist_package("a", "\"tool\"", R"(
MORE = ["extra>=2"]
try:
    import extra
    made_by = extra.NAME
except ImportError:
    pass
)");
  EXPECT_EQ(made_by(a), "MADE_BY = 'extra-2'\n");
  EXPECT_EQ(resolved_, 2);
  BuildSubject known{{}, "a", "1.0"};
  known.tree.identity = a.sdist->sha256;
  EXPECT_EQ(builder_->known_requirements(known), (std::vector<std::string>{"extra>=2", "tool"}));
}

TEST_F(Build, ARequirementMayHaveToBeBuiltItself) {
  packages_["helper"] = sdist_package("helper", "\"tool\"");
  EXPECT_EQ(made_by(sdist_package("a", "\"tool\", \"helper\"", "import helper\nmade_by = 'with ' + helper.MADE_BY\n")),
            "MADE_BY = 'with tool-1'\n");
}

TEST_F(Build, ACircleOfRequirementsIsNamed) {
  packages_["b"] = sdist_package("b", "\"tool\", \"c\"");
  packages_["c"] = sdist_package("c", "\"tool\", \"b\"");
  const Error error = error_of([&] { fetch({packages_["b"]}); });
  EXPECT_EQ(error.kind(), ErrorKind::no_solution);
  EXPECT_EQ(error.cause(), "b 1.0 -> c 1.0 -> b 1.0");
}

TEST_F(Build, AFailureKeepsItsLogAndNothingElse) {
  const LockedPackage a = sdist_package("a", "\"tool\"", R"(
def build():
    for i in range(100):
        print("line", i)
    raise RuntimeError("no compiler here")
)");
  const Error error = error_of([&] { fetch({a}); });
  EXPECT_EQ(error.kind(), ErrorKind::failed);
  EXPECT_EQ(error.subject(), "a-1.0.zip");
  EXPECT_NE(error.cause().find("no compiler here"), std::string::npos) << error.cause();
  const size_t at = error.message().find("no compiler here (log: ");
  ASSERT_NE(at, std::string::npos) << error.message();
  const std::string log = error.message().substr(at + 23);
  EXPECT_NE(read_file(log.substr(0, log.size() - 1)).find("line 3\n"), std::string::npos);
  EXPECT_EQ(built_wheels(), 0u);
  for (const std::string& name : list_dir(cache() / "built-wheels")) EXPECT_TRUE(name.ends_with(".lock")) << name;
}

TEST_F(Build, AModuleThatNobodyAskedForIsNamed) {
  const Error error = error_of([&] { fetch({sdist_package("a", "\"tool\"", "import numpy_of_old\n")}); });
  EXPECT_NE(error.hint().find("`numpy_of_old`"), std::string::npos) << error.hint();
}

TEST_F(Build, AHangingBuildIsEndedWithItsChildren) {
  if (!shut_in()) GTEST_SKIP() << "bubblewrap does not work here";
  settings_.timeout_ms = 1500;
  const std::string mark = "sleep 98." + std::to_string(::getpid());
  const LockedPackage a = sdist_package(
      "a", "\"tool\"",
      "import subprocess\ndef build():\n    subprocess.run(['setsid', 'sleep', '" + mark.substr(6) + "'])\n");
  const Error error = error_of([&] { fetch({a}); });
  EXPECT_NE(error.message().find("took over 1 s"), std::string::npos) << error.cause();
  const auto is_alive = [&] {
    for (const std::string& pid : list_dir("/proc")) {
      if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
      try {
        const std::string line = read_file_if_exists("/proc/" + pid + "/cmdline").value_or("");
        if (line.find(mark.substr(6)) != std::string::npos && line.find("python") == std::string::npos) return true;
      } catch (const Error&) {
      }
    }
    return false;
  };
  for (int i = 0; i < 50 && is_alive(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_FALSE(is_alive());
  EXPECT_EQ(built_wheels(), 0u);
}

TEST_F(Build, ThatIsEndedKeepsWhatItHasWritten) {
  const auto log_of = [](const Error& error) {
    const size_t at = error.message().find("(log: ") + 6;
    return read_file(error.message().substr(at, error.message().find(')', at) - at));
  };
  settings_.timeout_ms = 1500;
  const LockedPackage slow = sdist_package("slow", "\"tool\"", R"(
import time
def build():
    print("before it hangs")
    time.sleep(100)
)");
  const Error late = error_of([&] { fetch({slow}); });
  EXPECT_NE(late.message().find("took over 1 s"), std::string::npos) << late.message();
  EXPECT_NE(late.cause().find("before it hangs"), std::string::npos) << late.cause();
  EXPECT_NE(log_of(late).find("before it hangs\n-- exit 137, "), std::string::npos) << log_of(late);
  EXPECT_NE(log_of(late).find("timed out"), std::string::npos);

  builder_.reset();
  settings_.timeout_ms = 60'000;
  const LockedPackage killed = sdist_package("killed", "\"tool\"", R"(
import os
def build():
    print("before it dies")
    os.kill(os.getpid(), 9)
)");
  const Error dead = error_of([&] { fetch({killed}); });
  EXPECT_NE(dead.message().find("it was ended by signal 9"), std::string::npos) << dead.message();
  EXPECT_NE(dead.hint().find("memory"), std::string::npos) << dead.hint();
  EXPECT_NE(dead.cause().find("before it dies"), std::string::npos) << dead.cause();
  EXPECT_NE(log_of(dead).find("before it dies"), std::string::npos);
}

TEST_F(Build, HasNoNetwork) {
  if (!shut_in()) GTEST_SKIP() << "bubblewrap does not work here";
  const std::string port = index_.url().substr(index_.url().rfind(':') + 1);
  const LockedPackage a = sdist_package("a", "\"tool\"", R"(
import socket
def build():
    try:
        socket.create_connection(("127.0.0.1", )" + port + R"(), 5)
    except OSError as error:
        global made_by
        made_by = type(error).__name__
    socket.getaddrinfo("example.invalid", 80)
)");
  const Error error = error_of([&] { fetch({a}); });
  EXPECT_NE(error.hint().find("wants the network"), std::string::npos) << error.hint() << error.cause();
  EXPECT_EQ(made_by(sdist_package("b", "\"tool\"", R"(
import socket
try:
    socket.create_connection(("127.0.0.1", )" + port + R"(), 5)
    made_by = "connected"
except OSError as error:
    made_by = type(error).__name__
)")),
            "MADE_BY = 'ConnectionRefusedError'\n");
}

TEST_F(Build, WritesNowhereElse) {
  if (!shut_in()) GTEST_SKIP() << "bubblewrap does not work here";
  const Path outside = "/usr/written-by-a-build";  // not the checkout: that may be in /tmp, where a build has its own
  const Error error =
      error_of([&] { fetch({sdist_package("a", "\"tool\"", "open(" + json_string(outside.string()) + ", 'w')\n")}); });
  EXPECT_NE(error.cause().find("Read-only file system"), std::string::npos) << error.cause();
  EXPECT_NE(error.hint().find("own folder only"), std::string::npos) << error.hint();
  EXPECT_FALSE(exists(outside));
  // What is written to /tmp and $HOME is nobody's.
  made_by(sdist_package("b", "\"tool\"", R"(
import os
open("/tmp/dae-build-test-mark", "w").close()
open(os.path.expanduser("~/mark"), "w").close()
)"));
  EXPECT_FALSE(exists("/tmp/dae-build-test-mark"));
}

TEST_F(Build, SeesNeitherSecretsNorTheHomeFolder) {
  const ScopedEnv secret("DAE_INDEX_PASSWORD_OF_TEST", "s3cret"), flags("CFLAGS", "-O1"), named("MY_TOOL", "7");
  const ScopedEnv home("HOME", (dir_.path() / "home").string());
  make_dirs(dir_.path() / "home");
  write_file_atomic(dir_.path() / "home/.netrc", "machine h password s3cret\n");
  settings_.pass_env = {"MY_TOOL"};
  const std::string netrc = json_string((dir_.path() / "home/.netrc").string());
  EXPECT_EQ(made_by(sdist_package("a", "\"tool\"",
                                  "import os\nmade_by = '%s %s %s' % (any('s3cret' in v for v in "
                                  "os.environ.values()), os.environ['CFLAGS'], os.environ['MY_TOOL'])\n")),
            "MADE_BY = 'False -O1 7'\n");
  if (!shut_in()) return;
  EXPECT_EQ(made_by(sdist_package("b", "\"tool\"", "import os\nmade_by = '%s' % os.path.exists(" + netrc + ")\n")),
            "MADE_BY = 'False'\n");
}

TEST_F(Build, MustBeIsolatedWhereThatIsAsked) {
  const ScopedEnv path("PATH", (dir_.path() / "nothing").string());
  settings_.sandbox = BuildSettings::Sandbox::require;
  const LockedPackage a = sdist_package("a", "\"tool\"");
  const Error error = error_of([&] { fetch({a}); });
  EXPECT_EQ(error.kind(), ErrorKind::refused);
  EXPECT_EQ(built_wheels(), 0u);
  settings_.sandbox = BuildSettings::Sandbox::automatic;
  make_builder(setup());
  fetch({a});
  fetch({sdist_package("b", "\"tool\"")});
  EXPECT_EQ(std::ranges::count_if(events_.warnings,
                                  [](const std::string& text) { return text.starts_with("builds are not isolated"); }),
            1);
}

TEST_F(Build, ATamperedRequirementIsRefused) {
  index_.set_text("/" + packages_["tool"].wheels[0].name, "another file");
  packages_["tool"].wheels[0].size_bytes.reset();
  const LockedPackage a = sdist_package("a", "\"tool\"");
  EXPECT_EQ(error_of([&] { fetch({a}); }).kind(), ErrorKind::verification);
  EXPECT_EQ(built_wheels(), 0u);
}

TEST_F(Build, AWheelOfAnotherPackageIsRefused) {
  LockedPackage a;
  a.name = "a";
  a.version = "1.0";
  a.sdist =
      served("a-1.0.zip",
             make_zip({{"a-1.0/pyproject.toml", "[build-system]\nrequires = [\"tool\"]\nbuild-backend = \"tool\"\n"},
                       {"a-1.0/PROJECT.txt", "other 1.0"}}));
  const Error error = error_of([&] { fetch({a}); });
  EXPECT_EQ(error.kind(), ErrorKind::verification);
  EXPECT_EQ(built_wheels(), 0u);
}

TEST_F(Build, OfALockUsesItsPinsWhateverIsNewer) {
  packages_["extra"] = wheel_package("extra", "2.0", "NAME = 'extra-2'\n");
  const LockedPackage a = sdist_package("a", "\"tool\"", R"(
MORE = ["extra"]
try:
    import extra
    made_by = extra.NAME
except ImportError:
    pass
)");
  make_builder(setup());
  Lock lock;
  lock.targets = {python_.target()};
  lock.packages = {a};
  lock_builds(lock, *builder_);
  EXPECT_TRUE(events_.warnings.empty()) << events_.warnings.front();
  ASSERT_EQ(lock.builds.size(), 1u);
  EXPECT_EQ(lock.builds[0].packages, std::vector<std::string>{"a==1.0"});
  EXPECT_EQ(lock.builds[0].requirements, (std::vector<std::string>{"extra", "tool"}));
  ASSERT_EQ(lock.build_packages.size(), 2u);

  const std::string text = render_lock(lock);
  const Lock read = parse_lock(text, "pylock.toml");
  EXPECT_EQ(render_lock(read), text);
  EXPECT_EQ(render_lock(parse_lock(text + "# by hand\n", "pylock.toml")), text) << "the general reader";

  // Elsewhere, later.
  packages_["extra"] = wheel_package("extra", "3.0", "NAME = 'extra-3'\n");
  remove_all(cache());
  BuildSetup elsewhere = setup();
  elsewhere.lock = std::make_shared<Lock>(read);
  elsewhere.want_locked = true;
  resolved_ = 0;
  make_builder(elsewhere);
  EXPECT_EQ(made_by(a), "MADE_BY = 'extra-2'\n");
  EXPECT_EQ(resolved_, 0);
  EXPECT_TRUE(events_.warnings.empty());

  // Locking again keeps the pins, until they are to move.
  Lock again = read;
  lock_builds(again, *builder_);
  EXPECT_EQ(render_lock(again), text);
  elsewhere.upgrade = {"extra"};
  make_builder(elsewhere);
  lock_builds(again, *builder_);
  EXPECT_NE(render_lock(again).find("extra==3.0"), std::string::npos);
  EXPECT_EQ(render_lock(again).find("extra==2.0"), std::string::npos);
}

TEST_F(Build, ThatIsNotLockedIsToldOfWhereItShouldBe) {
  BuildSetup strict = setup();
  strict.want_locked = true;
  make_builder(strict);
  fetch({sdist_package("a", "\"tool\"")});
  ASSERT_EQ(events_.warnings.size(), 1u);
  EXPECT_NE(events_.warnings[0].find("`a 1.0` is built with is not locked: run `dae lock`"), std::string::npos);
}

TEST_F(Build, TwoAtOnceMakeOneWheel) {
  const LockedPackage a = sdist_package("a", "\"tool\"", "import time\ndef build():\n    time.sleep(0.3)\n");
  make_builder(setup());
  std::vector<Digest> digests(2);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < 2; ++i) threads.emplace_back([&, i] { digests[i] = fetch({a})[0].digest; });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(digests[0], digests[1]);
  EXPECT_EQ(built_wheels(), 1u);
}

TEST_F(Build, PinsOfBothSidesOfAMergeStay) {
  const auto with = [&](const LockedPackage& package, const LockedPackage& pin) {
    Lock lock;
    lock.targets = {python_.target()};
    lock.packages = {package};
    add_build(lock, build_name(package.name, package.version), {"tool"}, {pin});
    return lock;
  };
  const Lock ours = with(sdist_package("a", ""), packages_["tool"]);
  const Lock theirs = with(sdist_package("b", ""), wheel_package("tool", "2.0", kTool));
  const Lock merged = merge_locks(Lock(), ours, theirs).lock;
  ASSERT_EQ(merged.builds.size(), 2u);
  EXPECT_EQ(pins_of(merged, *builds_of(merged, "a==1.0").at(0)).value().at(0).version, "1.0");
  EXPECT_EQ(pins_of(merged, *builds_of(merged, "b==1.0").at(0)).value().at(0).version, "2.0");
  // Alike builds share one entry.
  Lock shared = ours;
  add_build(shared, "z", {"tool"}, {packages_["tool"]});
  ASSERT_EQ(shared.builds.size(), 1u);
  EXPECT_EQ(shared.builds[0].packages, (std::vector<std::string>{"a==1.0", "z"}));
}

TEST_F(Build, ALockWhoseBuildNamesNoPackageOfItIsRefused) {
  Lock lock;
  lock.targets = {python_.target()};
  lock.packages = {sdist_package("a", "")};
  add_build(lock, "a==1.0", {"tool"}, {packages_["tool"]});
  const std::string text = replace_all(render_lock(lock), "{package = \"tool==1.0\"}", "{package = \"tool==2.0\"}");
  const Error error = error_of([&] { parse_lock(text, "pylock.toml"); });
  EXPECT_EQ(error.kind(), ErrorKind::bad_input);
  EXPECT_NE(std::string(error.what()).find("a pin is not among `build-packages`"), std::string::npos) << error.what();
}

class BuildTable : public EnvironmentFixture {
 protected:
  BuildSystem read(const std::string& text) {
    write_file_atomic(dir_.path() / "pyproject.toml", text);
    return read_build_system(dir_.path(), "p");
  }
};

TEST_F(BuildTable, AbsentMeansSetuptoolsTheOldWay) {
  const BuildSystem none = read_build_system(dir_.path(), "p");
  EXPECT_EQ(none.backend, "setuptools.build_meta:__legacy__");
  EXPECT_EQ(none.requirements, std::vector<std::string>{"setuptools>=40.8.0"});
  EXPECT_EQ(read("[tool.x]\n").requirements, none.requirements);
  const BuildSystem no_backend = read("[build-system]\nrequires = [\"cython\", \"wheel\"]\n");
  EXPECT_EQ(no_backend.backend, none.backend);
  EXPECT_EQ(no_backend.requirements, (std::vector<std::string>{"cython", "setuptools>=40.8.0", "wheel"}));
}

TEST_F(BuildTable, IsHeldToItsStandard) {
  EXPECT_EQ(
      read("[build-system]\nrequires = [\"B >= 2\", \"a\", \"a\"]\nbuild-backend = \"b.c:d\"\n").requirements.size(),
      2u);
  for (const char* text : {"[build-system]\nbuild-backend = \"b\"\n", "[build-system]\nrequires = [\"-r x\"]\n",
                           "[build-system]\nrequires = []\nbuild-backend = \"b\"\nbackend-path = [\"../x\"]\n",
                           "[build-system]\nrequires = []\nbuild-backend = \"b\"\nbackend-path = [\"/x\"]\n",
                           "[build-system]\nrequires = []\nbackend-path = [\".\"]\n",
                           "[build-system]\nrequires = []\nbuild-backend = \"os;x\"\n"}) {
    EXPECT_EQ(error_of([&] { read(text); }).kind(), ErrorKind::bad_input) << text;
  }
}

}  // namespace
}  // namespace dae::resolver
