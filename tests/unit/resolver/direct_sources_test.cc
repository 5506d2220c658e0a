// From a written reference to name, version, metadata and pin; and on into an environment.
#include <algorithm>

#include "environment_fixture.h"
#include "fake_index.h"
#include "git_fixture.h"
#include "resolver/install/build.h"
#include "resolver/source/direct.h"
#include "resolver/standards/metadata.h"

namespace dae::resolver {
namespace {

using dae::testing::error_of;
using dae::testing::make_zip;
using testing::EnvironmentFixture;
using testing::FakeIndex;
using testing::GitFolder;
using testing::ScopedEnv;
using testing::self_building;
using testing::WheelBuilder;

// A build back end in the tree of the project itself; counts its calls beside the cache.
constexpr const char* kBackend = R"(
import base64, hashlib, os, zipfile
def make(folder, files):
    name = "x-1.0-py3-none-any.whl"
    info = {"WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            "METADATA": "Metadata-Version: 2.1\nName: x\nVersion: 1.0\nRequires-Dist: y>=2\n\n"}
    files = dict(files, **{"x-1.0.dist-info/" + k: v for k, v in info.items()})
    rows = "".join("%s,sha256=%s,%d\n" % (k, base64.urlsafe_b64encode(hashlib.sha256(v.encode()).digest()).decode().rstrip("="), len(v))
                   for k, v in files.items())
    files["x-1.0.dist-info/RECORD"] = rows + "x-1.0.dist-info/RECORD,,\n"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as archive:
        for k, v in files.items():
            archive.writestr(k, v)
    with open(os.environ["BUILD_LOG"], "a") as log:
        log.write("built\n")
    return name
def build_wheel(folder, config_settings=None, metadata_directory=None):
    return make(folder, {"x.py": open("x.py").read()})
def build_editable(folder, config_settings=None, metadata_directory=None):
    return make(folder, {"x.pth": os.getcwd() + "\n"})
)";

class DirectTest : public EnvironmentFixture {
 protected:
  DirectTest() { sources_ = sources(); }

  std::unique_ptr<DirectSources> sources(bool offline = false) {
    DirectOptions options;
    options.base_dir = dir_.path() / "app";
    options.cache_dir = dir_.path() / "source-cache";
    options.offline = offline;
    options.build_metadata = source_metadata_builder(builder(offline));
    return make_direct_sources(*transport_, *blobs_, *runner_, options, events_);
  }
  const DirectSource& resolve(const std::string& url, bool editable = false, const std::string& name = "") {
    return sources_->resolve(url, editable, name);
  }
  // What the lock says of it, as fetch_selected() is given it.
  static Selected locked(const DirectSource& source) {
    Selected out;
    out.name = source.name;
    out.direct = true;
    out.subdirectory = source.subdirectory;
    if (source.kind == DirectSource::Kind::vcs) {
      out.vcs = LockedVcs{source.vcs, source.url, "", source.requested_revision, source.commit_id, source.subdirectory};
    } else if (source.kind == DirectSource::Kind::directory) {
      out.directory = LockedDirectory{source.path, source.subdirectory, source.editable};
    } else {
      out.version = source.version;
      out.file.name = source.file_name;
      out.file.url = source.url;
      out.file.path = source.path;
      out.file.sha256 = source.sha256;
      out.is_wheel = source.kind == DirectSource::Kind::wheel;
    }
    return out;
  }
  std::vector<WheelToInstall> fetch(const std::vector<Selected>& wanted, bool offline = false) {
    FetchOptions options;
    options.offline = offline;
    options.base_dir = dir_.path() / "app";
    options.builder = &builder(offline);
    return fetch_selected(wanted, python_, *transport_, *blobs_, dir_.path() / "source-cache", *runner_, events_,
                          options);
  }
  std::string direct_url_of(const std::string& dist_info = "x-1.0.dist-info") {
    return read_file(site() / dist_info / "direct_url.json");
  }
  GitFolder project(const std::string& name) {
    GitFolder out(dir_.path() / name, *runner_);
    out.file("pyproject.toml", self_building("x", "1.0") + "dependencies = [\"y>=2\"]\n");
    out.file("backend.py", kBackend).file("x.py", "VALUE = 1\n");
    return out;
  }
  void write(const std::string& name, const std::string& text) {
    const Path path = dir_.path() / "app" / name;
    make_dirs(path.parent_path());
    write_file_atomic(path, text);
  }
  size_t builds() const {
    const std::string log = read_file_if_exists(dir_.path() / "log").value_or("");
    return static_cast<size_t>(std::ranges::count(log, '\n'));
  }
  // Not shut in: the back ends count their calls in a file beside the cache.
  SourceBuilder& builder(bool offline) {
    BuildSetup setup;
    setup.offline = offline;
    setup.base_dir = dir_.path() / "app";
    BuildSettings settings;
    settings.sandbox = BuildSettings::Sandbox::off;
    settings.pass_env = {"BUILD_LOG"};
    setup.sandbox = std::make_shared<BuildSandbox>(settings);
    builders_.push_back(std::make_unique<SourceBuilder>(python_, *transport_, *blobs_, dir_.path() / "source-cache",
                                                        *runner_, events_, setup));
    return *builders_.back();
  }

  ScopedEnv no_global_{"GIT_CONFIG_GLOBAL", "/dev/null"};
  ScopedEnv log_{"BUILD_LOG", (dir_.path() / "log").string()};
  FakeIndex index_;
  std::unique_ptr<Transport> transport_ = [] {
    HttpClientOptions options;
    options.retry_base_ms = 1;
    return make_http_client(options);
  }();
  std::vector<std::unique_ptr<SourceBuilder>> builders_;
  std::unique_ptr<DirectSources> sources_;
};

TEST_F(DirectTest, AStaticProjectIsReadWithoutABuild) {
  GitFolder repo(dir_.path() / "repo", *runner_);
  repo.file("py/pyproject.toml",
            "[project]\nname = \"My_Pkg\"\nversion = \"1.2\"\nrequires-python = \">=3.8\"\n"
            "dependencies = [\"y>=2; os_name == 'posix'\", \"z @ https://h/z.zip\"]\n"
            "[project.optional-dependencies]\nFast_Mode = [\"w\", \"v<3; python_version > '3'\"]\n");
  const std::string commit = repo.commit();
  const DirectSource& source = resolve("git+" + repo.url() + "@main#egg=my-pkg&subdirectory=py", true, "my-pkg");
  EXPECT_EQ(source.kind, DirectSource::Kind::vcs);
  EXPECT_EQ(source.name, "my-pkg");
  EXPECT_EQ(source.version, "1.2");
  EXPECT_EQ(source.commit_id, commit);
  EXPECT_EQ(source.requested_revision, "main");
  EXPECT_EQ(source.url, repo.url());
  EXPECT_EQ(source.subdirectory, "py");
  EXPECT_FALSE(source.editable) << "a commit is not edited";
  EXPECT_TRUE(exists(source.local / "pyproject.toml"));
  const CoreMetadata metadata = parse_core_metadata(source.metadata, "x");
  EXPECT_EQ(metadata.requires_python, ">=3.8");
  EXPECT_EQ(metadata.provides_extra, std::vector<std::string>{"fast-mode"});
  EXPECT_EQ(metadata.requires_dist,
            (std::vector<std::string>{"y>=2; os_name == 'posix'", "z @ https://h/z.zip", "w; extra == \"fast-mode\"",
                                      "v<3; (python_version > '3') and extra == \"fast-mode\""}));
  EXPECT_EQ(&resolve("git+" + repo.url() + "@main#egg=my-pkg&subdirectory=py", true, "my-pkg"), &source);
}

TEST_F(DirectTest, ANameOtherThanTheExpectedOneIsAnErrorWithBoth) {
  write("lib/pyproject.toml", "[project]\nname = \"right\"\nversion = \"1\"\n");
  const Error error = error_of([&] { resolve("./lib", false, "wrong"); });
  EXPECT_EQ(error.kind(), ErrorKind::bad_input);
  EXPECT_EQ(error.message(), "the project there is `right`, not `wrong`");
  EXPECT_EQ(error_of([&] { resolve("./lib#egg=other"); }).message(), "the project there is `right`, not `other`");
  EXPECT_EQ(resolve("./lib", true, "right").path, "./lib");
  EXPECT_TRUE(resolve("./lib", true, "right").editable);
}

TEST_F(DirectTest, WhatIsNoProjectIsSaidSo) {
  make_dirs(dir_.path() / "app/empty");
  write("plain.txt", "x");
  EXPECT_EQ(error_of([&] { resolve("./empty"); }).message(), "no Python project is there");
  EXPECT_EQ(error_of([&] { resolve("./nowhere"); }).kind(), ErrorKind::not_found);
  EXPECT_EQ(error_of([&] { resolve("./plain.txt"); }).kind(), ErrorKind::bad_input);
  write("bad/pyproject.toml", "[project]\nname = \"a\"\nversion = \"1\"\ndependencies = [\"y >\"]\n");
  const Error broken = error_of([&] { resolve("./bad"); });
  EXPECT_EQ(broken.kind(), ErrorKind::bad_input);
  EXPECT_NE(broken.subject().find("pyproject.toml:4:"), std::string::npos) << broken.what();
  write("old/pyproject.toml", "[project]\nname = \"a\"\nversion = \"one\"\n");
  EXPECT_NE(error_of([&] { resolve("./old"); }).message().find("no valid version"), std::string::npos);
}

TEST_F(DirectTest, WheelsAndArchivesAtAUrlAreKeptAndAskedForConditionally) {
  WheelBuilder wheel("x", "1.0");
  wheel.file("x.py", "");
  FakeIndex::Entry entry{ServerResponse::text(200, wheel.bytes(), "application/octet-stream"), false,
                         "Wed, 21 Oct 2015 07:28:00 GMT"};
  index_.set("/" + wheel.file_name(), entry);
  const std::string url = index_.url() + "/" + wheel.file_name();
  EXPECT_EQ(resolve(url).kind, DirectSource::Kind::wheel);
  EXPECT_EQ(resolve(url).sha256, Digest::of(wheel.bytes()).hex());
  EXPECT_EQ(index_.asked(), 1);
  sources_ = sources();
  EXPECT_EQ(resolve(url).version, "1.0");
  EXPECT_EQ(index_.last_header("/" + wheel.file_name(), "If-Modified-Since"), entry.last_modified);
  sources_ = sources(true);
  EXPECT_EQ(resolve(url).name, "x") << "offline as it was last seen";
  EXPECT_EQ(index_.asked(), 2);
  EXPECT_EQ(error_of([&] { resolve(index_.url() + "/y-1.0-py3-none-any.whl"); }).kind(), ErrorKind::refused);

  sources_ = sources();
  const std::string hash = "#sha256=" + Digest::of(wheel.bytes()).hex();
  resolve(url + hash);
  EXPECT_EQ(index_.asked(), 2) << "a file that is known by its digest is not asked for";
  index_.set_text("/z-1.0.zip", make_zip({{"z-1.0/PKG-INFO", "Metadata-Version: 2.2\nName: z\nVersion: 1.0\n"},
                                          {"z-1.0/pyproject.toml", "[build-system]\nrequires = []\n"}}));
  EXPECT_EQ(resolve(index_.url() + "/z-1.0.zip").name, "z");
  const Error altered = error_of([&] { resolve(index_.url() + "/z-1.0.zip#sha256=" + std::string(64, '1')); });
  EXPECT_EQ(altered.kind(), ErrorKind::verification);
  EXPECT_EQ(error_of([&] { resolve(index_.url() + "/gone.zip"); }).kind(), ErrorKind::not_found);
  EXPECT_EQ(error_of([&] { resolve(index_.url() + "/page.html"); }).kind(), ErrorKind::bad_input);
  EXPECT_EQ(error_of([&] { resolve(url, true); }).kind(), ErrorKind::bad_input);
}

TEST_F(DirectTest, AnArchiveThatWritesOutsideIsRefused) {
  write("evil-1.0.zip",
        make_zip({{"evil-1.0/pyproject.toml", "[project]\nname='evil'\nversion='1.0'\n"}, {"../../evil.py", "evil"}}));
  const Error error = error_of([&] { resolve("./evil-1.0.zip"); });
  EXPECT_EQ(error.kind(), ErrorKind::bad_input);
  EXPECT_NE(error.subject().find("evil-1.0.zip"), std::string::npos) << error.what();
}

// PEP 721; "Source distribution format".
TEST_F(DirectTest, AnArchiveHasOneTopAndNamesWithoutLeadingSlashes) {
  const std::string project = "[project]\nname='a'\nversion='1.0'\n";
  write("slashes-1.0.zip", make_zip({{"/a-1.0/pyproject.toml", project}, {"//a-1.0/a.py", ""}}));
  EXPECT_EQ(resolve("./slashes-1.0.zip").name, "a");
  write("flat-1.0.zip", make_zip({{"pyproject.toml", project}, {"a.py", ""}}));
  EXPECT_EQ(resolve("./flat-1.0.zip").name, "a") << "no sdist, but a project";
  write("two-1.0.zip", make_zip({{"a-1.0/pyproject.toml", project}, {"b/c.py", ""}, {"/d/e.py", ""}}));
  const Error two = error_of([&] { resolve("./two-1.0.zip"); });
  EXPECT_EQ(two.kind(), ErrorKind::bad_input);
  EXPECT_NE(two.message().find("one directory at its top"), std::string::npos) << two.message();
  EXPECT_EQ(two.cause(), "it has `a-1.0`, `b`, `d`");
  write("none-1.0.zip", make_zip({{"a.py", ""}}));
  EXPECT_EQ(error_of([&] { resolve("./none-1.0.zip"); }).cause(), "it has `a.py`");
}

TEST_F(DirectTest, ARepositoryIsBuiltOnceForMetadataAndInstallation) {
  GitFolder repo = project("repo");
  repo.file("pyproject.toml", "[build-system]\nrequires = []\nbuild-backend = \"backend\"\nbackend-path = [\".\"]\n");
  const std::string commit = repo.commit();
  repo.git({"tag", "v1"});
  const DirectSource& source = resolve("git+" + repo.url() + "@v1#egg=x");
  EXPECT_NE(source.metadata.find("Requires-Dist: y>=2"), std::string::npos);
  EXPECT_EQ(builds(), 1u);
  remove_all(repo.dir());
  const auto wheels = fetch({locked(source)}, true);
  EXPECT_EQ(builds(), 1u);
  install(wheels);
  EXPECT_EQ(read_file(site() / "x.py"), "VALUE = 1\n");
  EXPECT_EQ(direct_url_of(), "{\"url\":\"" + repo.url() + "\",\"vcs_info\":{\"commit_id\":\"" + commit +
                                 "\",\"requested_revision\":\"v1\",\"vcs\":\"git\"}}");
  EXPECT_FALSE(exists(source.local / "build")) << "others read the checkout";

  Selected other = locked(source);
  other.name = "y";
  const Error error = error_of([&] { fetch({other}); });
  EXPECT_EQ(error.kind(), ErrorKind::verification);
  other.vcs->commit_id = "main";
  EXPECT_EQ(error_of([&] { fetch({other}); }).kind(), ErrorKind::bad_input);
}

TEST_F(DirectTest, ADirectoryIsBuiltAnewWhenItChanged) {
  for (const char* name : {"pyproject.toml", "backend.py", "x.py"}) {
    write(std::string("mono/lib/") + name, name == std::string("x.py")         ? "VALUE = 1\n"
                                           : name == std::string("backend.py") ? kBackend
                                                                               : self_building("x", "1.0"));
  }
  const Selected wanted = locked(resolve("./mono#subdirectory=lib"));
  EXPECT_EQ(builds(), 0u);
  install(fetch({wanted}));
  EXPECT_EQ(builds(), 1u);
  fetch({wanted});
  EXPECT_EQ(builds(), 1u);
  EXPECT_EQ(direct_url_of(), "{\"dir_info\":{},\"subdirectory\":\"lib\",\"url\":\"file://" +
                                 (dir_.path() / "app/mono").string() + "\"}");
  write("mono/lib/x.py", "VALUE = 2\n");
  install(fetch({wanted}));
  EXPECT_EQ(builds(), 2u);
  EXPECT_EQ(read_file(site() / "x.py"), "VALUE = 2\n");
}

TEST_F(DirectTest, AnEditableLeadsToItsSources) {
  write("lib/pyproject.toml", self_building("x", "1.0"));
  write("lib/backend.py", kBackend);
  write("lib/x.py", "VALUE = 1\n");
  const Selected wanted = locked(resolve("./lib", true));
  const auto wheels = fetch({wanted});
  install(wheels);
  EXPECT_EQ(read_file(site() / "x.pth"), (dir_.path() / "app/lib").string() + "\n");
  EXPECT_EQ(direct_url_of(),
            "{\"dir_info\":{\"editable\":true},\"url\":\"file://" + (dir_.path() / "app/lib").string() + "\"}");
  write("lib/x.py", "VALUE = 2\n");
  EXPECT_EQ(run({(env_ / "bin/python").string(), "-c", "import x; print(x.VALUE)"}).out, "2\n");
  EXPECT_TRUE(plan_install(env_, python_, fetch({wanted})).empty()) << "an edit is no reason to install again";
  EXPECT_EQ(builds(), 1u);

  std::string without = kBackend;
  without = without.substr(0, without.find("def build_editable"));
  write("lib/backend.py", without);
  write("lib/pyproject.toml", self_building("x", "1.0") + "# changed\n");
  const Error error = error_of([&] { fetch({wanted}); });
  EXPECT_NE(error.message().find("PEP 660"), std::string::npos) << error.what();
}

TEST_F(DirectTest, AnArchiveWithASubdirectoryIsInstalledFromIt) {
  index_.set_text("/main.zip", make_zip({{"mono-main/py/pyproject.toml", self_building("x", "1.0")},
                                         {"mono-main/py/backend.py", kBackend},
                                         {"mono-main/py/x.py", "VALUE = 3\n"}}));
  const DirectSource& source = resolve("x @ " + index_.url() + "/main.zip#subdirectory=py");
  EXPECT_EQ(source.kind, DirectSource::Kind::archive);
  install(fetch({locked(source)}));
  EXPECT_EQ(read_file(site() / "x.py"), "VALUE = 3\n");
  EXPECT_EQ(direct_url_of(), "{\"archive_info\":{\"hash\":\"sha256=" + source.sha256 + "\",\"hashes\":{\"sha256\":\"" +
                                 source.sha256 + "\"}},\"subdirectory\":\"py\",\"url\":\"" + index_.url() +
                                 "/main.zip\"}");
  EXPECT_EQ(error_of([&] { resolve(index_.url() + "/main.zip#subdirectory=no"); }).kind(), ErrorKind::not_found);
}

TEST_F(DirectTest, MercurialIsAskedForByItsExecutable) {
  const Path hg_dir = dir_.path() / "bin";
  make_dirs(hg_dir);
  const std::string node(40, 'a');
  // Stands in for hg: notes how it was called, answers as it would.
  write_file_atomic(
      hg_dir / "hg",
      "#!/bin/sh\necho \"$HGPLAIN $*\" >> " + (dir_.path() / "calls").string() + "\ncase \"$*\" in\n*identify*) echo " +
          node +
          ";;\n*' init '*) for last; do :; done; mkdir -p \"$last/.hg\";;\n"
          "*archive*) for last; do :; done; mkdir -p \"$last\"; printf '[project]\\nname=\"x\"\\nversion=\"1\"\\n' > "
          "\"$last/pyproject.toml\";;\nesac\n",
      0755);
  const ScopedEnv path("PATH", hg_dir.string() + ":/usr/bin:/bin");
  const DirectSource& source = resolve("hg+https://u:s3cret@host.invalid/repo@stable#egg=x");
  EXPECT_EQ(source.vcs, "hg");
  EXPECT_EQ(source.commit_id, node);
  EXPECT_EQ(source.url, "https://host.invalid/repo");
  const std::string calls = read_file(dir_.path() / "calls");
  EXPECT_EQ(calls.find("s3cret"), std::string::npos) << calls;
  EXPECT_NE(calls.find("-r stable -- https://host.invalid/repo\n"), std::string::npos) << calls;
  for (const std::string& line : split_lines(trim(calls))) EXPECT_TRUE(line.starts_with("1 --noninteractive")) << line;
}

TEST_F(DirectTest, WithoutMercurialTheHintNamesIt) {
  const ScopedEnv path("PATH", (dir_.path() / "nothing").string());
  const Error error = error_of([&] { resolve("hg+https://host.invalid/repo"); });
  EXPECT_EQ(error.kind(), ErrorKind::not_found);
  EXPECT_NE(error.hint().find("apt install mercurial"), std::string::npos);
}

}  // namespace
}  // namespace dae::resolver
