#include "deployer/model.h"
#include "deployer/model_json.h"

namespace dae::deployer {
namespace {

Value instance_value(const ObservedInstance& instance) {
  return Value::object(
      {{"name", instance.name}, {"state", instance.state}, {"pid", instance.pid}, {"restarts", instance.restarts}});
}

Value release_value(const ObservedRelease& release) {
  Value instances = Value::array();
  for (const ObservedInstance& instance : release.instances) instances.push_back(instance_value(instance));
  return Value::object({{"release", release.release},
                        {"version", release.version},
                        {"phase", release.phase},
                        {"error", release.error},
                        {"log_tail", release.log_tail},
                        {"since_ms", release.since_ms},
                        {"fetched_bytes", release.fetched_bytes},
                        {"total_bytes", release.total_bytes},
                        {"fetch_ms", release.fetch_ms},
                        {"start_ms", release.start_ms},
                        {"probes_passed", release.probes_passed},
                        {"probes_failed", release.probes_failed},
                        {"instances", instances}});
}

ObservedRelease read_release(Reader& reader) {
  ObservedRelease release;
  release.release = reader.required_string("release");
  release.version = reader.string("version");
  release.phase = reader.required_string("phase");
  release.error = reader.string("error");
  release.log_tail = reader.string("log_tail");
  release.since_ms = reader.integer("since_ms", 0);
  release.fetched_bytes = reader.integer("fetched_bytes", 0);
  release.total_bytes = reader.integer("total_bytes", 0);
  release.fetch_ms = reader.integer("fetch_ms", 0);
  release.start_ms = reader.integer("start_ms", 0);
  release.probes_passed = reader.integer("probes_passed", 0);
  release.probes_failed = reader.integer("probes_failed", 0);
  each_object(reader, "instances", [&](Reader& item) {
    ObservedInstance instance;
    instance.name = item.required_string("name");
    instance.state = item.string("state");
    instance.pid = item.integer("pid", 0);
    instance.restarts = item.integer("restarts", 0);
    release.instances.push_back(std::move(instance));
  });
  return release;
}

}  // namespace

Value to_value(const Observed& observed) {
  Value apps = Value::object();
  for (const auto& [name, app] : observed.apps) {
    Value releases = Value::array();
    for (const ObservedRelease& release : app.releases) releases.push_back(release_value(release));
    apps.set(name, Value::object({{"live", app.live}, {"releases", releases}}));
  }
  return Value::object({{"node", observed.node},
                        {"desired_revision", observed.desired_revision},
                        {"time_ms", observed.time_ms},
                        {"apps", apps}});
}

Observed observed_from_value(const Document& document) {
  Reader reader(document);
  Observed observed;
  observed.node = reader.required_string("node");
  observed.desired_revision = reader.integer("desired_revision", 0, 0);
  observed.time_ms = reader.integer("time_ms", 0);
  each_member(reader, "apps", [&](const std::string& name, Reader& item) {
    ObservedApp app;
    app.live = item.string("live");
    each_object(item, "releases", [&](Reader& release) { app.releases.push_back(read_release(release)); });
    observed.apps[name] = std::move(app);
  });
  return observed;
}

}  // namespace dae::deployer
