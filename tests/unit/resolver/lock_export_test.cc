// Locks as requirements files, and pins out of other tools' files.
#include "resolver/lock/export_requirements.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "resolver/lock/import_pins.h"

namespace dae::resolver {
namespace {

Target target(const std::string& python, const std::string& platform = "manylinux_2_36_x86_64") {
  Target out;
  out.python_version = python;
  out.python_full_version = python + ".0";
  out.platform = platform;
  return out;
}

LockedPackage package(const std::string& name, const std::string& version, char digit, const std::string& marker = "") {
  LockedPackage out;
  out.name = name;
  out.version = version;
  out.marker = marker;
  LockedFile wheel;
  wheel.name = name + "-" + version + "-py3-none-any.whl";
  wheel.url = "https://x.example/" + wheel.name;
  wheel.sha256 = std::string(64, digit);
  out.wheels = {wheel};
  return out;
}

Lock example() {
  Lock lock;
  lock.extras = {"docs"};
  lock.dependency_groups = {"dev"};
  lock.default_groups = {"dev"};
  lock.targets = {target("3.10"), target("3.11")};
  lock.packages = {package("flask", "3.1", 'a'), package("sphinx", "8.0", 'b', "'docs' in extras"),
                   package("pytest", "9.0", 'c', "'dev' in dependency_groups"),
                   package("tomli", "1.0", 'd', "python_version < '3.11'"),
                   package("tomli", "2.0", 'e', "python_version >= '3.11' and ('dev' in dependency_groups)")};
  lock.packages[0].dependencies = {"tomli"};
  lock.packages[2].dependencies = {"tomli"};
  return lock;
}

std::string hash(char digit) {
  return " \\\n    --hash=sha256:" + std::string(64, digit) + "\n";
}

TEST(ExportRequirements, PinsAndHashesAllTargetsWithMarkers) {
  ExportOptions options;
  EXPECT_EQ(export_requirements(example(), options), "flask==3.1" + hash('a') + "pytest==9.0" + hash('c') +
                                                         "tomli==1.0 ; python_version < '3.11'" + hash('d') +
                                                         "tomli==2.0 ; python_version >= '3.11'" + hash('e'));
  options.which = {{"docs"}, {}, false};
  EXPECT_EQ(export_requirements(example(), options),
            "flask==3.1" + hash('a') + "sphinx==8.0" + hash('b') + "tomli==1.0 ; python_version < '3.11'" + hash('d'));
}

TEST(ExportRequirements, IsForOneTargetWithoutMarkers) {
  ExportOptions options;
  options.target = target("3.11");
  options.hashes = false;
  EXPECT_EQ(export_requirements(example(), options), "flask==3.1\npytest==9.0\ntomli==2.0\n");
}

TEST(ExportRequirements, SettlesExtrasInLocksThatNameNoTargets) {
  Lock lock = example();
  lock.targets.clear();
  ExportOptions options;
  options.hashes = false;
  EXPECT_EQ(export_requirements(lock, options),
            "flask==3.1\npytest==9.0\ntomli==1.0 ; python_version < '3.11'\ntomli==2.0 ; python_version >= '3.11'\n");
  options.which.default_groups = false;
  EXPECT_EQ(export_requirements(lock, options), "flask==3.1\ntomli==1.0 ; python_version < '3.11'\n");
}

TEST(ExportRequirements, SaysWhoNeedsWhat) {
  ExportOptions options;
  options.hashes = false;
  options.via = true;
  options.target = target("3.11");
  options.roots["flask"] = {"pyproject.toml:3"};
  options.index_urls = {"https://user:secret@one.example/simple/", "https://two.example/simple/"};
  EXPECT_EQ(
      export_requirements(example(), options),
      "--index-url https://one.example/simple/\n--extra-index-url https://two.example/simple/\n"
      "flask==3.1\n    # via pyproject.toml:3\npytest==9.0\ntomli==2.0\n    # via\n    #   flask\n    #   pytest\n");
}

TEST(ExportRequirements, NamesSourcesExactlyAndWhichHaveNoHash) {
  Lock lock;
  LockedPackage git, folder, address;
  git.name = "from-git";
  git.vcs = LockedVcs{"git", "https://g.example/x.git", "", "main", std::string(40, 'c'), "sub"};
  folder.name = "in-tree";
  folder.directory = LockedDirectory{"lib", "", true};
  address = package("at-url", "1.0", 'a', "python_version < '3.11'");
  address.archive = address.wheels[0];
  address.wheels.clear();
  lock.packages = {address, git, folder};
  std::vector<std::string> unhashed;
  EXPECT_EQ(export_requirements(lock, {}, &unhashed),
            "at-url @ https://x.example/at-url-1.0-py3-none-any.whl ; python_version < '3.11'" + hash('a') +
                "from-git @ git+https://g.example/x.git@" + std::string(40, 'c') + "#subdirectory=sub\n-e ./lib\n");
  EXPECT_EQ(unhashed, (std::vector<std::string>{"from-git", "in-tree"}));
}

TEST(ExportRequirements, RefusesExtrasAndGroupsThatAreNotThere) {
  ExportOptions options;
  options.which.extras = {"nothing"};
  EXPECT_THROW(export_requirements(example(), options), Error);
  options.which = {{}, {"nothing"}, false};
  EXPECT_THROW(export_requirements(example(), options), Error);
}

std::string pins(const std::string& file, const std::string& text) {
  std::string out;
  for (const auto& [name, version] : import_pins_from(file, text)) out += name + " " + version.text() + "\n";
  return out;
}

std::string refusal(const std::string& file, const std::string& text) {
  try {
    import_pins_from(file, text);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(ImportPins, ReadsPoetryLocksOfBothFormats) {
  const std::string one =
      "[[package]]\nname = \"Flask\"\nversion = \"2.0\"\ncategory = \"main\"\noptional = false\n\n[[package]]\nname = "
      "\"mine\"\nversion = \"1.0\"\n[package.source]\ntype = \"git\"\nurl = \"https://x.example\"\n\n[[package]]\nname "
      "= "
      "\"corp\"\nversion = \"4\"\n[package.source]\ntype = \"legacy\"\nurl = "
      "\"https://i.example/simple\"\n\n[metadata]\n"
      "lock-version = \"1.1\"\n[metadata.files]\nFlask = []\n";
  EXPECT_EQ(pins("poetry.lock", one), "corp 4\nflask 2.0\n");
  const std::string two =
      "# made by hand\n\n[[package]]\nname = \"a.b\"\nversion = \"1.0\"\ngroups = [\"main\"]\nmarkers = "
      "\"python_version < "
      "'3.9'\"\nfiles = [{file = \"x\", hash = \"sha256:aa\"}]\n\n[[package]]\nname = \"a-b\"\nversion = \"1.2\"\n";
  EXPECT_EQ(pins("poetry.lock", two), "a-b 1.2\n");
}

TEST(ImportPins, ReadsUvAndPdmLocks) {
  const std::string uv =
      "version = 1\nrevision = 3\nrequires-python = \">=3.9\"\n\n[[package]]\nname = \"app\"\nversion = "
      "\"0.1\"\nsource = { "
      "editable = \".\" }\n\n[[package]]\nname = \"idna\"\nversion = \"3.7\"\nsource = { registry = "
      "\"https://i.example/simple\" }\n\n[[package]]\nname = \"dyn\"\nsource = { directory = \"x\" }\n";
  EXPECT_EQ(pins("uv.lock", uv), "idna 3.7\n");
  const std::string pdm =
      "[metadata]\nlock_version = \"4.5.0\"\n\n[[package]]\nname = \"idna\"\nversion = \"3.7\"\ngroups = "
      "[\"default\"]\n\n"
      "[[package]]\nname = \"repo\"\nversion = \"1\"\ngit = \"https://x.example\"\n";
  EXPECT_EQ(pins("pdm.lock", pdm), "idna 3.7\n");
  EXPECT_EQ(pins("whatever.lock", pdm), "idna 3.7\n");
}

TEST(ImportPins, ReadsPipfileLocks) {
  const std::string text = R"({"_meta": {"pipfile-spec": 6, "sources": []},
    "default": {"requests": {"version": "==2.31.0", "hashes": []}, "mine": {"git": "https://x", "ref": "abc"}},
    "develop": {"pytest": {"version": "==8.0"}, "any": {"version": "*"}}})";
  EXPECT_EQ(pins("Pipfile.lock", text), "pytest 8.0\nrequests 2.31.0\n");
}

TEST(ImportPins, ReadsRequirementsWithHashesCommentsAndOptions) {
  const std::string text =
      "#\n# made by a compiler\n#\n--index-url https://i.example/simple\nflask[async]==3.1.0 ; python_version < \"4\" "
      "\\\n"
      "    --hash=sha256:aa \\\n    --hash=sha256:bb\n    # via -r requirements.in\nWerkZeug===3.0\nrange>=1,<2\n"
      "wild==1.*\nat @ https://x.example/at-1.0.zip\n-e ./lib\n./other\nhttps://x.example/y-1-py3-none-any.whl\n";
  EXPECT_EQ(pins("requirements.txt", text), "flask 3.1.0\nwerkzeug 3.0\n");
}

TEST(ImportPins, FollowsIncludedRequirements) {
  TempDir dir;
  write_file_atomic(dir.path() / "base.txt", "a==1\n");
  write_file_atomic(dir.path() / "requirements.txt", "-r base.txt\nb==2\n--constraint=base.txt\n");
  EXPECT_EQ(import_pins(dir.path() / "requirements.txt").size(), 2u);
  write_file_atomic(dir.path() / "base.txt", "-r base.txt\n");
  EXPECT_THROW(import_pins(dir.path() / "requirements.txt"), Error);
  write_file_atomic(dir.path() / "requirements.txt", "a==1\n-r none.txt\n");
  try {
    import_pins(dir.path() / "requirements.txt");
    FAIL() << "there is no such file";
  } catch (const Error& error) {
    EXPECT_NE(error.subject().find("requirements.txt:2:1"), std::string::npos) << error.subject();
  }
}

TEST(ImportPins, ReadsForeignLocksOfTheStandard) {
  Lock lock = example();
  const std::string text = "# another tool's\n" + render_lock(lock);
  EXPECT_EQ(pins("pylock.dev.toml", text), "flask 3.1\npytest 9.0\nsphinx 8.0\ntomli 2.0\n");
  EXPECT_EQ(pins("some.toml", text), "flask 3.1\npytest 9.0\nsphinx 8.0\ntomli 2.0\n");
}

TEST(ImportPins, SaysWhereTheFaultIs) {
  EXPECT_NE(refusal("poetry.lock", "[[package]]\nname = \"a\"\nversion = \"one\"\n").find("poetry.lock:3:11"),
            std::string::npos);
  EXPECT_NE(refusal("uv.lock", "package = 1\n").find("uv.lock:1:11"), std::string::npos);
  EXPECT_NE(refusal("uv.lock", "[[package]]\nversion = \"1\"\n").find("name"), std::string::npos);
  EXPECT_NE(refusal("Pipfile.lock", "{\"default\": {\n\"a\": {\"version\": \"==x\"}}}").find("Pipfile.lock:2:"),
            std::string::npos);
  EXPECT_NE(refusal("Pipfile.lock", "{\"default\": []}"), "");
  EXPECT_NE(refusal("r.txt", "a==1\nnot a requirement\n").find("r.txt:2:1"), std::string::npos);
  EXPECT_NE(refusal("poetry.lock", "[[package]\n").find("poetry.lock:1:"), std::string::npos);
}

}  // namespace
}  // namespace dae::resolver
