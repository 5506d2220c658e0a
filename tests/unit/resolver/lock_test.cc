#include "resolver/lock/lock.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/strings.h"
#include "resolver/lock/lock_canonical.h"

namespace dae::resolver {
namespace {

const Path kGolden = Path(DAE_SOURCE_DIR) / "tests" / "data" / "lock" / "pylock.toml";

Target target(const std::string& python = "3.11", const std::string& platform = "manylinux_2_36_x86_64") {
  Target out;
  out.python_version = python;
  out.python_full_version = python + ".4";
  out.platform = platform;
  return out;
}

LockedFile file(const std::string& name, char digit) {
  LockedFile out;
  out.name = name;
  out.url = "https://files.example/" + name;
  out.sha256 = std::string(64, digit);
  out.hashes["sha256"] = out.sha256;
  out.size_bytes = 1234;
  out.upload_time = "2025-01-25T11:30:10.160Z";
  return out;
}

Lock example() {
  Lock lock;
  lock.requires_python = ">=3.11";
  lock.environments = {"sys_platform == 'linux' and python_version == '3.11'"};
  LockedPackage flask;
  flask.name = "flask";
  flask.version = "3.1.2";
  flask.requires_python = ">=3.9";
  flask.dependencies = {"tomli", "werkzeug"};
  flask.index = "https://index.example/simple/";
  flask.wheels = {file("flask-3.1.2-py3-none-any.whl", 'a')};
  flask.sdist = file("flask-3.1.2.tar.gz", 'b');
  LockedPackage old = flask, recent = flask;
  old.name = recent.name = "tomli";
  old.dependencies = recent.dependencies = {};
  old.sdist = recent.sdist = std::nullopt;
  old.version = "1.0";
  old.marker = "python_version < '3.11'";
  old.wheels = {file("tomli-1.0-py3-none-any.whl", 'c')};
  recent.version = "2.0";
  recent.marker = "python_version >= '3.11'";
  recent.wheels = {file("tomli-2.0-cp311-cp311-manylinux_2_17_x86_64.whl", 'd'),
                   file("tomli-2.0-1-py3-none-any.whl", 'e'), file("tomli-2.0-2-py3-none-any.whl", 'f')};
  LockedPackage direct;
  direct.name = "werkzeug";
  direct.version = "4.0";
  direct.archive = file("werkzeug-4.0.zip", '1');
  lock.packages = {recent, old, direct, flask};
  std::swap(lock.packages[0], lock.packages[1]);
  lock.input_digest = "sha256:" + std::string(64, '0');
  lock.targets = {target()};
  return lock;
}

std::string minimal(const std::string& package,
                    const std::string& head = "lock-version = \"1.0\"\ncreated-by = \"x\"\n") {
  return head + package;
}

std::string with_wheel(const std::string& extra = "", const std::string& wheel_extra = "") {
  return minimal("[[packages]]\nname = \"a\"\nversion = \"1.0\"\n" + extra +
                 "[[packages.wheels]]\nurl = \"https://x.example/a-1.0-py3-none-any.whl\"\n" + wheel_extra +
                 "hashes = {sha256 = \"" + std::string(64, 'a') + "\"}\n");
}

std::string refusal(const std::string& text) {
  try {
    parse_lock(text, "pylock.toml");
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::bad_input);
    return error.what();
  }
  return "";
}

#define EXPECT_REFUSED(text, part) EXPECT_NE(refusal(text).find(part), std::string::npos) << refusal(text)

TEST(Lockfile, IsRenderedAsTheGoldenFile) {
  EXPECT_EQ(render_lock(example()), read_file(kGolden));
}

TEST(Lockfile, ReadsBackWhatItRendered) {
  const std::string text = render_lock(example());
  const Lock lock = parse_lock(text, "pylock.toml");
  EXPECT_EQ(render_lock(lock), text);
  ASSERT_EQ(lock.packages.size(), 4u);
  EXPECT_EQ(lock.packages[0].dependencies, (std::vector<std::string>{"tomli", "werkzeug"}));
  EXPECT_EQ(lock.packages[3].archive->name, "werkzeug-4.0.zip");
  EXPECT_EQ(lock.targets, (std::vector<Target>{target()}));
}

TEST(Lockfile, RendersTheSameBytesWhateverTheOrderOfPackages) {
  Lock lock = example();
  const std::string text = render_lock(lock);
  std::rotate(lock.packages.begin(), lock.packages.begin() + 2, lock.packages.end());
  EXPECT_EQ(render_lock(lock), text);
}

// What a lock holds, in a form that both readers must agree on.
std::string content(const Lock& lock) {
  std::string out = render_lock(lock);
  for (const LockedPackage& p : lock.packages) {
    for (const LockedFile& f : p.wheels) out += f.name + f.sha256;
    if (p.archive) out += p.archive->name;
  }
  return out;
}

TEST(Lockfile, IsReadAlikeByTheFastAndTheGeneralReader) {
  const std::string text = render_lock(example());
  const auto fast = parse_canonical_lock(text);
  ASSERT_TRUE(fast.has_value());
  const std::string not_canonical = "# a comment\n" + text;
  ASSERT_FALSE(parse_canonical_lock(not_canonical).has_value());
  EXPECT_EQ(content(*fast), content(parse_lock(not_canonical, "pylock.toml")));
  EXPECT_TRUE(parse_canonical_lock(render_lock(Lock())).has_value());
}

TEST(Lockfile, IsNeverReadMoreLenientlyByTheFastReader) {
  const std::string text = render_lock(example());
  int accepted = 0;
  for (size_t at = 0; at < text.size(); at += 3) {
    for (const char c : {'\0', '"', 'x', '\n'}) {
      std::string damaged = text;
      if (c == '\0') {
        damaged.erase(at, 1);
      } else {
        damaged[at] = c;
      }
      const auto fast = parse_canonical_lock(damaged);
      if (!fast) continue;
      ++accepted;
      EXPECT_EQ(render_lock(*fast), damaged);
      EXPECT_EQ(content(*fast), content(parse_lock("# c\n" + damaged, "pylock.toml"))) << damaged;
    }
  }
  EXPECT_GT(accepted, 0);  // a changed letter of a url is still a lock
}

Lock rich_example() {
  Lock lock = example();
  lock.extras = {"docs"};
  lock.dependency_groups = {"dev", "lint"};
  lock.default_groups = {"dev"};
  lock.cutoff = "2026-01-31T00:00:00Z";
  LockedPackage repository;
  repository.name = "from-git";
  repository.vcs = LockedVcs{"git", "https://git.example/x.git", "", "main", std::string(40, 'c'), "python"};
  repository.dependencies = {"tomli"};
  LockedPackage folder;
  folder.name = "in-tree";
  folder.directory = LockedDirectory{"../in-tree", "", true};
  LockedPackage archive;
  archive.name = "an-archive";
  archive.archive = file("bundle.zip", 'd');
  archive.archive->hashes["blake2b"] = "abcd";
  archive.archive_subdirectory = "lib";
  lock.packages.insert(lock.packages.end(), {repository, folder, archive});
  lock.packages[0].attestation_identities = {
      Value::object({{"kind", "GitHub"}, {"repository", "x/y"}, {"environment", ""}})};
  return lock;
}

TEST(Lockfile, HoldsEveryKindOfSource) {
  const std::string text = render_lock(rich_example());
  const auto fast = parse_canonical_lock(text);
  ASSERT_TRUE(fast.has_value());
  EXPECT_EQ(render_lock(*fast), text);
  const Lock slow = parse_lock("# c\n" + text, "pylock.toml");
  EXPECT_EQ(render_lock(slow), text);
  ASSERT_EQ(slow.packages.size(), 7u);
  EXPECT_EQ(slow.packages[0].archive_subdirectory, "lib");
  EXPECT_EQ(slow.packages[0].archive->hashes.at("blake2b"), "abcd");
  EXPECT_EQ(slow.packages[2].vcs, rich_example().packages[4].vcs);
  EXPECT_EQ(slow.packages[3].directory, rich_example().packages[5].directory);
  EXPECT_EQ(slow.packages[4].attestation_identities[0].get_string("repository"), "x/y");
  EXPECT_TRUE(slow.warnings.empty());
}

TEST(Lockfile, IsReadAlikeWhateverIsDamaged) {
  const std::string text = render_lock(rich_example());
  for (size_t at = 0; at < text.size(); ++at) {
    std::string damaged = text;
    damaged.erase(at, 1);
    const auto fast = parse_canonical_lock(damaged);
    if (!fast) continue;
    EXPECT_EQ(render_lock(*fast), damaged);
    EXPECT_EQ(content(*fast), content(parse_lock("# c\n" + damaged, "pylock.toml"))) << damaged;
  }
}

TEST(Lockfile, TellsRepeatedNamesApartBySourceWhereVersionsDoNot) {
  Lock lock = example();
  lock.packages[0].version = lock.packages[1].version;
  lock.packages[0].wheels.clear();
  lock.packages[0].archive = file("tomli-2.0-py3-none-any.whl", 'c');
  const std::string text = render_lock(lock);
  EXPECT_NE(text.find("{name = \"tomli\", archive = {"), std::string::npos) << text;
  ASSERT_TRUE(parse_canonical_lock(text).has_value());
}

TEST(Lockfile, RendersAnEmptyLockThatCanBeRead) {
  EXPECT_TRUE(parse_lock(render_lock(Lock()), "pylock.toml").packages.empty());
}

TEST(Lockfile, NeverWritesATimeThatIsNone) {
  Lock lock = example();
  lock.packages[0].wheels[0].upload_time = "2025-01-25T11:30:10Z, evil = 1";
  EXPECT_EQ(render_lock(lock).find("evil"), std::string::npos);
}

TEST(Lockfile, EscapesWhatItQuotes) {
  Lock lock = example();
  lock.packages[0].wheels[0].url = "https://x.example/\"\\\n";
  EXPECT_EQ(parse_lock(render_lock(lock), "x").packages[1].wheels[0].url, "https://x.example/\"\\\n");
}

TEST(Lockfile, RefusesOtherMajorVersionsAndAcceptsMinorOnes) {
  EXPECT_REFUSED(minimal("packages = []\n", "lock-version = \"2.0\"\ncreated-by = \"x\"\n"), "lock-version `2.0`");
  EXPECT_REFUSED(minimal("packages = []\n", "lock-version = \"one\"\ncreated-by = \"x\"\n"), "lock-version");
  EXPECT_EQ(refusal(minimal("packages = []\nnews = 1\n", "lock-version = \"1.7\"\ncreated-by = \"x\"\n")), "");
}

TEST(Lockfile, WarnsOfWhatANewerMinorVersionBrings) {
  const std::string head = "lock-version = \"1.1\"\ncreated-by = \"x\"\nnews = 1\n";
  const Lock lock = parse_lock(
      with_wheel("fresh = true\n").replace(0, std::string("lock-version = \"1.0\"\ncreated-by = \"x\"\n").size(), head),
      "pylock.toml");
  ASSERT_EQ(lock.warnings.size(), 3u);
  EXPECT_NE(lock.warnings[0].find("lock-version 1.1 is newer"), std::string::npos);
  EXPECT_EQ(lock.warnings[1], "pylock.toml:3:1: `news` is not known here and left out");
  EXPECT_EQ(lock.warnings[2], "pylock.toml:7:1: `fresh` is not known here and left out");
  EXPECT_TRUE(parse_lock(with_wheel("fresh = true\n"), "pylock.toml").warnings.empty());
}

TEST(Lockfile, HasOneOfTheNamesThatInstallersLookFor) {
  for (const char* good : {"pylock.toml", "pylock.dev.toml", "pylock.a-b_c.toml"}) EXPECT_TRUE(is_lock_file_name(good));
  for (const char* bad : {"pylock..toml", "pylock.a.b.toml", "poetry.lock", "pylock.json", "my.pylock.toml"}) {
    EXPECT_FALSE(is_lock_file_name(bad)) << bad;
  }
  EXPECT_THROW(read_lock("/nowhere/pylock.a.b.toml"), Error);
}

TEST(Lockfile, RefusesWhatIsOutsideOfItsSourceTreeOrNoCommit) {
  const auto vcs = [](const std::string& more) {
    return minimal("[[packages]]\nname = \"a\"\nvcs = {type = \"git\", " + more + "}\n");
  };
  const std::string commit = "commit-id = \"" + std::string(40, 'a') + "\"";
  EXPECT_EQ(refusal(vcs("url = \"https://x.example/a\", " + commit)), "");
  EXPECT_REFUSED(vcs(commit), "`url` or `path`");
  EXPECT_REFUSED(vcs("url = \"https://x.example/a\""), "commit-id");
  EXPECT_REFUSED(vcs("url = \"https://x.example/a\", commit-id = \"main\""), "no commit of git");
  EXPECT_REFUSED(vcs("url = \"https://x.example/a\", subdirectory = \"../b\", " + commit), "not below");
  EXPECT_REFUSED(vcs("url = \"https://x.example/a\", subdirectory = \"/b\", " + commit), "not below");
  EXPECT_REFUSED(minimal("[[packages]]\nname = \"a\"\ndirectory = {editable = true}\n"), "path");
}

TEST(Lockfile, RefusesTheExtraFieldInMarkersAndTimesThatAreNone) {
  EXPECT_REFUSED(with_wheel("marker = \"extra == 'x'\"\n"), "`extra` means nothing in a lock");
  EXPECT_REFUSED(with_wheel("", "upload-time = \"yesterday\"\n"), "no time in UTC");
  EXPECT_REFUSED(minimal("extras = [\"A B\"]\npackages = []\n"), "pylock.toml:3:11: `A B` is no normalised name");
  EXPECT_REFUSED(with_wheel("attestation-identities = [{publisher = \"x\"}]\n"), "kind");
}

TEST(Lockfile, RefusesAnSdistOfAnotherPackage) {
  const std::string hash = ", hashes = {sha256 = \"" + std::string(64, 'a') + "\"}}\n";
  EXPECT_REFUSED(minimal("[[packages]]\nname = \"a\"\nsdist = {url = \"https://x.example/b-1.tar.gz\"" + hash),
                 "no sdist of `a`");
  EXPECT_REFUSED(minimal("[[packages]]\nname = \"a\"\nversion = \"2\"\nsdist = {path = \"x\\\\a-1.tar.gz\"" + hash),
                 "not version 2");
}

TEST(Lockfile, RefusesTruncatedTextsAndRepeatedKeysWithTheirPlace) {
  const std::string text = render_lock(example());
  EXPECT_REFUSED(text.substr(0, text.find("hashes") + 3), "pylock.toml:");
  EXPECT_REFUSED(with_wheel("version = \"2.0\"\n"), "pylock.toml:6:");
}

TEST(Lockfile, RefusesMissingKeys) {
  EXPECT_REFUSED("created-by = \"x\"\npackages = []\n", "lock-version");
  EXPECT_REFUSED("lock-version = \"1.0\"\npackages = []\n", "created-by");
  EXPECT_REFUSED(minimal(""), "packages");
  EXPECT_REFUSED(minimal("[[packages]]\nversion = \"1\"\n"), "name");
}

TEST(Lockfile, RefusesAPackageWithNoSourceOrTwo) {
  EXPECT_REFUSED(minimal("[[packages]]\nname = \"a\"\n"), "`a` has no source");
  EXPECT_REFUSED(with_wheel("directory = {path = \".\"}\n"), "two sources: directory and index files");
}

TEST(Lockfile, RefusesFilesWithoutDigestsOrPlaces) {
  EXPECT_REFUSED(minimal("[[packages]]\nname = \"a\"\nsdist = {url = \"https://x.example/a-1.tar.gz\"}\n"), "hashes");
  EXPECT_REFUSED(minimal("[[packages]]\nname = \"a\"\nsdist = {url = \"https://x.example/a-1.tar.gz\", hashes = {}}\n"),
                 "at least one digest");
  EXPECT_REFUSED(
      minimal("[[packages]]\nname = \"a\"\nsdist = {hashes = {sha256 = \"" + std::string(64, 'a') + "\"}}\n"),
      "`url` or `path`");
  EXPECT_REFUSED(minimal("[[packages]]\nname = \"a\"\nsdist = {path = \"a-1.tar.gz\", hashes = {sha256 = \"abc\"}}\n"),
                 "no sha256 digest");
}

TEST(Lockfile, RefusesNamesMarkersAndVersionsThatAreNone) {
  EXPECT_REFUSED(minimal("[[packages]]\nname = \"A_b\"\n"), "normalised");
  EXPECT_REFUSED(with_wheel("marker = \"nonsense ==\"\n"), "`marker`");
  EXPECT_REFUSED(with_wheel("requires-python = \"three\"\n"), "`requires-python`");
  EXPECT_REFUSED(minimal("environments = [\"x\"]\npackages = []\n"), "`environments`");
}

TEST(Lockfile, RefusesAWheelOfAnotherPackageOrVersionAndUnsafeNames) {
  EXPECT_REFUSED(with_wheel("", "name = \"b-1.0-py3-none-any.whl\"\n"), "no wheel of `a`");
  EXPECT_REFUSED(with_wheel("", "name = \"a-2.0-py3-none-any.whl\"\n"), "not version 1.0");
  EXPECT_REFUSED(with_wheel("", "name = \"../a-1.0-py3-none-any.whl\"\n"), "unsafe");
}

TEST(Lockfile, SaysWhereTheFaultIs) {
  EXPECT_REFUSED(with_wheel("marker = \"x\"\n"), "pylock.toml:6:10");
}

TEST(LockSelection, TakesTheBestWheelOfEachPackageThatApplies) {
  const auto selected = select(example(), target());
  ASSERT_EQ(selected.size(), 3u);
  EXPECT_EQ(selected[0].file.name, "flask-3.1.2-py3-none-any.whl");
  EXPECT_EQ(selected[1].file.name, "tomli-2.0-cp311-cp311-manylinux_2_17_x86_64.whl");
  EXPECT_EQ(selected[2].file.name, "werkzeug-4.0.zip");
  EXPECT_FALSE(selected[2].is_wheel);
}

TEST(LockSelection, PrefersTheHigherBuildNumber) {
  const auto selected = select(example(), target("3.11", "manylinux_2_36_aarch64"));
  EXPECT_EQ(selected[1].file.name, "tomli-2.0-2-py3-none-any.whl");
}

TEST(LockSelection, FallsBackToTheSdist) {
  Lock lock = example();
  lock.packages[3].wheels = {file("flask-3.1.2-cp311-cp311-win_amd64.whl", 'a')};
  const auto selected = select(lock, target());
  EXPECT_EQ(selected[0].file.name, "flask-3.1.2.tar.gz");
  EXPECT_FALSE(selected[0].is_wheel);
  lock.packages[3].sdist.reset();
  EXPECT_THROW(select(lock, target()), Error);
}

TEST(LockSelection, RefusesAMachineTheLockWasNotMadeFor) {
  EXPECT_THROW(select(example(), target("3.12")), Error);
  Lock lock = example();
  lock.environments.clear();
  EXPECT_EQ(select(lock, target("3.12")).size(), 3u);
  lock.requires_python = ">=3.13";
  EXPECT_THROW(select(lock, target("3.12")), Error);
  lock.requires_python.clear();
  lock.packages[3].requires_python = "<3.12";
  EXPECT_THROW(select(lock, target("3.12")), Error);
}

TEST(LockSelection, RefusesTwoEntriesOfOneName) {
  Lock lock = example();
  lock.packages[0].marker = lock.packages[1].marker = "";
  EXPECT_THROW(select(lock, target()), Error);
}

TEST(LockSelection, HonoursExtrasAndDefaultGroups) {
  Lock lock = example();
  lock.packages[3].marker = "'docs' in extras";
  lock.packages[2].marker = "'dev' in dependency_groups";
  EXPECT_EQ(select(lock, target()).size(), 1u);
  lock.default_groups = {"dev"};
  EXPECT_EQ(select(lock, target()).size(), 2u);
}

TEST(LockSelection, TakesTheExtrasAndGroupsThatAreAskedFor) {
  Lock lock = example();
  lock.extras = {"docs"};
  lock.dependency_groups = {"Dev", "lint"};
  lock.default_groups = {"Dev"};
  lock.packages[3].marker = "'docs' in extras";
  lock.packages[2].marker = "'dev' in dependency_groups";
  EXPECT_EQ(select(lock, target(), {{"docs"}, {}, true}).size(), 3u);
  EXPECT_EQ(select(lock, target(), {{}, {}, false}).size(), 1u);
  EXPECT_EQ(select(lock, target(), {{}, {"dev"}, false}).size(), 2u);
  EXPECT_THROW(select(lock, target(), {{"nothing"}, {}, true}), Error);
  EXPECT_THROW(select(lock, target(), {{}, {"nothing"}, true}), Error);
}

TEST(LockSelection, GivesRepositoriesFoldersAndArchivesAsTheyAre) {
  const auto selected = select(rich_example(), target());
  ASSERT_EQ(selected.size(), 6u);
  EXPECT_EQ(selected[0].subdirectory, "lib");
  EXPECT_TRUE(selected[2].direct && selected[2].vcs && !selected[2].is_wheel);
  EXPECT_TRUE(selected[3].directory && selected[3].directory->editable);
  EXPECT_FALSE(selected[1].direct);
}

TEST(LockSelection, RefusesAWheelAddressThatDoesNotFit) {
  Lock lock = example();
  lock.packages[2].archive = file("werkzeug-4.0-cp312-cp312-manylinux_2_17_x86_64.whl", '1');
  EXPECT_THROW(select(lock, target()), Error);
}

TEST(LockSelection, RefusesAFileWithoutSha256) {
  Lock lock = example();
  lock.packages[3].wheels[0].sha256.clear();
  try {
    select(lock, target());
    FAIL() << "must not be selected";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::verification);
  }
}

}  // namespace
}  // namespace dae::resolver
