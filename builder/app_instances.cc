// `instances:` and `rollout:` of app.yaml.
#include <fmt/format.h>

#include <algorithm>

#include "base/strings.h"
#include "builder/app_reader.h"
#include "mirror/artifact/app_rules.h"

namespace dae::builder::app_reader {

namespace {

constexpr int64_t kMostProcesses = 1000;
constexpr size_t kMostInstances = 100;

bool is_python_name(std::string_view text, bool dots) {
  const auto parts = split(text, '.');
  return (dots || parts.size() == 1) && std::all_of(parts.begin(), parts.end(), [](const std::string& part) {
           return mirror::is_env_name(part);  // the same rule: letters, digits and `_`, no digit in front
         });
}

// "package.module:callable"
bool is_wsgi(std::string_view text) {
  const size_t colon = text.find(':');
  return colon != std::string_view::npos && is_python_name(text.substr(0, colon), true) &&
         is_python_name(text.substr(colon + 1), true);
}

bool is_cron_number(std::string_view text, int64_t low, int64_t high) {
  if (text.size() > 2) return false;
  const auto number = parse_int(text);
  return number && *number >= low && *number <= high;
}

// A list of `*`, `n`, `n-m`, each with an optional `/step`.
bool is_cron_field(const std::string& field, int64_t low, int64_t high) {
  const auto items = split(field, ',');
  return std::all_of(items.begin(), items.end(), [&](std::string_view item) {
    if (const size_t slash = item.find('/'); slash != std::string_view::npos) {
      if (!is_cron_number(item.substr(slash + 1), 1, high)) return false;
      item = item.substr(0, slash);
    }
    if (item == "*") return true;
    const size_t dash = item.find('-');
    if (dash == std::string_view::npos) return is_cron_number(item, low, high);
    return is_cron_number(item.substr(0, dash), low, high) && is_cron_number(item.substr(dash + 1), low, high) &&
           *parse_int(item.substr(0, dash)) <= *parse_int(item.substr(dash + 1));
  });
}

bool is_schedule(std::string_view text) {
  std::vector<std::string> fields;
  for (const std::string& field : split(text, ' ')) {
    if (!field.empty()) fields.push_back(field);
  }
  return fields.size() == 5 && is_cron_field(fields[0], 0, 59) && is_cron_field(fields[1], 0, 23) &&
         is_cron_field(fields[2], 1, 31) && is_cron_field(fields[3], 1, 12) && is_cron_field(fields[4], 0, 7);
}

bool is_absolute_url_path(std::string_view text) {
  return text.starts_with('/') && std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7F; });
}

mirror::HealthCheck read_health(Reader reader) {
  mirror::HealthCheck out;
  if (const Value* path = reader.optional("path")) {
    out.path = reader.string("path");
    require(reader, *path, is_absolute_url_path, out.path, "a path of a URL", "it starts with `/`");
  }
  out.interval_ms = reader.duration_ms("interval", out.interval_ms);
  out.timeout_ms = reader.duration_ms("timeout", out.timeout_ms);
  for (const char* key : {"interval", "timeout"}) {
    const Value* node = reader.optional(key);
    const int64_t duration_ms = std::string_view(key) == "interval" ? out.interval_ms : out.timeout_ms;
    if (node && (duration_ms < 10 || duration_ms > 3'600'000)) {
      throw reader.error_at(*node, fmt::format("`{}` must be between 10ms and 1h", dotted(reader, key)));
    }
  }
  out.passes = static_cast<int>(reader.integer("passes", out.passes, 1, 100));
  reader.finish();
  return out;
}

std::string read_type(Reader& reader, const std::string& name) {
  const std::vector<std::string> known{"web", "daemon", "cron", "service"};
  if (!reader.has("type") && name == "web") return reader.string("type", "web");
  const std::string type = reader.required_string("type");
  if (std::find(known.begin(), known.end(), type) == known.end()) {
    const std::string nearest = nearest_name(type, known);
    throw reader.error_at(reader.required("type"), fmt::format("`{}` is no type of instance", type),
                          nearest.empty() ? "types: " + join(known, ", ") : fmt::format("did you mean `{}`?", nearest));
  }
  return type;
}

void read_web(Reader& reader, mirror::Instance& out) {
  if (const Value* wsgi = reader.optional("wsgi")) {
    out.wsgi = reader.required_string("wsgi");
    require(reader, *wsgi, is_wsgi, out.wsgi, "a WSGI application", "write `package.module:callable`");
  }
  out.workers = reader.integer("workers", out.workers, 1, kMostProcesses);
  if (auto health = reader.object("health")) out.health = read_health(*health);
  if (out.wsgi.empty() && out.command.empty()) {
    throw reader.error_at(at_key(reader.value()), fmt::format("`{}` needs `wsgi` or `command`", reader.where()));
  }
}

mirror::Instance read_instance(Reader reader, const std::string& name) {
  mirror::Instance out;
  out.name = name;
  out.type = read_type(reader, name);
  if (const Value* command = reader.optional("command")) {
    out.command = reader.required_string("command");
    require_command(reader, *command, out.command);
  }
  if (out.type == "web") {
    read_web(reader, out);
  } else {
    if (out.type == "service") refuse_unsupported(reader, {"protocol", "interface", "handler"});
    reader.required("command");
    if (out.type == "cron") {
      out.schedule = reader.required_string("schedule");
      require(reader, reader.required("schedule"), is_schedule, out.schedule, "a cron schedule",
              "five fields: minute hour day month weekday");
    } else {
      out.count = reader.integer("count", out.count, 0, kMostProcesses);
    }
  }
  reader.finish();
  return out;
}

// `batches: [1, 25%, 100%]`: YAML reads the first as a number.
std::vector<std::string> read_batches(Reader& reader, std::vector<std::string> fallback) {
  const Value* list = reader.optional("batches");
  if (!list) return fallback;
  const std::string what = dotted(reader, "batches");
  if (!list->is_array() || list->size() == 0) {
    throw reader.error_at(*list, fmt::format("`{}` must be a list that is not empty", what));
  }
  std::vector<std::string> out;
  for (const Value& item : list->as_array()) {
    const std::string text = item.is_integer()  ? std::to_string(item.as_integer())
                             : item.is_string() ? item.as_string()
                                                : std::string(item.type_name());
    require(reader, item, mirror::is_batch, text, "a batch", "write a number of nodes, or a share: `25%`");
    out.push_back(text);
  }
  return out;
}

void check_gates(Reader& reader) {
  const std::vector<std::string> gates = reader.strings("gates");
  const Value* list = reader.optional("gates");
  for (size_t i = 0; i < gates.size(); ++i) {
    if (gates[i] == "health") continue;  // always on
    throw reader.error_at(list->is_array() ? list->as_array()[i] : *list,
                          fmt::format("gate `{}` is not supported yet", gates[i]), "supported: health");
  }
}

mirror::StageConfig read_stage(Reader reader, const std::string& name) {
  mirror::StageConfig out;
  out.name = name;
  out.group = reader.string("group", name);
  if (const Value* group = reader.optional("group")) {
    require(reader, *group, mirror::is_instance_name, out.group, "a group's name");
  }
  out.batches = read_batches(reader, out.batches);
  out.bake_ms = reader.duration_ms("bake", out.bake_ms);
  out.max_fail = reader.integer("max_fail", out.max_fail, 0, 1'000'000);
  out.confirm = reader.string("confirm", out.confirm);
  if (out.confirm != "auto" && out.confirm != "manual") {
    throw reader.error_at(reader.required("confirm"),
                          fmt::format("`{}` must be `auto` or `manual`", dotted(reader, "confirm")));
  }
  check_gates(reader);
  reader.finish();
  return out;
}

}  // namespace

std::vector<mirror::Instance> read_instances(Reader& root) {
  const Value& all = root.required("instances");
  const Reader reader(root.file(), all, "instances");
  if (all.size() == 0) throw root.error_at(all, "`instances` is empty: there is nothing to run");
  if (all.size() > kMostInstances) throw root.error_at(all, fmt::format("more than {} instances", kMostInstances));
  std::vector<mirror::Instance> out;
  for (const auto& [name, value] : all.as_object()) {
    require(reader, at_key(value), mirror::is_instance_name, name, "an instance's name",
            "a lower-case letter, then letters, digits, `-` and `_`");
    out.push_back(read_instance(Reader(root.file(), value, "instances." + name), name));
  }
  return out;
}

std::vector<mirror::StageConfig> read_rollout(Reader& root) {
  std::vector<mirror::StageConfig> out;
  const auto reader = root.object("rollout");
  if (!reader) return out;
  for (const auto& [name, value] : reader->value().as_object()) {
    require(*reader, at_key(value), mirror::is_instance_name, name, "a stage's name");
    out.push_back(read_stage(Reader(root.file(), value, "rollout." + name), name));
    for (size_t i = 0; i + 1 < out.size(); ++i) {
      if (out[i].group != out.back().group) continue;
      throw reader->error_at(
          at_key(value), fmt::format("stages `{}` and `{}` both use the group `{}`", out[i].name, name, out[i].group));
    }
  }
  return out;
}

}  // namespace dae::builder::app_reader
