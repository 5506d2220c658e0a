#include "deployer/model.h"

#include "deployer/model_json.h"

namespace dae::deployer {

Value to_value(const Node& node) {
  return Value::object({{"name", node.name},
                        {"group", node.group},
                        {"gateway_url", node.gateway_url},
                        {"python", node.python},
                        {"platform", node.platform},
                        {"last_seen_ms", node.last_seen_ms}});
}

Node node_from_value(const Document& document) {
  Reader reader(document);
  Node node;
  node.name = reader.required_string("name");
  node.group = reader.required_string("group");
  node.gateway_url = reader.string("gateway_url");
  node.python = reader.string("python");
  node.platform = reader.string("platform");
  node.last_seen_ms = reader.integer("last_seen_ms", 0);
  return node;
}

namespace {

// What the id is made of. `created_ms` stays out: the same artifact with the same configuration is the same release.
Value identity_of(const Release& release) {
  return Value::object({{"app", release.app},
                        {"version", release.version},
                        {"artifact", release.artifact},
                        {"repository", release.repository},
                        {"config", mirror::to_value(release.config)}});
}

Release read_release(Reader& reader) {
  Release release;
  release.id = reader.required_string("id");
  release.app = reader.required_string("app");
  release.version = reader.required_string("version");
  release.artifact = reader.required_string("artifact");
  release.repository = reader.required_string("repository");
  release.config = mirror::app_config_from_value({reader.file(), reader.required("config")});
  release.created_ms = reader.integer("created_ms", 0);
  return release;
}

}  // namespace

std::string release_id(const Release& release) {
  return Digest::of(canonical_json(identity_of(release))).hex();
}

Value to_value(const Release& release) {
  Value value = identity_of(release);
  value.set("id", release.id).set("created_ms", release.created_ms);
  return value;
}

Release release_from_value(const Document& document) {
  Reader reader(document);
  return read_release(reader);
}

Value to_value(const Desired& desired) {
  Value apps = Value::object();
  for (const auto& [name, app] : desired.apps) {
    Value entry = Value::object({{"release", to_value(app.release)}});
    if (!app.store.empty()) entry.set("store", app.store);
    apps.set(name, std::move(entry));
  }
  Value requests = Value::array();
  for (const LogRequest& request : desired.log_requests) {
    requests.push_back(Value::object(
        {{"id", request.id}, {"app", request.app}, {"instance", request.instance}, {"lines", request.lines}}));
  }
  return Value::object(
      {{"revision", desired.revision}, {"store", desired.store}, {"apps", apps}, {"log_requests", requests}});
}

Desired desired_from_value(const Document& document) {
  Reader reader(document);
  Desired desired;
  desired.revision = reader.integer("revision", 0, 0);
  desired.store = reader.string("store");
  each_member(reader, "apps", [&](const std::string& name, Reader& app) {
    Reader release(app.file(), app.required("release"), app.where() + ".release");
    desired.apps[name].release = read_release(release);
    desired.apps[name].store = app.string("store");
  });
  each_object(reader, "log_requests", [&](Reader& item) {
    LogRequest request;
    request.id = item.required_string("id");
    request.app = item.required_string("app");
    request.instance = item.string("instance");
    request.lines = item.integer("lines", 100, 1, 100'000);
    desired.log_requests.push_back(std::move(request));
  });
  return desired;
}

}  // namespace dae::deployer
