#include "control_fixtures.h"

#include <algorithm>

namespace dae::deployer::testing_support {

std::string FakeRegistry::publish(const std::string& app, const std::string& version, int64_t bake_ms,
                                  const std::string& confirm) {
  mirror::AppConfig config;
  config.name = app;
  config.version = version;
  config.python = ">=3.11";
  config.lock_digest = Digest::of("lock").oci();
  mirror::Instance web;
  web.name = "web";
  web.wsgi = "app:app";
  config.instances = {web};
  for (const char* name : {"pre", "prod"}) {
    mirror::StageConfig stage;
    stage.name = stage.group = name;
    stage.bake_ms = bake_ms;
    stage.batches = {"1", "100%"};
    if (stage.name == "prod") stage.confirm = confirm;
    config.stages.push_back(stage);
  }
  const std::string blob = canonical_json(to_value(config));
  mirror::Manifest manifest;
  manifest.config = {mirror::kConfigType, Digest::of(blob), blob.size(), {}};
  const Digest source = Digest::of("source of " + version);
  manifest.layers.push_back({mirror::kSourceType, source, 9, {{mirror::kTarDigest, source.oci()}}});
  const std::string bytes = manifest.canonical();
  const std::string digest = Digest::of(bytes).oci();
  std::lock_guard lock(mutex_);
  const std::string base = "/v2/apps/" + app;
  answers_[base + "/manifests/" + digest] = bytes;
  answers_[base + "/blobs/" + manifest.config.digest.oci()] = blob;
  config_of_[digest] = base + "/blobs/" + manifest.config.digest.oci();
  return digest;
}

void FakeRegistry::corrupt(const std::string& artifact) {
  std::lock_guard lock(mutex_);
  std::string& blob = answers_[config_of_[artifact]];
  std::replace(blob.begin(), blob.end(), 'a', 'b');
}

HttpResponse FakeRegistry::send(HttpRequest request) {
  HttpResponse response;
  response.effective_url = request.url;
  const std::string path = parse_url(request.url).path;
  std::lock_guard lock(mutex_);
  auto found = answers_.find(path);
  response.status = found == answers_.end() ? 404 : 200;
  if (found == answers_.end()) return response;
  response.headers.add("Content-Type", mirror::kManifestType);
  response.headers.add("Docker-Content-Digest", Digest::of(found->second).oci());
  if (request.method != "HEAD") response.body = found->second;
  return response;
}

std::future<HttpResponse> FakeRegistry::send_async(HttpRequest request) {
  std::promise<HttpResponse> promise;
  promise.set_value(send(std::move(request)));
  return promise.get_future();
}

FakeAgent::FakeAgent(Transport& transport, std::string url, std::string name, std::string group)
    : transport_(transport), url_(std::move(url)), name_(std::move(name)), group_(std::move(group)), thread_([this] {
        run();
      }) {}

FakeAgent::~FakeAgent() {
  stop_ = true;
  thread_.join();
}

void FakeAgent::move_to(std::string url) {
  std::lock_guard lock(mutex_);
  url_ = std::move(url);
}

void FakeAgent::set_broken(const std::string& version) {
  std::lock_guard lock(mutex_);
  broken_ = version;
}

std::string FakeAgent::live_version() {
  std::lock_guard lock(mutex_);
  return live_version_;
}

std::string FakeAgent::desired_version() {
  std::lock_guard lock(mutex_);
  return desired_version_;
}

void FakeAgent::run() {
  SystemClock clock;
  while (!stop_) {
    try {
      round();
    } catch (const Error&) {
      clock.sleep_ms(20);
    }
  }
}

void FakeAgent::round() {
  std::string url;
  {
    std::lock_guard lock(mutex_);
    url = url_;
  }
  ControlClient client(transport_, url);
  if (!registered_) {
    Node node;
    node.name = name_;
    node.group = group_;
    client.register_node(node);
    registered_ = true;
  }
  if (held_) {
    SystemClock().sleep_ms(20);
  } else if (auto news = client.desired(name_, desired_.revision, 50)) {
    desired_ = *news;
    for (const LogRequest& request : news->log_requests) {
      client.send_log(name_, request.id, name_ + " says " + request.instance + " " + std::to_string(request.lines));
    }
  }
  Observed observed;
  observed.node = name_;
  observed.desired_revision = desired_.revision;
  observed.time_ms = SystemClock().wall_ms();
  std::lock_guard lock(mutex_);
  static const std::string kApp = "bubbler";
  auto app = desired_.apps.find(kApp);
  desired_version_ = app == desired_.apps.end() ? "" : app->second.release.version;
  if (app != desired_.apps.end()) {
    const Release& release = app->second.release;
    ObservedRelease item;
    item.release = release.id;
    item.version = release.version;
    const bool fails = release.version == broken_;
    item.phase = fails ? "failed" : "live";
    item.error = fails ? "web.0 exited with 1 after 140 ms" : "";
    item.log_tail = fails ? "ImportError: no module named bubbles" : "";
    observed.apps[kApp].live = fails ? "" : release.id;
    observed.apps[kApp].releases = {item};
    if (!fails) live_version_ = release.version;
  }
  client.report(observed);
}

ControlBench::ControlBench() {
  options.state_file = dir.path() / "state.db";
  options.port = 0;
  options.mirror = "http://registry.test";
  options.workers = 24;
  options.knobs.node_lost_ms = 3'000;
  start();
}

void ControlBench::start() {
  control_ = start_control(options, registry, clock);
  url_ = control_->url();
  client_ = std::make_unique<ControlClient>(*transport_, url_);
  for (auto& [name, agent] : agents_) agent->move_to(url_);
}

FakeAgent& ControlBench::add_agent(const std::string& name, const std::string& group) {
  agents_[name] = std::make_unique<FakeAgent>(*transport_, url_, name, group);
  eventually([&] { return client().observed().contains(name); });
  return *agents_[name];
}

Rollout ControlBench::follow(const Rollout& rollout, int64_t limit_ms) {
  const int64_t until = clock.monotonic_ms() + limit_ms;
  Rollout now = rollout;
  while (!is_final(now.state) && clock.monotonic_ms() < until) {
    now = client().rollout(now.app, now.id, now.updated_ms, 500);
  }
  return now;
}

bool ControlBench::eventually(const std::function<bool()>& condition, int64_t limit_ms) {
  SystemClock clock;
  const int64_t until = clock.monotonic_ms() + limit_ms;
  while (clock.monotonic_ms() < until) {
    if (condition()) return true;
    clock.sleep_ms(5);
  }
  return condition();
}

HttpResponse ControlBench::get(const std::string& path) {
  HttpRequest request;
  request.url = url_ + path;
  return transport_->send(std::move(request));
}

HttpResponse ControlBench::send(const std::string& method, const std::string& path, const std::string& body) {
  HttpRequest request;
  request.method = method;
  request.url = url_ + path;
  request.body = body;
  return transport_->send(std::move(request));
}

}  // namespace dae::deployer::testing_support
