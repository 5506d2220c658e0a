#include "cli/context.h"

#include <unistd.h>

#include "base/error.h"
#include "base/strings.h"
#include "cli/build_tools.h"
#include "cli/local_state.h"
#include "cli/user_config.h"
#include "resolver/install/interpreter_choice.h"

namespace dae::cli {

Transport& Context::transport() {
  if (!transport_) transport_ = make_http_client();
  return *transport_;
}

Transport& Context::transport_for_index(const Path& ca_file) {
  if (!index_transport_) {
    HttpClientOptions options;
    options.ca_file = ca_file;
    options.offline = globals.offline;
    // Over HTTP/1.1 a connection carries one request at a time, and each takes a round trip.
    options.max_per_host = 50;
    options.max_total = 100;
    index_transport_ = make_http_client(options);
  }
  return *index_transport_;
}

resolver::CredentialStore& Context::credentials() {
  if (!credentials_) {
    const bool keyring = env_var("DAE_KEYRING").value_or(read_user_config().keyring) == "1";
    credentials_ = std::make_unique<resolver::CredentialStore>(keyring ? runner.get() : nullptr);
  }
  return *credentials_;
}

std::shared_ptr<resolver::BuildSandbox> Context::build_sandbox() {
  if (!build_sandbox_) build_sandbox_ = std::make_shared<resolver::BuildSandbox>(build_settings());
  return build_sandbox_;
}

BlobStore& Context::blobs() {
  if (!blobs_) blobs_ = open_blob_store(blobs_dir());
  return *blobs_;
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
  std::string url = find_mirror_url(flag);
  if (url.empty())
    throw Error(
        ErrorKind::usage, "no mirror is configured", "",
        "start one with `dae local up`, or set DAE_MIRROR or `mirror:` in " + (config_dir() / "config.yaml").string());
  return url;
}

std::string control_url(const std::string& flag) {
  std::string url = flag;
  if (url.empty()) url = env_var("DAE_CONTROL").value_or("");
  if (url.empty()) url = read_user_config().control;
  if (url.empty())
    if (auto local = read_local_state(default_local_root())) url = local->control_url;
  if (url.empty())
    throw Error(ErrorKind::usage, "no control plane is configured", "",
                "start one with `dae local up`, or set DAE_CONTROL or `control:` in " +
                    (config_dir() / "config.yaml").string());
  return without_end_slash(url);
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

namespace {

// What app.yaml does not say, the project may. A text that is no specifier is complained of where projects are read.
std::string requires_python_of(const Path& project) {
  const auto text = read_file_if_exists(project, 16 << 20);
  if (!text || text->find("requires-python") == std::string::npos) return "";
  const Value root = parse_toml(*text, project.string()).root;
  const Value* table = root.find("project");
  const Value* found = table != nullptr ? table->find("requires-python") : nullptr;
  return found != nullptr && found->is_string() && resolver::SpecifierSet::try_parse(found->as_string())
             ? found->as_string()
             : "";
}

}  // namespace

resolver::Interpreter interpreter_for(Context& context, const builder::AppFile& app, const std::string& flag) {
  resolver::InterpreterChoice choice{flag, app.dir, app.config.python, "app.yaml"};
  if (choice.allowed.empty()) {
    choice.allowed = requires_python_of(app.dir / "pyproject.toml");
    choice.allowed_origin = "pyproject.toml";
  }
  return resolver::choose_interpreter(*context.runner, choice);
}

}  // namespace dae::cli
