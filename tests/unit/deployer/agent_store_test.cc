#include "deployer/agent_store.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "base/archive.h"
#include "base/error.h"
#include "base/http_server.h"
#include "deployer/agent_probe.h"
#include "deployer/agent_run.h"
#include "deployer/agent_state.h"

namespace dae::deployer {
namespace {

// Just enough of a registry: manifests and blobs by digest.
class AgentStoreTest : public ::testing::Test {
 protected:
  AgentStoreTest() {
    const auto answer = [this](const ServerRequest& request) {
      ++requests_;
      const auto found = objects_.find(request.captures.back());
      if (found == objects_.end()) return ServerResponse::not_found();
      ServerResponse response;
      response.headers.add("Content-Type", mirror::kManifestType);
      response.body = found->second;
      return response;
    };
    server_ = start_http_server({}, {{"GET", "/v2/{+}/manifests/{}", answer}, {"GET", "/v2/{+}/blobs/{}", answer}});
    preparer_ = make_registry_preparer(*transport_, *runner_, server_->url(), "");
    layout_.root = dir_.path() / "node";
  }

  mirror::Descriptor put(const std::string& type, const std::string& bytes) {
    const Digest digest = Digest::of(bytes);
    objects_[digest.oci()] = bytes;
    return {type, digest, bytes.size(), {}};
  }

  Release publish(std::vector<mirror::Descriptor> extra_layers = {}) {
    const Path file = dir_.path() / "source.tar.zst";
    const TarResult tar = write_tar_zst(
        file, {{"app.py", {}, "print('hello')\n", false, ""}, {"bin/run", {}, "#!/bin/sh\n", true, ""}}, 1'700'000'000);
    mirror::Manifest manifest;
    manifest.config = put(mirror::kConfigType, "{}");
    manifest.layers.push_back(put(mirror::kSourceType, read_file(file)));
    manifest.layers[0].annotations[mirror::kTarDigest] = "sha256:" + tar.tar_sha256;
    manifest.layers.insert(manifest.layers.end(), extra_layers.begin(), extra_layers.end());
    source_ = manifest.layers[0].digest.oci();
    Release release;
    release.app = release.config.name = "bubbler";
    release.version = release.config.version = "1.0";
    release.repository = "apps/bubbler";
    release.artifact = put(mirror::kManifestType, manifest.canonical()).digest.oci();
    release.id = release_id(release);
    return release;
  }

  // The kind of what failed, or nothing.
  std::optional<ErrorKind> complete(const Release& release) {
    try {
      complete_release(*preparer_, release, layout_, progress_);
    } catch (const Error& error) {
      message_ = error.what();
      return error.kind();
    }
    return std::nullopt;
  }

  TempDir dir_;
  std::map<std::string, std::string> objects_;
  std::atomic<int> requests_{0};
  std::unique_ptr<HttpServer> server_;
  std::unique_ptr<Transport> transport_ = make_http_client();
  std::unique_ptr<ProcessRunner> runner_ = make_process_runner();
  std::unique_ptr<ReleasePreparer> preparer_;
  NodeLayout layout_;
  PrepareProgress progress_;
  std::string source_, message_;
};

TEST_F(AgentStoreTest, BringsSourceAndEnvironmentOntoTheNode) {
  const Release release = publish();
  ASSERT_EQ(complete(release), std::nullopt) << message_;
  const Path dir = layout_.release("bubbler", release.id);
  EXPECT_EQ(read_file(dir / "source" / "app.py"), "print('hello')\n");
  EXPECT_EQ(file_info(dir / "source" / "bin" / "run")->mode & 0777, 0755u);
  EXPECT_TRUE(exists(dir / "env" / "bin" / "python"));
  EXPECT_GT(progress_.fetched_bytes, 0);
  EXPECT_EQ(progress_.fetched_bytes, progress_.total_bytes);
  const auto stored = stored_release(layout_, "bubbler", release.id.substr(0, 12));
  ASSERT_TRUE(stored);
  EXPECT_EQ(stored->id, release.id);
}

TEST_F(AgentStoreTest, AsksForNothingWhenTheReleaseIsThere) {
  const Release release = publish();
  ASSERT_EQ(complete(release), std::nullopt);
  const int before = requests_;
  ASSERT_EQ(complete(release), std::nullopt);
  EXPECT_EQ(requests_, before);
}

TEST_F(AgentStoreTest, FillsAReleaseAgainThatWasCutOff) {
  const Release release = publish();
  const Path dir = layout_.release("bubbler", release.id);
  make_dirs(dir / "source");
  make_dirs(dir / ".unpacking-abc");
  write_file_atomic(dir / "source" / "half", "x");
  ASSERT_EQ(complete(release), std::nullopt) << message_;
  EXPECT_EQ(list_dir(dir), (std::vector<std::string>{"env", "release.json", "source"}));
  EXPECT_FALSE(exists(dir / "source" / "half"));
}

TEST_F(AgentStoreTest, NeverUsesBytesThatDoNotMatchTheirDigest) {
  const Release release = publish();
  objects_[source_][objects_[source_].size() / 2] ^= 1;
  EXPECT_EQ(complete(release), ErrorKind::verification) << message_;
  EXPECT_FALSE(is_complete(layout_, "bubbler", release.id));
  EXPECT_FALSE(exists(layout_.release("bubbler", release.id) / "source"));
}

TEST_F(AgentStoreTest, RefusesAnotherManifestThanTheOneAskedFor) {
  const Release release = publish();
  objects_[release.artifact] += " ";
  EXPECT_EQ(complete(release), ErrorKind::verification) << message_;
}

TEST_F(AgentStoreTest, SaysThatTheMirrorHasNoSuchArtifact) {
  Release release = publish();
  objects_.erase(release.artifact);
  EXPECT_EQ(complete(release), ErrorKind::not_found);
  EXPECT_NE(message_.find("the mirror does not have the artifact"), std::string::npos) << message_;
}

TEST_F(AgentStoreTest, RefusesALayerThatIsNoWheel) {
  mirror::Descriptor layer = put(mirror::kWheelType, "bytes");
  layer.annotations[mirror::kTitle] = "notawheel.whl";
  EXPECT_EQ(complete(publish({layer})), ErrorKind::bad_input);
  EXPECT_NE(message_.find("which is no wheel"), std::string::npos) << message_;
}

TEST(AgentState, SurvivesOnDiskAndStartsEmpty) {
  const TempDir dir;
  EXPECT_EQ(load_app_state(dir.path() / "state.json").live, "");
  AppState state;
  for (const char* id : {"a", "b", "a"}) record_live(state, id);
  save_app_state(dir.path() / "sub" / "state.json", state);
  const AppState read = load_app_state(dir.path() / "sub" / "state.json");
  EXPECT_EQ(read.live, "a");
  EXPECT_EQ(read.good, (std::vector<std::string>{"a", "b"}));
  write_file_atomic(dir.path() / "broken.json", "{");
  EXPECT_EQ(load_app_state(dir.path() / "broken.json").live, "");
}

TEST(AgentState, NeverRemovesWhatIsLivePreviousOrNeeded) {
  const AppState state{"live00000000xx", {"live00000000xx", "prev00000000xx", "good00000000xx", "old000000000xx"}};
  const std::vector<std::string> disk = {"bad000000000", "good00000000", "live00000000",
                                         "new000000000", "old000000000", "prev00000000"};
  EXPECT_EQ(releases_to_remove(state, disk, {"new000000000"}, 1),
            (std::vector<std::string>{"bad000000000", "old000000000"}));
  EXPECT_EQ(releases_to_remove(state, disk, {}, 0),
            (std::vector<std::string>{"bad000000000", "good00000000", "new000000000", "old000000000"}));
}

TEST(ProbeHistory, NeedsPassesInARow) {
  const ProbeResult pass{std::nullopt, true, 200}, fail{"GET / answered 500", true, 500};
  ProbeHistory history;
  history.add(pass);
  history.add(pass);
  history.add(fail);
  EXPECT_EQ(history.passes(), 0);
  history.add(pass);
  EXPECT_EQ(history.passes(), 1);
  EXPECT_EQ(history.recent_failures(), 1);
}

TEST(ProbeHistory, CountsFailuresOfTheLastFiveOnlyAndOnlyAfterTheFirstPass) {
  const ProbeResult pass{std::nullopt, true, 200}, fail{"no answer", false, 0};
  ProbeHistory history;
  for (int i = 0; i < 10; ++i) history.add(fail);
  EXPECT_EQ(history.recent_failures(), 0) << "it is still starting";
  EXPECT_EQ(history.wrong_answers(), 0) << "nobody answered";
  history.add(pass);
  for (int i = 0; i < 3; ++i) history.add(fail);
  EXPECT_EQ(history.recent_failures(), ProbeHistory::kUnhealthy);
  for (int i = 0; i < 5; ++i) history.add(pass);
  EXPECT_EQ(history.recent_failures(), 0);
}

TEST(ProbeHistory, TellsAWarmUpFromAWrongAnswer) {
  ProbeHistory history;
  for (int i = 0; i < 3; ++i) history.add({"GET / answered 503", true, 503});
  EXPECT_EQ(history.wrong_answers(), 0);
  for (int i = 0; i < 3; ++i) history.add({"GET / answered 404", true, 404});
  EXPECT_EQ(history.wrong_answers(), 3);
}

TEST(LogTail, IsShortAndStartsWhereTheInstanceDid) {
  const TempDir dir;
  const Path log = dir.path() / "log";
  append_file(log, "of an earlier start\n");
  const uint64_t offset = file_info(log)->size_bytes;
  EXPECT_EQ(tail_of_log(log, offset), "");
  for (int i = 0; i < 30; ++i) append_file(log, "line " + std::to_string(i) + "\n");
  const std::string tail = tail_of_log(log, offset);
  EXPECT_TRUE(tail.starts_with("line 10\n")) << tail;
  EXPECT_TRUE(tail.ends_with("\nline 29")) << tail;
  append_file(log, std::string(100'000, 'x') + "\nlast\n");
  EXPECT_LE(tail_of_log(log, offset).size(), 4096u);
  EXPECT_TRUE(tail_of_log(log, offset).ends_with("last"));
}

TEST(LogTail, EndsWithTheCauseAndNotWithGunicornsOwnTraceback) {
  const TempDir dir;
  const Path log = dir.path() / "log";
  append_file(log, "Traceback (most recent call last):\n  File \"app.py\"\nModuleNotFoundError: No module named 'x'\n");
  append_file(log,
              "[ERROR] Worker exiting\nTraceback (most recent call last):\n  File \"gunicorn\"\n"
              "gunicorn.errors.HaltServer: <HaltServer 'Worker failed to boot.' 3>\n");
  EXPECT_TRUE(tail_of_log(log, 0).ends_with("ModuleNotFoundError: No module named 'x'\n[ERROR] Worker exiting"));
}

TEST(AgentLayout, ReadsBackTheNamesItGivesToInstances) {
  const InstanceId id{"bubbler", "0123456789ab", "web", 2};
  EXPECT_EQ(id.text(), "bubbler/0123456789ab/web.2");
  const auto read = InstanceId::parse(id.text());
  ASSERT_TRUE(read);
  EXPECT_EQ(read->text(), id.text());
  for (const char* text : {"", "a/b", "a/b/web", "a/b/web.", "a/b/web.-1", "a/b/c/web.0"}) {
    EXPECT_FALSE(InstanceId::parse(text)) << text;
  }
}

}  // namespace
}  // namespace dae::deployer
