#include "cli/context.h"

#include <unistd.h>

#include "base/error.h"
#include "base/strings.h"
#include "cli/local_state.h"

namespace dae::cli {
namespace {

// ~/.config/dae/config.yaml: {index, mirror, control}
struct UserConfig {
  std::string index, mirror, control;
};

UserConfig user_config() {
  UserConfig config;
  Path file = config_dir() / "config.yaml";
  if (!exists(file)) return config;
  Document document = read_yaml_file(file);
  Reader reader(document);
  config.index = reader.string("index");
  config.mirror = reader.string("mirror");
  config.control = reader.string("control");
  reader.finish();
  return config;
}

std::string without_trailing_slash(std::string url) {
  while (!url.empty() && url.back() == '/') url.pop_back();
  return url;
}

// Empty when nobody says.
std::string find_mirror(const std::string& flag) {
  std::string url = flag;
  if (url.empty()) url = env_var("DAE_MIRROR").value_or("");
  if (url.empty()) url = user_config().mirror;
  if (url.empty())
    if (auto local = read_local_state(default_local_root())) url = local->mirror_url;
  return without_trailing_slash(url);
}

}  // namespace

Transport& Context::transport() {
  if (!transport_) transport_ = make_http_client();
  return *transport_;
}

Transport& Context::transport_for_index(const Path& ca_file) {
  if (!index_transport_) {
    HttpClientOptions options;
    options.ca_file = ca_file;
    options.offline = globals.offline;
    index_transport_ = make_http_client(options);
  }
  return *index_transport_;
}

void Context::print(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
}

void Context::say(std::string_view line) {
  if (globals.quiet) return;
  std::fflush(stdout);
  std::string text(line);
  text += '\n';
  std::fwrite(text.data(), 1, text.size(), stderr);
}

void Context::print_json(const Value& value) {
  print(pretty_json(value) + "\n");
}

Path self_executable() {
  if (auto target = read_link("/proc/self/exe")) return *target;
  throw Error(ErrorKind::io, "cannot find our own executable", "/proc/self/exe");
}

Path share_dir() {
  if (auto dir = env_var("DAE_SHARE")) return *dir;
  Path installed = self_executable().parent_path().parent_path() / "share" / "dae";
  if (exists(installed / "templates")) return installed;
  if (exists(Path(DAE_SOURCE_SHARE) / "templates")) return DAE_SOURCE_SHARE;
  throw Error(ErrorKind::not_found, "the data folder is missing", installed.string(),
              "install with `cmake --install`, or set DAE_SHARE");
}

std::string mirror_url(const std::string& flag) {
  std::string url = find_mirror(flag);
  if (url.empty())
    throw Error(
        ErrorKind::usage, "no mirror is configured", "",
        "start one with `dae local up`, or set DAE_MIRROR or `mirror:` in " + (config_dir() / "config.yaml").string());
  return url;
}

std::string control_url(const std::string& flag) {
  std::string url = flag;
  if (url.empty()) url = env_var("DAE_CONTROL").value_or("");
  if (url.empty()) url = user_config().control;
  if (url.empty())
    if (auto local = read_local_state(default_local_root())) url = local->control_url;
  if (url.empty())
    throw Error(ErrorKind::usage, "no control plane is configured", "",
                "start one with `dae local up`, or set DAE_CONTROL or `control:` in " +
                    (config_dir() / "config.yaml").string());
  return without_trailing_slash(url);
}

IndexChoice choose_index(Context& context, const std::string& flag) {
  IndexChoice choice;
  std::string url = flag;
  if (url.empty()) url = env_var("DAE_INDEX").value_or("");
  if (url.empty()) url = user_config().index;
  if (url.empty())
    if (std::string mirror = find_mirror(""); !mirror.empty()) {
      url = mirror + "/pypi/simple/";
      choice.label = "mirror";
    }
  if (!url.empty() && url != "pip") {
    if (url.back() != '/') url += '/';
    if (choice.label.empty()) choice.label = url;
    choice.indexes = {url};
    return choice;
  }
  resolver::PipIndex pip = resolver::pip_index(*context.runner);
  choice.indexes.emplace_back(pip.index_url);
  for (const std::string& extra : pip.extra_index_urls) choice.indexes.emplace_back(extra);
  choice.ca_file = pip.ca_file;
  choice.label = pip.origin;
  return choice;
}

Path blobs_dir() {
  return cache_dir() / "blobs";
}
Path unpacked_dir() {
  return cache_dir() / "unpacked";
}

std::string app_name_or_here(const std::string& argument) {
  if (!argument.empty()) return argument;
  return builder::find_app_file(std::filesystem::current_path()).config.name;
}

resolver::Interpreter interpreter_for(Context& context, const builder::AppFile& app, const std::string& flag) {
  return resolver::find_interpreter(*context.runner, flag, resolver::SpecifierSet::parse(app.config.python));
}

}  // namespace dae::cli
