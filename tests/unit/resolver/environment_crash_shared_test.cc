// A kill while packages share something: a namespace, a file, or an environment that was linked in another way before.
#include "crash_fixture.h"

namespace dae::resolver {
namespace {

using testing::CrashFixture;
using testing::Sync;
using testing::WheelBuilder;

// In which way the environment was linked, and in which it goes on.
class KilledSharing : public CrashFixture, public ::testing::WithParamInterface<std::pair<LinkMode, LinkMode>> {
 protected:
  // Two levels of directories that belong to nobody alone, and one that does.
  WheelToInstall part(const std::string& name, const std::string& version = "1.0") {
    return stored(WheelBuilder(name, version)
                      .file("ns/" + name + ".py", version)
                      .file("ns/deep/" + name + ".py", version)
                      .file("ns/deep/only_" + name + "/x.py", version));
  }
  WheelToInstall claiming(const std::string& name, const std::string& text, const std::string& version = "1.0") {
    return stored(WheelBuilder(name, version)
                      .file("shared/both.py", text)
                      .file("shared/equal.py", "")
                      .file("both.py", text)
                      .file("shared/" + name + ".py", version)
                      .data("scripts/both", "#!/bin/sh\necho " + text + "\n", true)
                      .data("scripts/rewritten", "#!python\n" + text + "\n", true));
  }
  void expect_repair_of(const Wheels& before, const Wheels& after, bool is_quiet = true) {
    const auto [from, to] = GetParam();
    store_.link_threads = from == to ? 1 : 3;
    Sync sync;
    sync.make = [&, from = from] {
      install_as(from, before);
      put_users_files();
    };
    sync.change = [&, to = to] { install_as(to, after); };
    sync.is_quiet = is_quiet;
    expect_repair(sync);
  }
};

TEST_P(KilledSharing, OfANamespaceThatGetsASecondOwner) {
  expect_repair_of({part("a")}, {part("a"), part("b")});
}

TEST_P(KilledSharing, OfANamespaceThatLosesAnOwner) {
  expect_repair_of({part("a"), part("b"), part("c")}, {part("b")});
}

TEST_P(KilledSharing, OfANamespaceThatLosesItsLast) {
  expect_repair_of({part("a"), part("b")}, {});
}

TEST_P(KilledSharing, OfANamespaceWhoseOwnersChange) {
  expect_repair_of({part("a"), part("b")}, {part("a", "2.0"), part("c")});
}

TEST_P(KilledSharing, OfAFileThatGetsASecondOwner) {
  expect_repair_of({claiming("a", "1")}, {claiming("a", "1"), claiming("b", "2")}, false);
}

TEST_P(KilledSharing, OfAFileThatGetsASecondOwnerWhoGivesWay) {
  expect_repair_of({claiming("b", "1")}, {claiming("a", "2"), claiming("b", "1")}, false);
}

TEST_P(KilledSharing, OfAFileThatLosesTheOwnerWhoseItWas) {
  expect_repair_of({claiming("a", "1"), claiming("b", "2")}, {claiming("a", "1")}, false);
}

TEST_P(KilledSharing, OfAFileThatLosesTwoOfThreeOwners) {
  expect_repair_of({claiming("a", "1"), claiming("b", "1"), claiming("c", "2")}, {claiming("a", "1")}, false);
}

TEST_P(KilledSharing, OfAFileWhoseOwnersChange) {
  expect_repair_of({claiming("a", "1"), claiming("b", "2")},
                   {claiming("a", "1"), claiming("b", "3", "2.0"), claiming("c", "1")}, false);
}

TEST_P(KilledSharing, OfAFileThatIsNoLongerShared) {
  expect_repair_of({claiming("a", "1"), claiming("b", "1")}, {part("a", "2.0"), claiming("b", "1")}, false);
}

INSTANTIATE_TEST_SUITE_P(
    LinkModes, KilledSharing,
    ::testing::Values(std::pair(LinkMode::hardlink, LinkMode::hardlink),
                      std::pair(LinkMode::symlink, LinkMode::symlink), std::pair(LinkMode::hardlink, LinkMode::symlink),
                      std::pair(LinkMode::symlink, LinkMode::hardlink), std::pair(LinkMode::copy, LinkMode::symlink),
                      std::pair(LinkMode::symlink, LinkMode::copy)),
    [](const auto& way) {
      return std::string(link_mode_name(way.param.first)) + "_to_" + std::string(link_mode_name(way.param.second));
    });

}  // namespace
}  // namespace dae::resolver
