#include "resolver/install/env_state.h"

#include <algorithm>

#include "base/error.h"
#include "base/value.h"

namespace dae::resolver {
namespace {

constexpr int kFormat = 1;
constexpr const char* kFile = "dae-env.json";

Value to_value(std::vector<InstalledPackage> packages) {
  std::ranges::sort(packages, {}, &InstalledPackage::name);
  Value out = Value::array();
  for (const InstalledPackage& package : packages) {
    out.push_back(Value::object({{"name", package.name},
                                 {"version", package.version},
                                 {"digest", package.digest},
                                 {"dist_info", package.dist_info}}));
  }
  return out;
}

std::vector<InstalledPackage> to_packages(const Value* list) {
  std::vector<InstalledPackage> out;
  if (list == nullptr) return out;
  for (const Value& item : list->as_array()) {
    out.push_back({item.at("name").as_string(), item.at("version").as_string(), item.at("digest").as_string(),
                   item.at("dist_info").as_string()});
    const std::string& dir = out.back().dist_info;
    if (dir.find('/') != std::string::npos || !dir.ends_with(".dist-info")) {
      throw Error(ErrorKind::bad_input, "not the name of a dist-info directory: `" + dir + "`");
    }
  }
  return out;
}

}  // namespace

bool same_interpreter(const EnvState& state, const Interpreter& python) {
  return state.python == python.real_executable.string() && state.python_version == python.version &&
         state.cache_tag == python.cache_tag;
}

std::optional<EnvState> read_env_state(const Path& env) {
  const Path path = env / kFile;
  const auto text = read_file_if_exists(path, 64 << 20);
  if (!text) return std::nullopt;
  const char* hint = "remove the environment; the next install makes it anew";
  try {
    const Value root = parse_json(*text, path.string()).root;
    if (root.get_integer("format") != kFormat) {
      throw Error(ErrorKind::bad_input, "written by another version of dae", path.string(), hint);
    }
    EnvState out;
    out.prefix = root.at("prefix").as_string();
    const Value& python = root.at("python");
    out.python = python.at("executable").as_string();
    out.python_version = python.at("version").as_string();
    out.cache_tag = python.at("cache_tag").as_string();
    out.ready = root.get_bool("ready");
    out.made_here = root.get_bool("made_here");
    out.link_mode = root.get_string("link_mode");
    out.packages = to_packages(root.find("packages"));
    out.applying = to_packages(root.find("applying"));
    return out;
  } catch (const Error& error) {
    if (error.subject() == path.string()) throw;
    throw Error(ErrorKind::bad_input, "cannot be read", path.string(), hint).because(error.what());
  }
}

void write_env_state(const Path& env, EnvState state, Durability durability) {
  Value root = Value::object({{"format", kFormat},
                              {"prefix", state.prefix},
                              {"python", Value::object({{"executable", state.python},
                                                        {"version", state.python_version},
                                                        {"cache_tag", state.cache_tag}})},
                              {"ready", state.ready},
                              {"made_here", state.made_here},
                              {"link_mode", state.link_mode},
                              {"packages", to_value(std::move(state.packages))}});
  if (!state.applying.empty()) root.set("applying", to_value(std::move(state.applying)));
  write_file_atomic(env / kFile, pretty_json(root), 0644, durability);
}

}  // namespace dae::resolver
