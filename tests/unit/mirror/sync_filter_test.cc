#include <gtest/gtest.h>

#include "base/error.h"
#include "mirror/mirror.h"
#include "mirror/sync/settings.h"

namespace dae::mirror::sync {
namespace {

constexpr int64_t kNowMs = 1'760'000'000'000;

resolver::IndexFile make_file(const std::string& name, const std::string& requires_python = "") {
  resolver::IndexFile file;
  file.name = name;
  file.requires_python = requires_python;
  return file;
}

resolver::ProjectPage make_page(const std::string& project, std::vector<resolver::IndexFile> files) {
  resolver::ProjectPage page;
  page.name = project;
  page.files = std::move(files);
  return page;
}

SyncSettings settings(const std::string& keys) {
  const Document document = parse_yaml("storage: here\nindexes:\n  a:\n    mode: sync\n" + keys, "/x/mirror.yaml");
  return *parse_mirror_config(document).indexes[0].sync;
}

std::string refusal(const std::string& keys) {
  try {
    settings(keys);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

Selector selector(const std::string& keys) {
  return Selector(settings(keys).filter);
}

std::vector<std::string> rules(const Selector& selector, const resolver::ProjectPage& page) {
  std::vector<std::string> out;
  for (const Ruling& ruling : selector.files(page, kNowMs)) out.push_back(ruling.rule);
  return out;
}

using Rules = std::vector<std::string>;

TEST(SyncFilter, KeepsEverythingWithoutRules) {
  const Selector all = selector("");
  EXPECT_TRUE(all.project("anything").kept());
  EXPECT_FALSE(all.filter().names_all());
  EXPECT_EQ(rules(all, make_page("a", {make_file("a-1.0.tar.gz"), make_file("a-2.0rc1-py3-none-any.whl")})),
            (Rules{"", ""}));
}

TEST(SyncFilter, IncludesByNameAndGlobAndExcludesBeforeBoth) {
  const Selector some = selector("    include: [Flask, 'django-*']\n    exclude: django-nightly\n");
  EXPECT_TRUE(some.project("flask").kept());
  EXPECT_TRUE(some.project("django-cms").kept());
  EXPECT_EQ(some.project("django-nightly").rule, "exclude");
  EXPECT_EQ(some.project("requests").rule, "include");
  EXPECT_FALSE(some.filter().names_all());
  EXPECT_TRUE(selector("    include: flask\n").filter().names_all());
  EXPECT_EQ(rules(some, make_page("requests", {make_file("requests-1.0.tar.gz")})), (Rules{"include"}));
}

TEST(SyncFilter, NamesTheFirstRuleThatDrops) {
  const Selector strict = selector(
      "    versions: {a: '<3'}\n    prereleases: false\n    sdists: without-wheel\n    pythons: ['3.11']\n"
      "    platforms: [manylinux_2_28_x86_64]\n    max_size: 10MiB\n");
  std::vector<resolver::IndexFile> files = {
      make_file("a-3.0rc1-py3-none-any.whl"),
      make_file("a-2.0rc1-py3-none-any.whl"),
      make_file("a-2.0.tar.gz"),
      make_file("a-1.0.tar.gz"),
      make_file("a-2.0-cp312-cp312-manylinux_2_17_x86_64.whl"),
      make_file("a-2.0-cp311-cp311-win_amd64.whl"),
      make_file("a-2.0-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"),
      make_file("a-2.0-cp38-abi3-musllinux_1_1_x86_64.whl"),
      make_file("a-2.0-py3-none-any.whl"),
      make_file("a-1.9-py3-none-any.whl", ">=3.12"),
      make_file("a-1.8-py3-none-any.whl", ">=3.11.4"),
  };
  files[8].size_bytes = 11u << 20;
  EXPECT_EQ(rules(strict, make_page("a", files)), (Rules{"versions", "prereleases", "sdists", "", "pythons",
                                                         "platforms", "", "platforms", "max_size", "pythons", ""}));
}

TEST(SyncFilter, CountsTheLatestVersionsAmongThoseThatAreLeft) {
  const Selector two = selector("    latest: 2\n    prereleases: false\n");
  EXPECT_EQ(rules(two, make_page("a", {make_file("a-1.0.tar.gz"), make_file("a-1.10.tar.gz"), make_file("a-1.9.tar.gz"),
                                       make_file("a-1.9-py3-none-any.whl"), make_file("a-2.0b1.tar.gz")})),
            (Rules{"latest", "", "", "", "prereleases"}));
}

TEST(SyncFilter, JudgesAgeByTheUploadTimeWhereItIsTold) {
  const Selector young = selector("    max_age: 10d\n");
  std::vector<resolver::IndexFile> files = {make_file("a-1.tar.gz"), make_file("a-2.tar.gz"), make_file("a-3.tar.gz")};
  files[0].upload_time = format_utc(kNowMs - 11 * 86'400'000ll);
  files[1].upload_time = format_utc(kNowMs - 9 * 86'400'000ll);
  EXPECT_EQ(rules(young, make_page("a", files)), (Rules{"max_age", "", ""}));
}

TEST(SyncFilter, TakesNothingOfAQuarantinedProject) {
  resolver::ProjectPage page = make_page("a", {make_file("a-1.tar.gz")});
  page.status = "quarantined";
  EXPECT_EQ(rules(selector(""), page), (Rules{"quarantined"}));
}

TEST(SyncFilter, TakesNamesAndVersionsFromFiles) {
  TempDir dir;
  const auto write = [&](const char* name, const char* text) { write_file_atomic(dir.path() / name, text); };
  write("allow.txt", "flask  # the web\n\nzope.*\n");
  write("wanted.txt", "requests>=2,<3\nflask==3.0\n");
  write("pylock.toml",
        "lock-version = '1.0'\ncreated-by = 'test'\n[[packages]]\nname = 'click'\nversion = '8.1'\n"
        "[[packages.wheels]]\nname = 'click-8.1-py3-none-any.whl'\nurl = "
        "'https://files.example/click-8.1-py3-none-any.whl'\n"
        "hashes = {sha256 = 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'}\n");
  const Document document = parse_yaml(
      "storage: here\nindexes:\n  a:\n    mode: sync\n"
      "    include: [{names: allow.txt}, {requirements: wanted.txt, lock: pylock.toml}]\n",
      (dir.path() / "mirror.yaml").string());
  const Selector some(complete_filter(*parse_mirror_config(document).indexes[0].sync));
  EXPECT_TRUE(some.project("zope-interface").kept());
  EXPECT_FALSE(some.project("werkzeug").kept());
  EXPECT_EQ(rules(some, make_page("click", {make_file("click-8.1.tar.gz"), make_file("click-8.2.tar.gz")})),
            (Rules{"", "lock"}));
  EXPECT_EQ(rules(some, make_page("requests", {make_file("requests-3.0.tar.gz")})), (Rules{"lock"}));
  // Named without a version, too: a pin elsewhere does not narrow it.
  EXPECT_EQ(rules(some, make_page("flask", {make_file("flask-2.0.tar.gz")})), (Rules{""}));
}

TEST(SyncFilter, RefusesAListThatCannotBeReadInsteadOfTakingAll) {
  EXPECT_THROW(complete_filter(settings("    include: {names: not-there.txt}\n")), Error);
}

TEST(SyncFilter, RefusesKeysThatMeanNothing) {
  EXPECT_NE(refusal("    include: []\n").find("takes nothing"), std::string::npos);
  EXPECT_NE(refusal("    include: ['a b']\n").find("no name of a project"), std::string::npos);
  EXPECT_NE(refusal("    versions: {a: 'about 3'}\n").find("version specifiers"), std::string::npos);
  EXPECT_NE(refusal("    pythons: [three]\n").find("5:"), std::string::npos);
  EXPECT_NE(refusal("    platforms: [beos_x86]\n").find("5:"), std::string::npos);
  EXPECT_NE(refusal("    latest: 0\n"), "");
  EXPECT_NE(refusal("    files: some\n").find("on-demand"), std::string::npos);
  EXPECT_THROW(parse_mirror_config(parse_yaml("storage: here\nindexes: {a: {latest: 3}}\n", "m.yaml")), Error);
}

TEST(SyncFilter, IsAnotherFilterWhenAnyRuleIsAnother) {
  const std::vector<std::string> keys = {"",
                                         "    include: flask\n",
                                         "    include: 'flask*'\n",
                                         "    exclude: flask\n",
                                         "    versions: {flask: '<3'}\n",
                                         "    prereleases: false\n",
                                         "    sdists: false\n",
                                         "    pythons: ['3.11']\n",
                                         "    platforms: [win_amd64]\n",
                                         "    max_size: 1MiB\n",
                                         "    max_age: 1d\n",
                                         "    latest: 3\n"};
  std::set<std::string> digests;
  for (const std::string& one : keys) digests.insert(settings(one).filter.digest());
  EXPECT_EQ(digests.size(), keys.size());
}

}  // namespace
}  // namespace dae::mirror::sync
