#include "deployer/model.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace dae::deployer {
namespace {

// One of everything, so that the files show every field.
Node node() {
  return {"node-1", "prod", "http://127.0.0.1:8501", "3.11.7", "manylinux_2_36_x86_64", 1'700'000'000'123};
}

Release release() {
  Release release;
  release.app = "bubbler";
  release.version = "1.4.0+2.g3fa1c9d20b11";
  release.artifact = "sha256:" + std::string(64, 'a');
  release.repository = "apps/bubbler";
  release.config.name = "bubbler";
  release.config.version = release.version;
  release.config.revision = "3fa1c9d20b11";
  release.config.python = ">=3.11";
  mirror::Instance web;
  web.name = "web";
  web.wsgi = "app:app";
  release.config.instances = {web};
  release.config.env = {{"FLASK_ENV", "production"}};
  release.config.stages = mirror::default_stages();
  release.config.lock_digest = "sha256:" + std::string(64, 'b');
  release.created_ms = 1'700'000'000'000;
  release.id = release_id(release);
  return release;
}

Rollout rollout() {
  Rollout rollout;
  rollout.id = "r-000012";
  rollout.app = "bubbler";
  rollout.release = std::string(64, 'c');
  rollout.version = "1.4.0";
  rollout.state = RolloutState::rolling_back;
  rollout.reason = "node-2: web.0 exited with 1";
  rollout.who = "ada";
  rollout.stages = {{"prod", "prod", {{"node-1"}, {"node-2", "node-3"}}, 30'000, true, 1}};
  RolloutNode first, second, third;
  first.node = "node-1";
  second.node = "node-2";
  third.node = "node-3";
  first.group = second.group = third.group = "prod";
  second.batch = third.batch = 1;
  first.phase = NodePhase::reverting;
  first.previous = second.previous = std::string(64, 'd');
  first.started_ms = 1'700'000'000'100;
  first.ready_ms = 1'700'000'002'100;
  first.restarts = 2;
  second.phase = NodePhase::failed;
  second.error = "web.0 exited with 1";
  second.log_tail = "Traceback\n  \"quoted\"\n";
  rollout.nodes = {first, second, third};
  rollout.batch = 1;
  rollout.created_ms = 1'700'000'000'000;
  rollout.updated_ms = 1'700'000'003'000;
  rollout.bake_until_ms = 1'700'000'033'000;
  rollout.batch_deadline_ms = 1'700'000'123'000;
  return rollout;
}

Desired desired() {
  Desired desired;
  desired.revision = 42;
  desired.store = "5f0c1a2b3d4e5f60";
  desired.apps["bubbler"].release = release();
  desired.log_requests = {{"5f", "bubbler", "web.0", 50}};
  return desired;
}

Observed observed() {
  ObservedRelease release;
  release.release = std::string(64, 'c');
  release.version = "1.4.0";
  release.phase = "live";
  release.error = "";
  release.log_tail = "started";
  release.since_ms = 1'700'000'002'000;
  release.fetched_bytes = 10;
  release.total_bytes = 20;
  release.fetch_ms = 3;
  release.start_ms = 4;
  release.probes_passed = 5;
  release.probes_failed = 1;
  release.instances = {{"web.0", "running", 77, 2}};
  Observed observed;
  observed.node = "node-1";
  observed.desired_revision = 42;
  observed.time_ms = 1'700'000'002'500;
  observed.apps["bubbler"] = {std::string(64, 'c'), {release}};
  return observed;
}

Document golden(const std::string& name) {
  return read_json_file(Path(DAE_SOURCE_DIR) / "tests/data/deployer" / (name + ".json"));
}

TEST(Model, WritesTheDocumentsThatOthersRead) {
  EXPECT_EQ(pretty_json(golden("node").root), pretty_json(to_value(node())));
  EXPECT_EQ(pretty_json(golden("release").root), pretty_json(to_value(release())));
  EXPECT_EQ(pretty_json(golden("rollout").root), pretty_json(to_value(rollout())));
  EXPECT_EQ(pretty_json(golden("desired").root), pretty_json(to_value(desired())));
  EXPECT_EQ(pretty_json(golden("observed").root), pretty_json(to_value(observed())));
}

TEST(Model, ReadsBackWhatItWrites) {
  EXPECT_EQ(to_value(node_from_value(golden("node"))), golden("node").root);
  EXPECT_EQ(to_value(release_from_value(golden("release"))), golden("release").root);
  EXPECT_EQ(rollout_from_value(golden("rollout")), rollout());
  EXPECT_EQ(to_value(desired_from_value(golden("desired"))), golden("desired").root);
  EXPECT_EQ(to_value(observed_from_value(golden("observed"))), golden("observed").root);
}

TEST(Model, IgnoresKeysOfANewerVersion) {
  const auto newer = [](const std::string& name) {
    Document document = golden(name);
    document.root.set("of_the_future", Value::object({{"a", 1}}));
    return document;
  };
  EXPECT_EQ(rollout_from_value(newer("rollout")), rollout());
  EXPECT_EQ(node_from_value(newer("node")).name, "node-1");
  EXPECT_EQ(desired_from_value(newer("desired")).revision, 42);
  EXPECT_EQ(observed_from_value(newer("observed")).node, "node-1");
}

TEST(Model, IsStrictAboutTypes) {
  auto reading = [](const char* text, auto read) { return [=] { read(parse_json(text, "x.json")); }; };
  EXPECT_THROW(reading(R"({"name": 7, "group": "prod"})", node_from_value)(), Error);
  EXPECT_THROW(reading(R"({"group": "prod"})", node_from_value)(), Error);
  EXPECT_THROW(reading(R"([])", node_from_value)(), Error);
  EXPECT_THROW(reading(R"({"node": "a", "desired_revision": "7"})", observed_from_value)(), Error);
  EXPECT_THROW(reading(R"({"node": "a", "apps": []})", observed_from_value)(), Error);
  EXPECT_THROW(reading(R"({"node": "a", "apps": {"x": {"releases": [1]}}})", observed_from_value)(), Error);
  EXPECT_THROW(
      reading(R"({"revision": 1, "log_requests": [{"id": "1", "app": "a", "lines": 0}]})", desired_from_value)(),
      Error);
}

TEST(Model, RefusesARolloutThatPointsOutsideItself) {
  Document document = golden("rollout");
  document.root.set("stage", 5);
  EXPECT_THROW(rollout_from_value(document), Error);
  document = golden("rollout");
  document.root.set("state", "sleeping");
  EXPECT_THROW(rollout_from_value(document), Error);
}

TEST(Model, NamesAReleaseByEverythingThatMattersAndNothingElse) {
  Release other = release();
  other.created_ms = 5;
  other.id = "x";
  EXPECT_EQ(release_id(other), release().id);
  other.config.env["FLASK_ENV"] = "development";
  EXPECT_NE(release_id(other), release().id) << "the same code with another configuration is another release";
  other = release();
  other.artifact = "sha256:" + std::string(64, 'e');
  EXPECT_NE(release_id(other), release().id);
}

}  // namespace
}  // namespace dae::deployer
