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

std::string added(const std::string& text, const std::vector<std::string>& requirements, const Path& path = kToml,
                  const EditTarget& target = {}) {
  ProjectFile project;
  project.path = path;
  return with_requirements(project, text, requirements, target);
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

TEST(Project, ReadsExtrasAndGroupsWithTheirScopes) {
  const ProjectFile p =
      parse_project(kToml,
                    "[project]\nname = \"app\"\n[project.optional-dependencies]\nDev_Tools = [\"ruff\"]\n"
                    "[dependency-groups]\ntest = [\"pytest\"]\nall = [{include-group = \"Test\"}, \"mypy\"]\n");
  ASSERT_EQ(p.extras.size(), 1u);
  EXPECT_EQ(listing(requirements_of_extra(p, "dev.tools")), "pyproject.toml:4 ruff\n");
  EXPECT_EQ(p.extras.at("dev-tools")[0].scope, "extra:dev-tools");
  EXPECT_EQ(listing(requirements_of_group(p, "ALL")), "pyproject.toml:6 pytest\npyproject.toml:7 mypy\n");
  EXPECT_EQ(p.groups.at("all")[0].scope, "group:all");
  EXPECT_TRUE(p.dev.empty());
}

TEST(Project, ABrokenGroupFailsWhoAsksForItOnly) {
  const std::string text = "[project]\nname = \"app\"\n[dependency-groups]\nbad = [\"no!\"]\ngood = [\"x\"]\n";
  const ProjectFile p = parse_project(kToml, text);
  EXPECT_EQ(requirements_of_group(p, "good").size(), 1u);
  EXPECT_THROW(requirements_of_group(p, "bad"), Error);
  EXPECT_THROW(requirements_of_group(p, "godo"), Error);
  EXPECT_NE(failure(text + "[tool.dae]\ndefault-groups = [\"bad\"]\n").find("pyproject.toml:4:8"), std::string::npos);
}

TEST(Project, TakesItsOwnExtrasApart) {
  const ProjectFile p = parse_project(
      kToml,
      "[project]\nname = \"My.App\"\ndependencies = [\"my-app[web]; python_version < '4'\"]\n"
      "[project.optional-dependencies]\nweb = [\"flask\"]\ntest = [\"pytest; os_name == 'posix'\", \"my_app[all]\"]\n"
      "all = [\"my-app[web,test]\"]\n[dependency-groups]\ndev = [\"my-app[test]\", \"my-app\", \"ruff\"]\n");
  EXPECT_EQ(listing(p.requirements), "pyproject.toml:5 flask; python_version < \"4\"\n");
  EXPECT_EQ(listing(p.extras.at("all")), "pyproject.toml:6 pytest; os_name == \"posix\"\npyproject.toml:5 flask\n");
  EXPECT_EQ(listing(p.dev),
            "pyproject.toml:6 pytest; os_name == \"posix\"\npyproject.toml:5 flask\npyproject.toml:9 ruff\n");
  EXPECT_EQ(p.dev[0].scope, "group:dev");
  EXPECT_NE(failure("[project]\nname = \"a\"\ndependencies = [\"a[b]\"]\n").find("no extra `b`"), std::string::npos);
}

TEST(Project, RefusesWhatTheStandardsDo) {
  const std::string head = "[project]\nname = \"a\"\n";
  EXPECT_NE(failure(head + "dynamic = [\"dependencies\"]\n").find("pyproject.toml:3:12: the dependencies are dynamic"),
            std::string::npos);
  EXPECT_NE(failure(head + "dependencies = []\ndynamic = [\"dependencies\"]\n").find("a value too"), std::string::npos);
  EXPECT_EQ(parse_project(kToml, head + "dynamic = [\"optional-dependencies\", \"version\"]\n").warnings.size(), 1u);
  EXPECT_NE(failure("[project]\nname = \"a b\"\n").find("pyproject.toml:2:8"), std::string::npos);
  EXPECT_NE(failure(head + "requires-python = \"3.11\"\n").find("no version specifier"), std::string::npos);
  EXPECT_NE(failure(head + "dependencies = \"flask\"\n").find("must be a list"), std::string::npos);
  EXPECT_NE(failure(head + "[project.optional-dependencies]\na_b = []\nA-B = []\n").find("twice"), std::string::npos);
  EXPECT_NE(failure(head + "[project.optional-dependencies]\na = \"x\"\n").find("must be a list"), std::string::npos);
}

TEST(ProjectSettings, AreThoseOfToolDae) {
  const ProjectFile p = parse_project(
      kToml,
      "[project]\nname = \"a\"\n[tool.dae]\nconstraints = [\"x<2\"]\noverrides = [\"y==1\"]\n"
      "indexes = [{name = \"own\", url = \"https://own/simple/\"}, {name = \"gpu\", url = \"https://gpu/\", "
      "pinned-only = "
      "true}]\nfind-links = [\"wheels\"]\nprereleases = \"allow\"\nselection = \"lowest-direct\"\n"
      "exclude-newer = 2026-01-31\nno-binary = [\"Foo_Bar\"]\nonly-binary = \":all:\"\ndefault-groups = []\nno-index = "
      "true\n[tool.dae.index-of]\nTorch = \"gpu\"\n[tool.other]\nx = 1\n");
  EXPECT_EQ(listing(p.constraints), "pyproject.toml:4 x<2\n");
  EXPECT_EQ(listing(p.overrides), "pyproject.toml:5 y==1\n");
  const ProjectSettings& s = p.settings;
  ASSERT_EQ(s.indexes.size(), 2u);
  EXPECT_EQ(s.indexes[0].url, "https://own/simple/");
  EXPECT_TRUE(s.indexes[1].pinned_only);
  EXPECT_EQ(s.index_of, (std::map<std::string, std::string>{{"torch", "gpu"}}));
  EXPECT_EQ(s.find_links, (std::vector<std::string>{"wheels"}));
  EXPECT_EQ(s.prereleases, PrereleaseMode::allow);
  EXPECT_EQ(s.selection, Selection::lowest_direct);
  EXPECT_EQ(s.exclude_newer, "2026-01-31");
  EXPECT_EQ(s.no_binary, (std::vector<std::string>{"foo-bar"}));
  EXPECT_EQ(s.only_binary, (std::vector<std::string>{":all:"}));
  EXPECT_TRUE(s.default_groups.empty());
  EXPECT_TRUE(s.no_index);
}

TEST(ProjectSettings, AreCheckedWhereTheyStand) {
  const auto fails = [](const std::string& lines, const std::string& part) {
    const std::string text = failure("[project]\nname = \"a\"\n[tool.dae]\n" + lines + "\n");
    EXPECT_NE(text.find("pyproject.toml:"), std::string::npos) << lines;
    EXPECT_NE(text.find(part), std::string::npos) << text;
  };
  fails("constraint = []", "constraint");
  fails("selection = \"newest\"", "must be one of highest, lowest, lowest-direct");
  fails("prereleases = true", "string");
  fails("exclude-newer = \"soon\"", "no date");
  fails("exclude-newer = \"2026-13-01\"", "no date");
  fails("default-groups = [\"nope\"]", "no dependency group `nope`");
  fails("indexes = [{name = \"a\"}]", "url");
  fails("indexes = [{name = \"a\", url = \"ftp://x\"}]", "http");
  fails("indexes = [{name = \"a\", url = \"https://x\", pin = true}]", "pin");
  fails("indexes = [{name = \"a\", url = \"https://x\"}, {name = \"a\", url = \"https://y\"}]", "twice");
  fails("index-of = {x = \"nowhere\"}", "no index `nowhere`");
  fails("no-binary = [\"a b\"]", "no name");
  fails("overrides = [\"a b\"]", "column");
  for (const char* age : {"7 days", "12h", "1 week", "2026-01-31T00:00:00Z", "2026-01-31T00:00:00+01:00"}) {
    EXPECT_EQ(failure("[project]\nname = \"a\"\n[tool.dae]\nexclude-newer = \"" + std::string(age) + "\"\n"), "")
        << age;
  }
}

TEST(ProjectSources, TurnRequirementsToAddresses) {
  const ProjectFile p = parse_project(
      kToml,
      "[project]\nname = \"a\"\ndependencies = [\"Lib>=1; os_name == 'posix'\", \"web[x]\", \"hgp\", \"zip\", "
      "\"torch\"]\n"
      "[dependency-groups]\ndev = [\"lib\"]\n[tool.dae]\nindexes = [{name = \"gpu\", url = \"https://gpu/\"}]\n"
      "[tool.dae.sources]\nlib = {git = \"git@host:org/lib.git\", tag = \"v1\", subdirectory = \"py\"}\n"
      "web = {path = \"../web\", editable = true}\nhgp = {hg = \"https://host/hgp\"}\n"
      "zip = {url = \"https://host/zip.zip\"}\ntorch = {index = \"gpu\"}\nnobody = {path = \"x\"}\n");
  EXPECT_EQ(listing(p.requirements),
            "pyproject.toml:3 Lib @ git+ssh://git@host/org/lib.git@v1#subdirectory=py ; os_name == \"posix\"\n"
            "pyproject.toml:3 web[x] @ ../web\npyproject.toml:3 hgp @ hg+https://host/hgp\n"
            "pyproject.toml:3 zip @ https://host/zip.zip\npyproject.toml:3 torch\n");
  EXPECT_TRUE(p.requirements[1].editable);
  EXPECT_FALSE(p.requirements[0].editable);
  EXPECT_EQ(listing(p.dev), "pyproject.toml:5 lib @ git+ssh://git@host/org/lib.git@v1#subdirectory=py\n");
  EXPECT_EQ(p.settings.index_of.at("torch"), "gpu");
  ASSERT_EQ(p.warnings.size(), 1u);
  EXPECT_NE(p.warnings[0].find("`nobody`"), std::string::npos);
}

TEST(ProjectSources, AreChecked) {
  const auto fails = [](const std::string& source, const std::string& part) {
    const std::string text =
        failure("[project]\nname = \"a\"\ndependencies = [\"x\"]\n[tool.dae.sources]\nx = " + source + "\n");
    EXPECT_NE(text.find(part), std::string::npos) << text;
  };
  fails("\"https://x\"", "must be a table");
  fails("{}", "must have one of");
  fails("{git = \"https://h/x\", path = \"x\"}", "must have one of");
  fails("{git = \"https://h/x\", rev = \"a\", branch = \"b\"}", "only one of");
  fails("{git = \"https://h/x\", editable = true}", "editable");
  fails("{git = \"somewhere\"}", "no address");
  fails("{index = \"own\"}", "no index `own`");
  fails("{path = \"x\", editabel = true}", "`editabel`");
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

TEST(ProjectEdit, AddsToGroupsAndExtrasThatAreThere) {
  const EditTarget test{EditTarget::Kind::group, "Test-x"}, web{EditTarget::Kind::extra, "web"};
  EXPECT_EQ(
      added("[project]\nname = \"x\"\n[dependency-groups]\n\"test.x\" = [\"a\"] # c\nb = []\n", {"d"}, kToml, test),
      "[project]\nname = \"x\"\n[dependency-groups]\n\"test.x\" = [\"a\", \"d\"] # c\nb = []\n");
  EXPECT_EQ(added("[project]\noptional-dependencies.web = [\"a\"]\n", {"d"}, kToml, web),
            "[project]\noptional-dependencies.web = [\"a\", \"d\"]\n");
  EXPECT_EQ(added("[project]\noptional-dependencies = { x = [], web = [\"a\"] }\n", {"d"}, kToml, web),
            "[project]\noptional-dependencies = { x = [], web = [\"a\", \"d\"] }\n");
  EXPECT_EQ(added("[project]\n[project.optional-dependencies]\nweb = ['a>=1']\n", {"a>=2"}, kToml, web),
            "[project]\n[project.optional-dependencies]\nweb = ['a>=2']\n");
}

TEST(ProjectEdit, MakesGroupsAndExtrasThatAreMissing) {
  const EditTarget dev{EditTarget::Kind::group, "dev"}, web{EditTarget::Kind::extra, "w.b"};
  EXPECT_EQ(added("[project]\nname = \"x\"\n", {"a"}, kToml, dev),
            "[project]\nname = \"x\"\n\n[dependency-groups]\ndev = [\n    \"a\",\n]\n");
  EXPECT_EQ(added("[project]\nname = \"x\"\n[tool.x]\na = 1", {"a"}, kToml, dev),
            "[project]\nname = \"x\"\n[tool.x]\na = 1\n\n[dependency-groups]\ndev = [\n    \"a\",\n]\n");
  EXPECT_EQ(added("[project]\nname = \"x\"\n[dependency-groups]\n\n[tool.x]\n", {"a"}, kToml, dev),
            "[project]\nname = \"x\"\n[dependency-groups]\ndev = [\n    \"a\",\n]\n\n[tool.x]\n");
  EXPECT_EQ(added("[project]\r\nname = \"x\"\r\n\r\n[tool.x]\r\n", {"a"}, kToml, web),
            "[project]\r\nname = \"x\"\r\n\r\n[project.optional-dependencies]\r\n\"w.b\" = [\r\n    "
            "\"a\",\r\n]\r\n\r\n[tool.x]\r\n");
  EXPECT_EQ(added("[project]\noptional-dependencies.x = []\n", {"a"}, kToml, web),
            "[project]\noptional-dependencies.x = []\noptional-dependencies.\"w.b\" = [\n    \"a\",\n]\n");
}

TEST(ProjectEdit, RefusesFormsItCannotExtend) {
  const EditTarget dev{EditTarget::Kind::group, "dev"}, web{EditTarget::Kind::extra, "web"};
  EXPECT_THROW(added("dependency-groups.x = []\n[project]\nname = \"x\"\n", {"a"}, kToml, dev), Error);
  EXPECT_THROW(added("[project]\noptional-dependencies = {}\n", {"a"}, kToml, web), Error);
  EXPECT_THROW(added("project.name = \"x\"\n", {"a"}, kToml, web), Error);
  EXPECT_THROW(added("a\n", {"b"}, "pip-req.txt", dev), Error);
  EXPECT_THROW(added("[project]\nname = \"x\"\n", {"a"}, kToml, {EditTarget::Kind::group, "a b"}), Error);
}

TEST(ProjectEdit, TakesNoOtherSpellingForTheListOfDependencies) {
  EXPECT_EQ(added("[project]\nname = \"x\"\nDependencies = []\n", {"a"}, kToml, {}),
            "[project]\nname = \"x\"\nDependencies = []\ndependencies = [\n    \"a\",\n]\n");
}

TEST(ProjectEdit, RemovesFromTheListThatIsNamed) {
  ProjectFile project;
  project.path = kToml;
  const std::string text = "[project]\ndependencies = [\"a\"]\n[project.optional-dependencies]\nweb = [\"a\", \"b\"]\n";
  EXPECT_EQ(without_requirements(project, text, {"A"}, EditTarget{EditTarget::Kind::extra, "Web"}),
            "[project]\ndependencies = [\"a\"]\n[project.optional-dependencies]\nweb = [\"b\"]\n");
  EXPECT_THROW(without_requirements(project, text, {"a"}, EditTarget{EditTarget::Kind::group, "web"}), Error);
}

}  // namespace
}  // namespace dae::resolver
