// Wheels that are linked on several threads: nothing shows it.
#include "environment_fixture.h"
#include "resolver/install/link_work.h"

namespace dae::resolver {
namespace {

using dae::testing::error_of;
using testing::EnvironmentFixture;
using testing::WheelBuilder;

class LinkThreads : public EnvironmentFixture {
 protected:
  // Of every kind: in a namespace that all share, with equal and different contents, scripts and data of one name, and
  // a name that is a file of one and a directory of another.
  std::vector<WheelToInstall> wheels() {
    std::vector<WheelToInstall> out;
    for (const char* name : {"a", "b", "c", "d", "e"}) {
      const std::string own = name;
      WheelBuilder wheel(own, "1.0");
      for (int i = 0; i < 600; ++i) {
        const std::string number = std::to_string(i);
        wheel.file("space/" + own + std::to_string(i % 7) + "/m" + number + ".py", own + number);
        wheel.file(own + "/m" + number + ".py", number);
      }
      wheel.file("space/equal.py", "").file("space/clash.py", own).file("space/both/clash.py", own);
      wheel.data("data/share/clash.txt", own).data("data/share/" + own + "/x.txt", own);
      wheel.data("scripts/tool", own, true).entry_points("[console_scripts]\nprogram = " + own + ":main\n");
      out.push_back(stored(wheel));
    }
    return out;
  }

  std::map<std::string, std::string> made_with(size_t threads, const std::string& name) {
    store_.link_threads = threads;
    events_.warnings.clear();
    const Path env = dir_.path() / name;
    install_into(env, wheels_);
    expect_records_to_be_true_but_for_clashes(env);
    auto out = contents(env);
    // These name their environment.
    for (const char* file : {"dae-env.json", "pyvenv.cfg", "bin/program"}) out.erase(file);
    std::erase_if(out, [](const auto& entry) {
      return entry.first.starts_with("bin/activate") || entry.first.starts_with("bin/Activate") ||
             entry.first.ends_with(".dist-info/RECORD");
    });
    return out;
  }

  void expect_records_to_be_true_but_for_clashes(const Path& env) {
    const Path packages = env / ("lib/python" + python_.python_version()) / "site-packages";
    for (const WheelToInstall& wheel : wheels_) {
      const std::string record = wheel.name + "-1.0.dist-info/RECORD";
      for (const RecordEntry& entry : parse_record(read_file(packages / record), record)) {
        const Path path = (packages / entry.path).lexically_normal();
        ASSERT_TRUE(exists(path)) << path;
        const bool clashes =
            entry.path.find("clash") != std::string::npos || entry.path.find("bin/") != std::string::npos;
        if (!clashes && !entry.hash.empty()) {
          EXPECT_EQ(entry.hash, "sha256=" + digest_base64url(sha256_file(path)));
        }
      }
    }
  }

  std::vector<WheelToInstall> wheels_ = wheels();
};

TEST_F(LinkThreads, MakeTheSameAsOneWouldInEveryMode) {
  for (const LinkMode mode : {LinkMode::hardlink, LinkMode::copy, LinkMode::symlink}) {
    store_.link_mode = mode;
    const std::string name(link_mode_name(mode));
    const auto expected = made_with(1, name + "-1");
    const auto warnings = events_.warnings;
    EXPECT_EQ(warnings.size(), 4u) << "each against the first";
    for (int i = 0; i < 5; ++i) {
      EXPECT_EQ(made_with(4, name + "-4-" + std::to_string(i)), expected) << name;
      EXPECT_EQ(events_.warnings, warnings) << name;
    }
  }
}

TEST_F(LinkThreads, AnUpdateByThemEndsAsAFreshInstallation) {
  store_.link_mode = LinkMode::hardlink;
  const auto expected = made_with(1, "fresh");
  store_.link_threads = 4;
  const Path env = dir_.path() / "updated";
  install_into(env, {wheels_[1], wheels_[3]});
  install_into(env, wheels_);
  for (const auto& [path, bytes] : contents(env)) {
    const auto found = expected.find(path);
    if (found != expected.end()) {
      EXPECT_EQ(bytes, found->second) << path;
    }
  }
  install_into(env, {});
  EXPECT_EQ(list_dir(env / ("lib/python" + python_.python_version()) / "site-packages"), std::vector<std::string>{});
}

TEST_F(LinkThreads, SplitLinksOfAnEarlierModeOnce) {
  store_.link_mode = LinkMode::symlink;
  install_into(env_, {wheels_[0]});
  EXPECT_TRUE(read_link(site() / "space").has_value());
  store_.link_mode = LinkMode::hardlink;
  store_.link_threads = 4;
  install_into(env_, wheels_);
  EXPECT_FALSE(read_link(site() / "space").has_value());
  for (const char* name : {"a", "b", "c", "d", "e"}) {
    EXPECT_EQ(read_file(site() / "space" / (std::string(name) + "3") / "m10.py"), std::string(name) + "10");
  }
}

TEST_F(LinkThreads, AFileInTheWayOfADirectoryIsRefusedWhoeverComesFirst) {
  store_.link_threads = 4;
  const auto file = stored(WheelBuilder("file", "1.0").file("name", "")),
             dir = stored(WheelBuilder("dir", "1.0").file("name/x.py", ""));
  for (int i = 0; i < 5; ++i) {
    const Error error = error_of([&] { install_into(dir_.path() / ("env" + std::to_string(i)), {file, dir}); });
    EXPECT_EQ(error.kind(), ErrorKind::refused);
    EXPECT_NE(std::string(error.what()).find("a directory is in the way of a file"), std::string::npos) << error.what();
  }
}

TEST(DirTrail, MakesEachDirectoryOnceInOrder) {
  std::vector<std::string> made;
  DirTrail trail;
  for (const char* path : {"top.py", "a/x", "a/b/c/x", "a/b/c/y", "a/b-c/x", "a/z", "ab/x", "ab/c/d/x"}) {
    trail.enter(path, [&](const char* dir) { made.emplace_back(dir); });
  }
  EXPECT_EQ(made, (std::vector<std::string>{"a", "a/b", "a/b/c", "a/b-c", "ab", "ab/c", "ab/c/d"}));
}

}  // namespace
}  // namespace dae::resolver
