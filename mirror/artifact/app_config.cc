// The config blob: share/doc/formats/artifact.md, "config". A registry is not trusted, so reading checks everything
// that will become a path, a unit or a line of a gateway's file.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/strings.h"
#include "mirror/artifact/app_rules.h"
#include "mirror/artifact/artifact.h"

namespace dae::mirror {

namespace {

constexpr int64_t kFormat = 1;
constexpr int64_t kMostProcesses = 1000;
constexpr int64_t kLongestMs = 30ll * 24 * 3600 * 1000;

Value map_value(const std::map<std::string, std::string>& items) {
  Value out = Value::object();
  for (const auto& [key, text] : items) out.set(key, text);
  return out;
}

Value instance_value(const Instance& instance) {
  Value out = Value::object({{"name", instance.name}, {"type", instance.type}});
  if (!instance.wsgi.empty()) out.set("wsgi", instance.wsgi);
  if (!instance.command.empty()) out.set("command", instance.command);
  if (!instance.schedule.empty()) out.set("schedule", instance.schedule);
  out.set("workers", instance.workers).set("count", instance.count);
  const HealthCheck& health = instance.health;
  out.set("health", Value::object({{"path", health.path},
                                   {"interval_ms", health.interval_ms},
                                   {"timeout_ms", health.timeout_ms},
                                   {"passes", health.passes}}));
  return out;
}

Value stage_value(const StageConfig& stage) {
  return Value::object({{"name", stage.name},
                        {"group", stage.group},
                        {"batches", Value::strings(stage.batches)},
                        {"bake_ms", stage.bake_ms},
                        {"max_fail", stage.max_fail},
                        {"confirm", stage.confirm}});
}

[[noreturn]] void refuse(const Reader& reader, std::string_view key, std::string_view text) {
  const Value* node = reader.value().find(key);
  throw reader.error_at(node ? *node : reader.value(), fmt::format("`{}` is not allowed as `{}`", text, key));
}

std::string checked(Reader& reader, std::string_view key, bool (*test)(std::string_view)) {
  const std::string text = reader.required_string(key);
  if (!test(text)) refuse(reader, key, text);
  return text;
}

std::string one_of(Reader& reader, std::string_view key, std::initializer_list<std::string_view> words) {
  const std::string text = reader.required_string(key);
  if (std::find(words.begin(), words.end(), text) == words.end()) refuse(reader, key, text);
  return text;
}

HealthCheck read_health(Reader reader) {
  HealthCheck out;
  out.path = reader.string("path", out.path);
  if (!out.path.starts_with('/')) refuse(reader, "path", out.path);
  out.interval_ms = reader.integer("interval_ms", out.interval_ms, 10, kLongestMs);
  out.timeout_ms = reader.integer("timeout_ms", out.timeout_ms, 10, kLongestMs);
  out.passes = static_cast<int>(reader.integer("passes", out.passes, 1, 100));
  reader.finish();
  return out;
}

Instance read_instance(Reader reader) {
  Instance out;
  out.name = checked(reader, "name", is_instance_name);
  out.type = one_of(reader, "type", {"web", "daemon", "cron", "service"});
  out.wsgi = reader.string("wsgi");
  out.command = reader.string("command");
  out.schedule = reader.string("schedule");
  out.workers = reader.integer("workers", out.workers, 1, kMostProcesses);
  out.count = reader.integer("count", out.count, 0, kMostProcesses);
  if (auto health = reader.object("health")) out.health = read_health(*health);
  reader.finish();
  return out;
}

StageConfig read_stage(Reader reader) {
  StageConfig out;
  out.name = checked(reader, "name", is_instance_name);
  out.group = checked(reader, "group", is_instance_name);
  if (reader.has("batches")) out.batches = reader.strings("batches");
  reader.optional("batches");
  for (const std::string& batch : out.batches) {
    if (!is_batch(batch)) refuse(reader, "batches", batch);
  }
  out.bake_ms = reader.integer("bake_ms", out.bake_ms, 0, kLongestMs);
  out.max_fail = reader.integer("max_fail", out.max_fail, 0, 1'000'000);
  if (reader.has("confirm")) out.confirm = one_of(reader, "confirm", {"auto", "manual"});
  reader.finish();
  return out;
}

// A list of mappings, each with a name of its own, which `read` returns.
template <typename Read>
void each(Reader& reader, const std::string& key, const Read& read) {
  const Value* list = reader.optional(key);
  if (!list) return;
  if (!list->is_array())
    throw reader.error_at(*list, fmt::format("`{}` must be a list, found {}", key, list->type_name()));
  size_t index = 0;
  std::set<std::string> names;
  for (const Value& item : list->as_array()) {
    const std::string name = read(Reader(reader.file(), item, fmt::format("{}[{}]", key, index++)));
    if (!names.insert(name).second) throw reader.error_at(item, fmt::format("`{}` is in `{}` twice", name, key));
  }
}

void read_maps(Reader& reader, AppConfig& out) {
  out.env = reader.string_map("env");
  for (const auto& item : out.env) {
    if (!is_env_name(item.first)) refuse(reader, "env", item.first);
  }
  out.static_files = reader.string_map("static");
  for (const auto& [prefix, directory] : out.static_files) {
    if (!is_url_prefix(prefix)) refuse(reader, "static", prefix);
    if (!is_inner_path(directory)) refuse(reader, "static", directory);
  }
  if (auto gateway = reader.object("gateway")) {
    out.gateway_hosts = gateway->strings("hosts");
    for (const std::string& host : out.gateway_hosts) {
      if (!is_host_name(host)) refuse(*gateway, "hosts", host);
    }
    gateway->finish();
  }
  if (auto hooks = reader.object("hooks")) {
    for (const auto& item : hooks->value().as_object()) {
      if (!is_instance_name(item.first)) refuse(reader, "hooks", item.first);
      out.hooks[item.first] = hooks->strings(item.first);
    }
  }
}

}  // namespace

Value to_value(const AppConfig& config) {
  Value targets = Value::array(), instances = Value::array(), stages = Value::array(), hooks = Value::object();
  for (const auto& [python, platform] : config.targets) {
    targets.push_back(Value::object({{"python", python}, {"platform", platform}}));
  }
  for (const Instance& instance : config.instances) instances.push_back(instance_value(instance));
  for (const StageConfig& stage : config.stages) stages.push_back(stage_value(stage));
  for (const auto& [point, commands] : config.hooks) hooks.set(point, Value::strings(commands));
  return Value::object({{"format", kFormat},
                        {"name", config.name},
                        {"version", config.version},
                        {"revision", config.revision},
                        {"python", config.python},
                        {"targets", std::move(targets)},
                        {"instances", std::move(instances)},
                        {"env", map_value(config.env)},
                        {"resources", Value::strings(config.resources)},
                        {"static", map_value(config.static_files)},
                        {"gateway", Value::object({{"hosts", Value::strings(config.gateway_hosts)}})},
                        {"hooks", std::move(hooks)},
                        {"stages", std::move(stages)},
                        {"lock_digest", config.lock_digest}});
}

AppConfig app_config_from_value(const Document& document) {
  Reader reader(document);
  AppConfig out;
  reader.integer("format", kFormat, kFormat, kFormat);
  out.name = checked(reader, "name", is_app_name);
  out.version = reader.string("version");
  out.revision = reader.string("revision");
  out.python = reader.string("python");
  each(reader, "targets", [&](Reader target) {
    const std::string python = checked(target, "python", is_python_minor);
    const std::string platform = checked(target, "platform", is_platform);
    target.finish();
    out.targets.emplace_back(python, platform);
    return python + " " + platform;
  });
  each(reader, "instances", [&](Reader item) {
    out.instances.push_back(read_instance(std::move(item)));
    return out.instances.back().name;
  });
  out.resources = reader.strings("resources");
  for (const std::string& resource : out.resources) {
    if (!is_instance_name(resource)) refuse(reader, "resources", resource);
  }
  read_maps(reader, out);
  each(reader, "stages", [&](Reader item) {
    out.stages.push_back(read_stage(std::move(item)));
    return out.stages.back().name;
  });
  out.lock_digest = reader.string("lock_digest");
  reader.finish();
  return out;
}

std::vector<StageConfig> default_stages() {
  StageConfig pre, prod;
  pre.name = pre.group = "pre";
  prod.name = prod.group = "prod";
  return {pre, prod};
}

}  // namespace dae::mirror
