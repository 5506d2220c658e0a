#include "builder/build.h"

#include <sys/stat.h>
#include <sys/time.h>

#include "base/archive.h"
#include "base/error.h"
#include "git_fixture.h"

namespace dae::builder {
namespace {

class WarningSink final : public EventSink {
 public:
  void emit(const Event& event) override {
    if (event.type == EventType::warning) warnings.push_back(event.text);
  }
  std::vector<std::string> warnings;
};

class Build : public GitTest {
 protected:
  void SetUp() override {
    GitTest::SetUp();
    if (IsSkipped()) return;
    ::setenv("DAE_CACHE_DIR", (dir_.path() / "cache").c_str(), 1);
    blobs_ = open_blob_store(dir_.path() / "blobs");
  }
  void TearDown() override { ::unsetenv("DAE_CACHE_DIR"); }

  resolver::WheelToInstall wheel(const std::string& file_name, const std::string& bytes) {
    resolver::WheelToInstall out;
    out.name = file_name.substr(0, file_name.find('-'));
    out.file_name = file_name;
    out.digest = blobs_->put(bytes);
    return out;
  }

  BuiltArtifact build(const Path& dir = {}, std::vector<resolver::WheelToInstall> wheels = {}) {
    const AppFile file = app(dir);
    return build_artifact(file, plan_build(file, "1.0", std::move(wheels)), *blobs_, *runner_, sink_);
  }

  // name -> content of the source layer
  std::map<std::string, std::string> source(const BuiltArtifact& built) {
    std::map<std::string, std::string> out;
    read_archive(blobs_->path(built.manifest.layers[0].digest), {},
                 [&](const ArchiveEntry& entry, const ArchiveRead& read) {
                   std::string& text = out[entry.name + (entry.executable ? "*" : "")];
                   if (!entry.link_target.empty()) text = "-> " + entry.link_target;
                   if (entry.link_target.empty()) read([&](std::string_view piece) { text += piece; });
                 });
    return out;
  }

  static std::vector<std::string> names(const std::map<std::string, std::string>& files) {
    std::vector<std::string> out;
    for (const auto& item : files) out.push_back(item.first);
    return out;
  }

  std::unique_ptr<BlobStore> blobs_;
  WarningSink sink_;
};

TEST_F(Build, MakesAManifestThatARegistryReadsBack) {
  init();
  write("pylock.toml", "lock-version = '1.0'\n");
  const std::string head = commit("one");
  const BuiltArtifact built =
      build({}, {wheel("flask-3.0-py3-none-any.whl", "flask"), wheel("click-8.1-py3-none-any.whl", "clickclick")});
  EXPECT_EQ(built.repository, "apps/bubbler");
  EXPECT_EQ(built.version, "1.0+1.g" + head.substr(0, 12));
  EXPECT_EQ(built.wheels, 2);
  EXPECT_EQ(built.wheel_bytes, 15u);
  const std::string bytes = blobs_->read(built.digest);
  EXPECT_EQ(bytes, built.manifest.canonical());
  const mirror::Manifest read = mirror::Manifest::parse(bytes, "m");
  EXPECT_EQ(read.layers[1].annotations.at(mirror::kTitle), "click-8.1-py3-none-any.whl");
  EXPECT_EQ(read.layers[1].size_bytes, 10u);
  EXPECT_EQ(read.annotations.at("org.opencontainers.image.revision"), head);
  EXPECT_EQ(read.annotations.at("org.opencontainers.image.created"), "2023-11-14T22:14:20Z");
  for (const auto& layer : read.layers) EXPECT_EQ(blobs_->size_bytes(layer.digest), layer.size_bytes);

  const std::string config_text = blobs_->read(read.config.digest);
  EXPECT_EQ(read.config.size_bytes, config_text.size());
  const mirror::AppConfig config = mirror::app_config_from_value(parse_json(config_text, "config"));
  EXPECT_EQ(config.version, built.version);
  EXPECT_EQ(config.revision, head);
  EXPECT_EQ(config.lock_digest, Digest::of("lock-version = '1.0'\n").oci());
}

TEST_F(Build, TheSameCommitAndLockGiveTheSameDigestInAnotherFolder) {
  init();
  write("bin/run", "#!/bin/sh\n", 0755);
  write("lib/a.py", "a\n");
  write("lib/B.py", "b\n");
  write(".gitignore", "*.log\n");
  git({"config", "core.symlinks", "true"});
  ASSERT_EQ(run(repo_, {"ln", "-s", "lib/a.py", "link.py"}).exit_code, 0);
  commit("one");
  git({"tag", "v1.1.0"});
  const std::vector<resolver::WheelToInstall> wheels{wheel("flask-3.0-py3-none-any.whl", "flask")};
  const BuiltArtifact first = build({}, wheels);

  const Path second_dir = dir_.path() / "some/where/else";
  make_dirs(second_dir.parent_path());
  clock_ = 10'000;
  const mode_t before = ::umask(077);
  git({"clone", "-q", repo_.string(), second_dir.string()}, dir_.path());
  const timeval times[2] = {{86400, 0}, {86400, 0}};
  EXPECT_EQ(::utimes((second_dir / "app.py").c_str(), times), 0);
  write_file_atomic(second_dir / "noise.log", "ignored");
  const BuiltArtifact second = build(second_dir, wheels);
  ::umask(before);

  EXPECT_NE(file_info(repo_ / "app.py")->mode, file_info(second_dir / "app.py")->mode);
  EXPECT_EQ(first.digest, second.digest);
  EXPECT_EQ(source(second), source(first));
  EXPECT_EQ(names(source(first)), (std::vector<std::string>{".gitignore", "app.py", "app.yaml", "bin/run*", "lib/B.py",
                                                            "lib/a.py", "link.py"}));
  EXPECT_EQ(source(first).at("link.py"), "-> lib/a.py");
}

TEST_F(Build, ADifferentSourceLockOrWheelGivesAnotherDigest) {
  init();
  commit("one");
  const Digest plain = build().digest;
  EXPECT_NE(build({}, {wheel("flask-3.0-py3-none-any.whl", "flask")}).digest, plain);
  write("pylock.toml", "lock-version = '1.0'\n");
  commit("two");
  const Digest locked = build().digest;
  EXPECT_NE(locked, plain);
  write("app.py", "app = 2\n");
  const BuiltArtifact dirty = build();
  EXPECT_TRUE(dirty.dirty);
  EXPECT_TRUE(dirty.version.ends_with(".dirty"));
  EXPECT_NE(dirty.digest, locked);
}

TEST_F(Build, LeavesOutWhatIsIgnoredExcludedProtectedOrNeverSource) {
  init(
      "name: bubbler\ninstances: {web: {wsgi: 'app:app'}}\nbuild: {exclude: ['tests/**', docs]}\n"
      "protected_files: ['secrets/*.key']\n");
  write(".gitignore", "*.log\n");
  write("tests/t.py", "");
  write("docs/index.md", "");
  write("secrets/a.key", "hush");
  write("secrets/README", "");
  write("pkg/__pycache__/x.cpython-311.pyc", "");
  write("x.log", "");
  write(".venv/bin/python", "");
  commit("one");
  write("untracked.py", "");
  EXPECT_EQ(names(source(build())),
            (std::vector<std::string>{".gitignore", "app.py", "app.yaml", "secrets/README", "untracked.py"}));
}

TEST_F(Build, WithoutGitAllFilesOfTheFolderAreTheSource) {
  write("app.yaml", "name: bubbler\ninstances: {web: {wsgi: 'app:app'}}\nbuild: {exclude: ['*.md']}\n");
  write("app.py", "app = 1\n");
  write("a.md", "");
  write("pkg/mod.py", "");
  write(".venv/x", "");
  const BuiltArtifact built = build();
  EXPECT_EQ(names(source(built)), (std::vector<std::string>{"app.py", "app.yaml", "pkg/mod.py"}));
  EXPECT_FALSE(built.manifest.annotations.contains("org.opencontainers.image.created"));
}

TEST_F(Build, StepsRunInACopyAndWhatTheyMakeIsInTheArtifact) {
  init(
      "name: bubbler\ninstances: {web: {wsgi: 'app:app'}}\n"
      "build: {steps: [\"sh -c 'mkdir -p dist && echo $SOURCE_DATE_EPOCH > dist/stamp && rm app.py'\"]}\n");
  write(".gitignore", "dist/\nlocal.txt\n");
  commit("one");
  write("local.txt", "not for others");
  const BuiltArtifact built = build();
  EXPECT_EQ(names(source(built)), (std::vector<std::string>{".gitignore", "app.yaml", "dist/stamp"}));
  EXPECT_EQ(source(built).at("dist/stamp"), "1700000060\n");
  EXPECT_TRUE(exists(repo_ / "app.py"));
  EXPECT_FALSE(exists(repo_ / "dist"));
}

TEST_F(Build, AFailingStepIsToldWithItsLastLines) {
  init("name: bubbler\ninstances: {web: {wsgi: 'app:app'}}\nbuild: {steps: [\"sh -c 'echo no css; exit 2'\"]}\n");
  commit("one");
  try {
    build();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.message(), "the build step `sh -c 'echo no css; exit 2'` failed with exit code 2");
    EXPECT_EQ(error.cause(), "no css");
  }
}

TEST_F(Build, HooksRunBeforeAndAfter) {
  init(
      "name: bubbler\ninstances: {web: {wsgi: 'app:app'}}\nhooks:\n"
      "  before_build: [\"sh -c 'test $DAE_VERSION || exit 1'\"]\n"
      "  after_build: [\"sh -c 'echo $DAE_DIGEST > ../after'\"]\n");
  commit("one");
  const BuiltArtifact built = build();
  EXPECT_EQ(read_file(dir_.path() / "after"), built.digest.oci() + "\n");
  write("app.yaml", "name: bubbler\ninstances: {web: {wsgi: 'app:app'}}\nhooks: {before_build: ['false']}\n");
  EXPECT_THROW(build(), Error);
}

TEST_F(Build, AWheelThatIsMissingOrCalledLikeAnotherIsRefused) {
  init();
  commit("one");
  resolver::WheelToInstall missing = wheel("flask-3.0-py3-none-any.whl", "flask");
  missing.digest = Digest::of("never stored");
  try {
    build({}, {missing});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::not_found);
    EXPECT_EQ(error.hint(), "fetch it with `dae sync`");
  }
  const auto one = wheel("flask-3.0-py3-none-any.whl", "flask"), other = wheel("flask-3.0-py3-none-any.whl", "flask2");
  EXPECT_THROW(build({}, {one, other}), Error);
  EXPECT_EQ(build({}, {one, one}).wheels, 1);
}

TEST_F(Build, ASubmoduleOrALinkOutOfTheAppIsRefused) {
  init();
  commit("one");
  ASSERT_EQ(run(repo_, {"ln", "-s", "/etc/hostname", "host"}).exit_code, 0);
  EXPECT_THROW(build(), Error);
  remove_file(repo_ / "host");
  const Path other = dir_.path() / "other";
  git({"clone", "-q", repo_.string(), other.string()}, dir_.path());
  git({"-c", "protocol.file.allow=always", "submodule", "--quiet", "add", other.string(), "sub"});
  try {
    build();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.message(), "`sub` is a git submodule, which is not supported yet");
  }
}

TEST_F(Build, RemembersTheLastBuildOfAFolder) {
  init();
  commit("one");
  const AppFile file = app();
  try {
    last_build(file, *blobs_);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::not_found);
    EXPECT_EQ(error.hint(), "build it with `dae build`");
  }
  const BuiltArtifact built = build({}, {wheel("flask-3.0-py3-none-any.whl", "flask")});
  remember_build(file, built);
  const BuiltArtifact again = last_build(file, *blobs_);
  EXPECT_EQ(again.digest, built.digest);
  EXPECT_EQ(again.version, built.version);
  EXPECT_EQ(again.repository, built.repository);
  EXPECT_EQ(again.wheel_bytes, built.wheel_bytes);
  EXPECT_EQ(again.source_bytes, built.source_bytes);
  EXPECT_EQ(again.manifest.canonical(), built.manifest.canonical());
  blobs_->remove(built.digest);
  EXPECT_THROW(last_build(file, *blobs_), Error);
}

TEST_F(Build, WarnsOfInstancesThatNodesDoNotRunYet) {
  init(
      "name: bubbler\ninstances:\n  web: {wsgi: 'app:app'}\n"
      "  job: {type: cron, schedule: '0 3 * * *', command: 'python app.py'}\n");
  commit("one");
  build();
  EXPECT_EQ(sink_.warnings, std::vector<std::string>{"`instances.job`: nodes do not run cron instances yet"});
}

}  // namespace
}  // namespace dae::builder
