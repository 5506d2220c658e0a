#include "resolver/lock/project.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/strings.h"

namespace dae::resolver {
namespace {

const Path kToml = "app/pyproject.toml";

std::string listing(const std::vector<RootRequirement>& roots) {
  std::string out;
  for (const RootRequirement& root : roots) out += root.origin + " " + root.requirement.text() + "\n";
  return out;
}

std::string added(const std::string& text, const std::vector<std::string>& requirements, const Path& path = kToml) {
  ProjectFile project;
  project.path = path;
  return with_requirements(project, text, requirements);
}

std::string removed(const std::string& text, const std::vector<std::string>& names, const Path& path = kToml) {
  ProjectFile project;
  project.path = path;
  return without_requirements(project, text, names);
}

std::string failure(const std::string& text, const Path& path = kToml) {
  try {
    parse_project(path, text);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Project, ReadsDependenciesWithTheirLines) {
  const ProjectFile p =
      parse_project(kToml,
                    "[project]\nname = \"app\"\nversion = \"1.2\"\nrequires-python = \">=3.11\"\n"
                    "dependencies = [\n  \"flask>=3\",  # web\n  'tomli; python_version < \"3.11\"',\n]\n");
  EXPECT_EQ(p.name, "app");
  EXPECT_EQ(p.version, "1.2");
  EXPECT_EQ(p.requires_python, ">=3.11");
  ASSERT_EQ(p.requirements.size(), 2u);
  EXPECT_EQ(p.requirements[0].origin, "pyproject.toml:6");
  EXPECT_EQ(p.requirements[1].origin, "pyproject.toml:7");
}

TEST(Project, ExpandsTheDevGroup) {
  const ProjectFile p =
      parse_project(kToml,
                    "[project]\nname = \"app\"\n[dependency-groups]\nTest = [\"pytest\"]\n"
                    "dev = [\"ruff\", {include-group = \"test\"}]\nbroken = [\"not a requirement!\"]\n");
  EXPECT_EQ(listing(p.dev), "pyproject.toml:5 ruff\npyproject.toml:4 pytest\n");
}

TEST(Project, RefusesGroupsThatGoRoundOrAreNotThere) {
  const std::string head = "[project]\nname = \"app\"\n[dependency-groups]\n";
  EXPECT_NE(
      failure(head + "dev = [{include-group = \"a\"}]\na = [{include-group = \"dev\"}]\n").find("includes itself"),
      std::string::npos);
  EXPECT_NE(failure(head + "dev = [{include-group = \"a\"}]\n").find("no group `a`"), std::string::npos);
  EXPECT_NE(failure(head + "dev = []\nDEV = []\n").find("twice"), std::string::npos);
}

TEST(Project, SaysWhereABadRequirementStands) {
  EXPECT_NE(failure("[project]\nname = \"a\"\ndependencies = [\n  \"fl ask\",\n]\n").find("pyproject.toml:4:3"),
            std::string::npos);
}

TEST(Project, PrefersPyprojectWithAProjectTable) {
  TempDir dir;
  EXPECT_THROW(read_project(dir.path()), Error);
  write_file_atomic(dir.path() / "pip-req.txt", "flask\n");
  EXPECT_EQ(read_project(dir.path()).path.filename(), "pip-req.txt");
  write_file_atomic(dir.path() / "pyproject.toml", "[tool.black]\n");
  EXPECT_EQ(read_project(dir.path()).path.filename(), "pip-req.txt");
  write_file_atomic(dir.path() / "pyproject.toml", "[project]\nname = \"a\"\n");
  EXPECT_EQ(read_project(dir.path()).path.filename(), "pyproject.toml");
}

TEST(RequirementsTxt, ReadsCommentsContinuationsHashesAndIncludedFiles) {
  TempDir dir;
  make_dirs(dir.path() / "more");
  write_file_atomic(dir.path() / "more" / "base.txt", "\nwerkzeug>=3\n");
  write_file_atomic(dir.path() / "limits.txt", "jinja2<4\n");
  const ProjectFile p = parse_project(dir.path() / "pip-req.txt",
                                      "# web\nflask>=3 \\\n  --hash=sha256:aa \\\n  --hash=sha256:bb  # pinned\n\n"
                                      "-r more/base.txt\n--constraint=limits.txt\ntomli; python_version < '3.11'\n"
                                      "a @ https://x.example/a-1.zip#egg=a\n");
  EXPECT_EQ(listing(p.requirements),
            "pip-req.txt:2 flask>=3\nmore/base.txt:2 werkzeug>=3\n"
            "pip-req.txt:8 tomli; python_version < \"3.11\"\npip-req.txt:9 a @ https://x.example/a-1.zip#egg=a\n");
  EXPECT_EQ(listing(p.constraints), "limits.txt:1 jinja2<4\n");
}

TEST(RequirementsTxt, RefusesWhatItCannotHonour) {
  const Path path = "pip-req.txt";
  EXPECT_NE(failure("flask\n-e git+https://x.example/a#egg=a\n", path).find("pip-req.txt:2"), std::string::npos);
  EXPECT_NE(failure("-e .\n", path).find("not supported yet"), std::string::npos);
  EXPECT_NE(failure("git+https://x.example/a.git\n", path).find("not supported yet"), std::string::npos);
  EXPECT_NE(failure("--index-url https://x.example/simple\n", path).find("an index is not chosen"), std::string::npos);
  EXPECT_NE(failure("-i https://x.example/simple\n", path).find("an index is not chosen"), std::string::npos);
  EXPECT_NE(failure("--pre\n", path).find("`--pre` is not supported"), std::string::npos);
  EXPECT_NE(failure("./local\n", path).find("not supported"), std::string::npos);
  EXPECT_NE(failure("flask --config-settings=x\n", path).find("only --hash"), std::string::npos);
  EXPECT_NE(failure("-r nowhere.txt\n", path).find("does not exist"), std::string::npos);
}

TEST(RequirementsTxt, RefusesFilesThatIncludeThemselves) {
  TempDir dir;
  write_file_atomic(dir.path() / "pip-req.txt", "-r pip-req.txt\n");
  EXPECT_THROW(read_project(dir.path()), Error);
}

TEST(ProjectEdit, AddsToAnArrayOfSeveralLines) {
  EXPECT_EQ(
      added("[project]\ndependencies = [\n  'flask>=3',  # web\n  'jinja2' # last\n]  # end\n[tool.x]\n", {"redis"}),
      "[project]\ndependencies = [\n  'flask>=3',  # web\n  'jinja2', # last\n  'redis',\n]  # end\n[tool.x]\n");
}

TEST(ProjectEdit, AddsToAnArrayOfOneLine) {
  EXPECT_EQ(added("[project]\ndependencies = [\"a\", \"b\"] # c\n", {"c[x]>=1"}),
            "[project]\ndependencies = [\"a\", \"b\", \"c[x]>=1\"] # c\n");
  EXPECT_EQ(added("[project]\ndependencies = [\"a\",]\n", {"c"}), "[project]\ndependencies = [\"a\", \"c\",]\n");
}

TEST(ProjectEdit, AddsToAnEmptyArrayAndKeepsWindowsLineBreaks) {
  EXPECT_EQ(added("[project]\r\ndependencies = []\r\n", {"a", "b"}),
            "[project]\r\ndependencies = [\r\n    \"a\",\r\n    \"b\",\r\n]\r\n");
  EXPECT_EQ(added("[project]\ndependencies = [\n    # none yet\n]\n", {"a"}),
            "[project]\ndependencies = [\n    # none yet\n    \"a\",\n]\n");
}

TEST(ProjectEdit, AddsTheKeyWhenItIsMissing) {
  EXPECT_EQ(added("[project]\nname = \"x\"\n\n[project.scripts]\na = \"b\"\n", {"flask"}),
            "[project]\nname = \"x\"\ndependencies = [\n    \"flask\",\n]\n\n[project.scripts]\na = \"b\"\n");
  EXPECT_EQ(added("[project]\nname = \"x\"", {"flask"}),
            "[project]\nname = \"x\"\ndependencies = [\n    \"flask\",\n]\n");
}

TEST(ProjectEdit, ReplacesTheLineOfThePackage) {
  const std::string text = "[project]\ndependencies = [\n  \"Flask_X>=2\", # web\n  \"b\",\n]\n";
  EXPECT_EQ(added(text, {"flask-x>=3"}), "[project]\ndependencies = [\n  \"flask-x>=3\", # web\n  \"b\",\n]\n");
  EXPECT_EQ(added(text, {"flask.x"}), text) << "a bare name does not forget the bound";
}

TEST(ProjectEdit, ReplacesTheEntryWithTheSameMarker) {
  const std::string text =
      "[project]\ndependencies = [\n  \"a<2; python_version < '3.11'\",\n  \"a>=2; python_version >= '3.11'\",\n]\n";
  EXPECT_EQ(
      added(text, {"a>=3; python_version >= '3.11'"}),
      "[project]\ndependencies = [\n  \"a<2; python_version < '3.11'\",\n  \"a>=3; python_version >= '3.11'\",\n]\n");
  EXPECT_EQ(added(text, {"a>=4"}), "[project]\ndependencies = [\n  \"a>=4\",\n]\n");
}

TEST(ProjectEdit, ChoosesQuotesThatNeedNoEscapes) {
  EXPECT_EQ(added("[project]\ndependencies = ['a']\n", {"b; sys_platform == 'linux'"}),
            "[project]\ndependencies = ['a', \"b; sys_platform == 'linux'\"]\n");
  EXPECT_EQ(added("[project]\ndependencies = []\n", {"b; sys_platform == \"linux\""}),
            "[project]\ndependencies = [\n    'b; sys_platform == \"linux\"',\n]\n");
}

TEST(ProjectEdit, RemovesLinesAndItems) {
  EXPECT_EQ(removed("[project]\ndependencies = [\n  # web\n  \"flask\", # the web\n  \"b\"\n]\n", {"Flask"}),
            "[project]\ndependencies = [\n  # web\n  \"b\"\n]\n");
  EXPECT_EQ(removed("[project]\ndependencies = [\"a\", \"b\", \"c\"]\n", {"b"}),
            "[project]\ndependencies = [\"a\", \"c\"]\n");
  EXPECT_EQ(removed("[project]\ndependencies = [\"a\", \"b\"]\n", {"b"}), "[project]\ndependencies = [\"a\"]\n");
  EXPECT_EQ(removed("[project]\ndependencies = [\"a\", \"b\"]\n", {"a", "b"}), "[project]\ndependencies = []\n");
  EXPECT_EQ(removed("[project]\r\ndependencies = [\r\n\"a\",\r\n\"b\"]\r\n", {"b"}),
            "[project]\r\ndependencies = [\r\n\"a\"]\r\n");
}

TEST(ProjectEdit, RemovesFromTheDevGroupToo) {
  EXPECT_EQ(
      removed("[project]\nname=\"x\"\n[dependency-groups]\ndev = [\"a\", {include-group = \"t\"}]\nt = []\n", {"a"}),
      "[project]\nname=\"x\"\n[dependency-groups]\ndev = [{include-group = \"t\"}]\nt = []\n");
  EXPECT_THROW(removed("[project]\ndependencies = [\"a\"]\n", {"zope"}), Error);
}

TEST(ProjectEdit, IsNotLedAstrayByLookalikes) {
  const std::string text =
      "[tool.x]\ndependencies = [\"no\"]\n[project]\ndescription = \"\"\"\ndependencies = [\"no\"]\n[project]\n\"\"\"\n"
      "\"dependencies\" = [\"yes\"] # dependencies = []\n[[project.x]]\ndependencies = [\"no\"]\n";
  EXPECT_EQ(added(text, {"new"}), replace_all(text, "\"yes\"", "\"yes\", \"new\""));
}

TEST(ProjectEdit, RefusesDynamicDependencies) {
  EXPECT_THROW(added("[project]\nname = \"x\"\ndynamic = [\"dependencies\"]\n", {"a"}), Error);
}

TEST(ProjectEdit, TouchesOnlyItsLinesOfRequirementsTxt) {
  const Path path = "pip-req.txt";
  EXPECT_EQ(added("# top\nflask>=2  # web\n\nb", {"flask>=3", "c"}, path), "# top\nflask>=3  # web\n\nb\nc\n");
  EXPECT_EQ(added("a\r\n", {"b"}, path), "a\r\nb\r\n");
  EXPECT_EQ(added("a \\", {"b"}, path), "a \\\n\nb\n");
  EXPECT_EQ(added("a<2; python_version<'3.9'\na>=2; python_version>='3.9'\n", {"a>=3"}, path), "a>=3\n");
  EXPECT_EQ(removed("# top\nflask>=2 \\\n  --hash=sha256:aa\nb\n", {"flask"}, path), "# top\nb\n");
  EXPECT_THROW(removed("b\n", {"c"}, path), Error);
}

}  // namespace
}  // namespace dae::resolver
