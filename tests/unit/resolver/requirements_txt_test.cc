#include <gtest/gtest.h>

#include "base/error.h"
#include "base/strings.h"
#include "resolver/lock/project.h"
#include "unit/resolver/scoped_env.h"

namespace dae::resolver {
namespace {

const Path kPath = "pip-req.txt";
const std::string kSha = std::string(64, 'a');

ProjectFile read(const std::string& text) {
  return parse_project(kPath, text);
}

using testing::ScopedEnv;

std::string listing(const std::vector<RootRequirement>& roots) {
  std::string out;
  for (const RootRequirement& root : roots) {
    const Requirement& r = root.requirement;
    out += root.origin + (root.editable ? " -e " : " ") +
           (r.name.empty() ? "(" + join(r.extras, ",") + ") " + r.url : r.text()) + "\n";
  }
  return out;
}

std::string listing(const std::string& text) {
  return listing(read(text).requirements);
}

// "what: hint" of the failure, or "".
std::string failure(const std::string& text, const Path& path = kPath) {
  try {
    parse_project(path, text);
  } catch (const Error& error) {
    return std::string(error.what()) + " | " + error.hint();
  }
  return "";
}

void fails(const std::string& text, const std::string& place, const std::string& part) {
  const std::string said = failure(text);
  EXPECT_EQ(said.find("pip-req.txt:" + place + ":"), 0u) << text << "\n" << said;
  EXPECT_NE(said.find(part), std::string::npos) << text << "\n" << said;
}

TEST(RequirementsTxt, ReadsCommentsContinuationsHashesAndIncludedFiles) {
  TempDir dir;
  make_dirs(dir.path() / "more");
  write_file_atomic(dir.path() / "more" / "base.txt", "\nwerkzeug>=3\n-c ../limits.txt\n");
  write_file_atomic(dir.path() / "limits.txt", "jinja2<4\n");
  const ProjectFile p =
      parse_project(dir.path() / "pip-req.txt", "# web\nflask>=3 \\\n  --hash=sha256:" + kSha +
                                                    " \\\n  --hash sha384:" + std::string(96, 'B') +
                                                    "  # pinned\n\n-r more/base.txt\ntomli; python_version < '3.11'\n"
                                                    "a @ https://x.example/a-1.zip#egg=a\n");
  EXPECT_EQ(listing(p.requirements),
            "pip-req.txt:2 flask>=3\nmore/base.txt:2 werkzeug>=3\n"
            "pip-req.txt:7 tomli; python_version < \"3.11\"\npip-req.txt:8 a @ https://x.example/a-1.zip#egg=a\n");
  EXPECT_EQ(listing(p.constraints), "limits.txt:1 jinja2<4\n");
  EXPECT_EQ(p.hashes.at("flask"), (std::vector<std::string>{"sha256:" + kSha, "sha384:" + std::string(96, 'b')}));
}

TEST(RequirementsTxt, CutsLinesAsPipDoes) {
  EXPECT_EQ(listing("a\\\n==1\r\nb # c \\\n--pre\n\n  # d \\\ne\rf\n"),
            "pip-req.txt:1 a==1\npip-req.txt:3 b\npip-req.txt:7 e\npip-req.txt:8 f\n");
  EXPECT_EQ(listing("a \\\n# comment\nb\n"), "pip-req.txt:1 a\npip-req.txt:3 b\n");
}

TEST(RequirementsTxt, NamesLineAndColumnAcrossContinuations) {
  fails("flask\nflask >=3, \\\n   nonsense\n", "2:7", "version specifier");
  fails("a==1 \\\n  --hash=md5:00\n", "2:10", "no hash");
  fails("a==1 --hash=sha256:12\n", "1:20", "64 hexadecimal digits");
  fails("a; python_versio < '3'\n", "1:4", "");
  fails("a = 1\n", "1:3", "`==` asks for one version");
  fails("a==1 \\ \n", "1:2", "a blank follows the `\\`");
  fails("a\x01\n", "1:2", "control character");
}

TEST(RequirementsTxt, ReadsEditables) {
  EXPECT_EQ(listing("-e .\n-e ./lib[Dev,x] ; python_version < '3.12'\n--editable=../b\n-e 'my dir/x'\n"),
            "pip-req.txt:1 -e () .\npip-req.txt:2 -e (dev,x) ./lib\npip-req.txt:3 -e () ../b\n"
            "pip-req.txt:4 -e () ./my dir/x\n");
  EXPECT_EQ(listing("-e git+https://host/a.git@v1#egg=A_b[x]&subdirectory=py\n-e hg+ssh://host/c#egg=c\n"
                    "-e d[y] @ git+https://host/d\n-e file:///srv/e#egg=e\n"),
            "pip-req.txt:1 -e A_b[x] @ git+https://host/a.git@v1#egg=A_b[x]&subdirectory=py\n"
            "pip-req.txt:2 -e c @ hg+ssh://host/c#egg=c\npip-req.txt:3 -e d[y] @ git+https://host/d\n"
            "pip-req.txt:4 -e e @ file:///srv/e#egg=e\n");
  EXPECT_EQ(read("-e ./lib ; python_version < '3.12'\n").requirements[0].requirement.marker.text(),
            "python_version < \"3.12\"");
  EXPECT_EQ(read("-e ./lib; os_name == \"nt\"\n").requirements[0].requirement.marker.text(), "os_name == \"nt\"");
}

TEST(RequirementsTxt, RefusesOddEditables) {
  fails("-e flask\n", "1:4", "neither a directory nor");
  fails("-e https://host/a.zip\n", "1:4", "directory or a repository");
  fails("-e a @ https://host/a.zip\n", "1:4", "directory or a repository");
  fails("-e 'a @ https://host/a.zip'\n", "1:4", "directory or a repository");
  fails("--editable svn+https://host/a#egg=a\n", "1:12", "`svn` are not supported");
  fails("-e\n", "1:1", "needs a value");
  fails("-e 'x\n", "1:4", "not closed");
}

TEST(RequirementsTxt, ReadsPathsAndAddresses) {
  EXPECT_EQ(listing("./pkg\n./pkg[x]; os_name == 'nt'\nlib-1.0-py3-none-any.whl\nsub/lib-1.0.tar.gz\n/abs/dir\n"
                    "https://host/My_Lib-1.0-py3-none-any.whl#sha256=00\nhttps://host/x.tar.gz ; os_name == 'nt'\n"
                    "git+ssh://git@host/a.git@main\nfile:../y\nfile:///srv/z.zip\nname@https://host/n.zip\n"
                    "local @ ./dir\n"),
            "pip-req.txt:1 () ./pkg\npip-req.txt:2 (x) ./pkg\n"
            "pip-req.txt:3 lib @ ./lib-1.0-py3-none-any.whl\npip-req.txt:4 () ./sub/lib-1.0.tar.gz\n"
            "pip-req.txt:5 () /abs/dir\npip-req.txt:6 my-lib @ https://host/My_Lib-1.0-py3-none-any.whl#sha256=00\n"
            "pip-req.txt:7 () https://host/x.tar.gz\npip-req.txt:8 () git+ssh://git@host/a.git@main\n"
            "pip-req.txt:9 () ../y\npip-req.txt:10 () file:///srv/z.zip\npip-req.txt:11 name @ https://host/n.zip\n"
            "pip-req.txt:12 local @ ./dir\n");
  EXPECT_EQ(read("https://host/x.zip; os_name == 'nt'\n").requirements[0].requirement.marker.text(),
            "os_name == \"nt\"");
  fails("https://host/no-wheel.whl\n", "1:1", "not the file name of a wheel");
  fails("https://host/a b\n", "1:15", "blank");
  fails("git+https://host/a#egg=../x\n", "1:19", "not followed by a name");
  fails("./x; os_nam == 'nt'\n", "1:6", "");
}

TEST(RequirementsTxt, LooksForPathsBesideTheAppThenBesideTheFile) {
  TempDir dir;
  make_dirs(dir.path() / "more" / "inner");
  make_dirs(dir.path() / "outer");
  write_file_atomic(dir.path() / "more" / "x.txt", "./inner\n./outer\n-e inner\n");
  EXPECT_EQ(listing(parse_project(dir.path() / "pip-req.txt", "-r more/x.txt\n-e outer\n").requirements),
            "more/x.txt:1 () ./more/inner\nmore/x.txt:2 () ./outer\nmore/x.txt:3 -e () ./more/inner\n"
            "pip-req.txt:2 -e () ./outer\n");
}

TEST(RequirementsTxt, KeepsHashesByNameOrInTheAddress) {
  const ProjectFile p = read("https://host/x.zip --hash=sha256:" + kSha + "\nb==1 --hash=sha256:" + kSha + "\n");
  EXPECT_EQ(p.requirements[0].requirement.url, "https://host/x.zip#sha256=" + kSha);
  EXPECT_EQ(p.hashes.size(), 1u);
  fails("https://host/x.zip --hash=sha512:" + std::string(128, 'a') + "\n", "1:1", "without a name");
  fails("--hash=sha256:" + kSha + "\n", "1:1", "behind a requirement");
  fails("--require-hashes\na==1 --hash=sha256:" + kSha + "\nb==1\n", "3", "`b` has none");
  EXPECT_TRUE(read("--require-hashes\na==1 --hash=sha256:" + kSha + "\n").settings.require_hashes);
}

TEST(RequirementsTxt, ReadsIndexOptionsInPipsOrder) {
  const auto urls = [](const std::string& text) {
    std::string out;
    const ProjectSettings s = read(text).settings;
    for (const auto& index : s.indexes) out += index.url + " ";
    return out + (s.configured_too ? "+" : "") + (s.no_index ? "none" : "");
  };
  EXPECT_EQ(urls("-i https://a/\n--extra-index-url=https://b/\n--extra-index-url https://c/\n"),
            "https://b/ https://c/ https://a/ ");
  EXPECT_EQ(urls("--extra-index-url https://b/\n"), "https://b/ +");
  EXPECT_EQ(urls("--extra-index-url https://b/\n--index-url 'https://a/'\n"), "https://a/ ");
  EXPECT_EQ(urls("-ihttps://a/\n--no-index\n--pypi-url https://c/\n"), "none");
  EXPECT_EQ(urls("--ind https://a/ --no-ind\n"), "none");
  fails("-i a/b\n", "1:4", "no address of an index");
}

TEST(RequirementsTxt, ReadsOptionsThatChooseFiles) {
  TempDir dir;
  make_dirs(dir.path() / "wheels");
  EXPECT_EQ(parse_project(dir.path() / "pip-req.txt", "-f wheels\n--find-links=https://host/x\n-f elsewhere\n")
                .settings.find_links,
            (std::vector<std::string>{(dir.path() / "wheels").string(), "https://host/x", "elsewhere"}));
  ProjectSettings s = read("--no-binary A_b,c\n--only-binary c\n--pre\n").settings;
  EXPECT_EQ(s.no_binary, (std::vector<std::string>{"a-b"}));
  EXPECT_EQ(s.only_binary, (std::vector<std::string>{"c"}));
  EXPECT_EQ(s.prereleases, PrereleaseMode::allow);
  s = read("--no-binary a\n--only-binary :all:\n--only-final=:all:\n").settings;
  EXPECT_TRUE(s.no_binary.empty());
  EXPECT_EQ(s.only_binary, (std::vector<std::string>{":all:"}));
  EXPECT_EQ(s.prereleases, PrereleaseMode::disallow);
  EXPECT_TRUE(read("--no-binary :all:\n--no-binary :none:\n").settings.no_binary.empty());
  fails("--no-binary a,,b\n", "1:13", "no name of a package");
  fails("--all-releases a\n", "1:16", "`:all:` packages only");
}

TEST(RequirementsTxt, WarnsOfWhatHasNoEffect) {
  const ProjectFile p =
      read("--trusted-host h --prefer-binary\n--use-feature=x\na==1 --config-settings=\"--x=y\" --global-option=-v\n");
  ASSERT_EQ(p.warnings.size(), 5u);
  EXPECT_EQ(p.warnings[0], "pip-req.txt:1:1: `--trusted-host` is ignored: certificates are always checked");
  EXPECT_EQ(p.warnings[1].find("pip-req.txt:1:18: `--prefer-binary`"), 0u);
  EXPECT_EQ(p.warnings[3].find("pip-req.txt:3:6: `--config-settings`"), 0u);
}

TEST(RequirementsTxt, RefusesOptionsByName) {
  fails("--indx-url x\n", "1:1", "did you mean `--index-url`?");
  fails("-x y\n", "1:1", "`-x` is not known");
  fails("--pre=1\n", "1:1", "takes no value");
  fails("--no x\n", "1:1", "could be several");
  fails("--pre x\n", "1:7", "out of place");
  fails("a --pre\n", "1:3", "cannot follow a requirement");
  fails("--install-option=x\n", "1:1", "`--install-option` is not supported");
}

TEST(RequirementsTxt, RefusesFilesThatIncludeThemselvesByTheirNames) {
  TempDir dir;
  make_dirs(dir.path() / "sub");
  write_file_atomic(dir.path() / "sub" / "a.txt", "x\n-c b.txt\n");
  write_file_atomic(dir.path() / "sub" / "b.txt", "\n-r ./a.txt\n");
  const std::string said = failure("-r sub/a.txt\n", dir.path() / "pip-req.txt");
  EXPECT_EQ(said.find("sub/b.txt:2:1: `sub/a.txt` includes itself: sub/a.txt -> sub/b.txt -> sub/a.txt"), 0u) << said;
  write_file_atomic(dir.path() / "sub" / "b.txt", "y\n");
  // Twice is no circle.
  EXPECT_EQ(listing(parse_project(dir.path() / "pip-req.txt", "-r sub/a.txt\n-r sub/a.txt\n").requirements),
            "sub/a.txt:1 x\nsub/a.txt:1 x\n");
  for (int i = 0; i < 40; ++i) {
    write_file_atomic(dir.path() / (std::to_string(i) + ".txt"), "-r " + std::to_string(i + 1) + ".txt\n");
  }
  EXPECT_NE(failure("-r 0.txt\n", dir.path() / "pip-req.txt").find("too deeply"), std::string::npos);
}

TEST(RequirementsTxt, RefusesFilesThatAreNotThereOrNotHere) {
  fails("a\n-r nowhere.txt\n", "2:4", "`nowhere.txt` does not exist");
  fails("-chttps://host/x.txt\n", "1:3", "not fetched from the network");
}

TEST(RequirementsTxt, ConstraintsOnlyLimit) {
  TempDir dir;
  const Path path = dir.path() / "pip-req.txt";
  const auto constrained = [&](const std::string& text) {
    write_file_atomic(dir.path() / "c.txt", text);
    return failure("-c c.txt\n", path);
  };
  EXPECT_EQ(constrained("a<2\nb @ https://host/b.zip\n"), "");
  EXPECT_EQ(constrained("-e ./x\n").find("c.txt:1:1: a constraint cannot be editable"), 0u);
  EXPECT_EQ(constrained("./x\n").find("c.txt:1:1: a constraint needs a name"), 0u);
  EXPECT_EQ(constrained("a[x]<2\n").find("c.txt:1:1: a constraint cannot have extras"), 0u);
  write_file_atomic(dir.path() / "d.txt", "d<3\n");
  write_file_atomic(dir.path() / "c.txt", "-r d.txt\n");
  const ProjectFile p = parse_project(path, "-c c.txt\n");
  EXPECT_TRUE(p.requirements.empty());
  EXPECT_EQ(listing(p.constraints), "d.txt:1 d<3\n");
}

TEST(RequirementsTxt, FillsInVariablesInUpperCaseOnly) {
  const ScopedEnv version("DAE_TEST_VERSION_1", "1.5"), token("DAE_TEST_TOKEN", "s3cret word");
  EXPECT_EQ(listing("a==${DAE_TEST_VERSION_1}\n"), "pip-req.txt:1 a==1.5\n");
  EXPECT_EQ(
      read("-i https://u:${DAE_TEST_VERSION_1}@host/${unset}/$DAE/${DAE_TEST_NOT_SET}/\n").settings.indexes[0].url,
      "https://u:1.5@host/${unset}/$DAE/${DAE_TEST_NOT_SET}/");
  fails("a==1\nb==${DAE_TEST_VERSION_1} ${DAE_TEST_VERSION_1}\n", "2:2", "values of its variables");
  for (const char* text : {"a==${DAE_TEST_TOKEN}\n", "https://${DAE_TEST_TOKEN}@host/x.zip\n", "-i ${DAE_TEST_TOKEN}\n",
                           "-r ${DAE_TEST_TOKEN}.txt\n", "--x${DAE_TEST_TOKEN}\n", "-e ${DAE_TEST_TOKEN}\n",
                           "a --hash=${DAE_TEST_TOKEN}\n", "git+https://${DAE_TEST_TOKEN}@host/x#egg=a\n"}) {
    const std::string said = failure(text);
    EXPECT_NE(said, "") << text;
    EXPECT_EQ(said.find("s3cret"), std::string::npos) << said;
  }
}

TEST(RequirementsTxt, ReadsOtherEncodings) {
  EXPECT_EQ(listing("\xef\xbb\xbf"
                    "flask\n"),
            "pip-req.txt:1 flask\n");
  EXPECT_EQ(listing(std::string("\xff\xfe"
                                "a\0\n\0b\0",
                                8)),
            "pip-req.txt:1 a\npip-req.txt:2 b\n");
  EXPECT_EQ(listing("# -*- coding: latin-1 -*-\n# caf\xe9\nflask\n"), "pip-req.txt:3 flask\n");
  EXPECT_EQ(failure("# caf\xe9\n").find("pip-req.txt:1:6: a byte that is no character"), 0u);
  EXPECT_EQ(failure("# coding: koi8-r\n").find("pip-req.txt:1:1: the encoding `koi8-r`"), 0u);
}

std::string with(const std::string& text, const std::vector<std::string>& requirements) {
  ProjectFile project;
  project.path = kPath;
  return with_requirements(project, text, requirements);
}

std::string without(const std::string& text, const std::vector<std::string>& names) {
  ProjectFile project;
  project.path = kPath;
  return without_requirements(project, text, names);
}

TEST(RequirementsTxtEdit, TouchesOnlyItsLines) {
  EXPECT_EQ(with("# top\nflask>=2  # web\n\nb", {"flask>=3", "c"}), "# top\nflask>=3  # web\n\nb\nc\n");
  EXPECT_EQ(with("a\r\n", {"b"}), "a\r\nb\r\n");
  EXPECT_EQ(with("a \\", {"b"}), "a \\\n\nb\n");
  EXPECT_EQ(with("a<2; python_version<'3.9'\na>=2; python_version>='3.9'\n", {"a>=3"}), "a>=3\n");
  EXPECT_EQ(without("# top\nflask>=2 \\\n  --hash=sha256:aa\nb\n", {"flask"}), "# top\nb\n");
  EXPECT_THROW(without("b\n", {"c"}), Error);
}

TEST(RequirementsTxtEdit, KnowsEditablesPathsAndAddresses) {
  const std::string text =
      "-i https://u:p@host/\n-e git+https://host/a.git#egg=A  # fork\nhttps://host/b-1-py3-none-any.whl\n./c\n"
      "d @ https://host/d.zip --hash=sha256:aa\n-r more.txt\n--weird\n";
  EXPECT_EQ(with(text, {"a>=2"}), replace_all(text, "-e git+https://host/a.git#egg=A  #", "a>=2  #"));
  EXPECT_EQ(without(text, {"B", "./c"}),
            replace_all(replace_all(text, "https://host/b-1-py3-none-any.whl\n", ""), "./c\n", ""));
  EXPECT_EQ(with(text, {"d"}), text);
  EXPECT_EQ(with(text, {"-e ./e"}), text + "-e ./e\n");
  EXPECT_EQ(with(text, {"./c"}), text);
  EXPECT_EQ(with("d==1 \\\n  --hash=sha256:aa # x\ne\n", {"d==2"}), "d==2\ne\n");
  EXPECT_THROW(with(text, {"--pre"}), Error);
  EXPECT_THROW(with(text, {"no name"}), Error);
}

TEST(RequirementsTxtEdit, KeepsTheEncoding) {
  EXPECT_EQ(with("\xef\xbb\xbf"
                 "a\n",
                 {"b"}),
            "\xef\xbb\xbf"
            "a\nb\n");
  EXPECT_EQ(with(std::string("\xff\xfe"
                             "a\0\r\0\n\0",
                             8),
                 {"b"}),
            std::string("\xff\xfe"
                        "a\0\r\0\n\0b\0\r\0\n\0",
                        14));
  EXPECT_EQ(with("# coding: latin-1\n# caf\xe9\na\n", {"b"}), "# coding: latin-1\n# caf\xe9\na\nb\n");
}

}  // namespace
}  // namespace dae::resolver
