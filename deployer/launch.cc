#include "deployer/launch.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/process.h"
#include "base/strings.h"
#include "resolver/install/environment.h"

namespace dae::deployer {
namespace {

constexpr std::string_view kUnixPrefix = "unix:";

std::string subject_of(const mirror::Instance& instance) {
  return "instances." + instance.name;
}

// `$NAME` and `${NAME}` of the two variables that we set, and of nothing else: there is no shell.
std::string with_variable(std::string word, const std::string& name, const std::string& value) {
  word = replace_all(std::move(word), "${" + name + "}", value);
  size_t at = 0;
  while ((at = word.find("$" + name, at)) != std::string::npos) {
    const size_t end = at + 1 + name.size();
    const bool longer_name = end < word.size() && (isalnum(static_cast<unsigned char>(word[end])) || word[end] == '_');
    if (longer_name) {
      at = end;
      continue;
    }
    word.replace(at, name.size() + 1, value);
    at += value.size();
  }
  return word;
}

std::vector<std::string> command_of(const mirror::Instance& instance, const Launch& launch) {
  std::vector<std::string> argv;
  try {
    argv = split_command(instance.command);
  } catch (const Error& error) {
    throw Error(ErrorKind::bad_input, error.message(), subject_of(instance));
  }
  if (argv.empty()) {
    throw Error(ErrorKind::bad_input, fmt::format("the command of instance `{}` is empty", instance.name),
                subject_of(instance));
  }
  for (std::string& word : argv) {
    for (const char* name : {"DAE_SOCKET", "PORT"}) {
      const auto value = launch.env.find(name);
      if (value != launch.env.end()) word = with_variable(word, name, value->second);
    }
  }
  return argv;
}

// gunicorn 25.1 and later open a control socket at one path for all instances of an account; older ones do not know the
// option that turns it off. The installed program's own settings tell.
bool has_control_socket(const Path& env_dir) {
  for (const std::string& python : list_dir(env_dir / "lib")) {
    const auto settings = read_file_if_exists(env_dir / "lib" / python / "site-packages/gunicorn/config.py", 4u << 20);
    if (settings && settings->find("--no-control-socket") != std::string::npos) return true;
  }
  return false;
}

std::vector<std::string> gunicorn_of(const mirror::Instance& instance, const Path& env_dir, const Path& source_dir,
                                     const std::string& bind, bool reload) {
  const Path program = env_dir / "bin" / "gunicorn";
  if (!exists(program)) {
    throw Error(ErrorKind::not_found,
                fmt::format("instance `{}` needs gunicorn, which is not installed", instance.name),
                subject_of(instance), "`dae install gunicorn`, or give the instance a `command`");
  }
  std::vector<std::string> argv = {program.string(),
                                   "--bind",
                                   bind,
                                   "--workers",
                                   std::to_string(instance.workers),
                                   "--chdir",
                                   source_dir.string(),
                                   "--graceful-timeout",
                                   "30"};
  if (reload) argv.push_back("--reload");
  if (has_control_socket(env_dir)) argv.push_back("--no-control-socket");
  argv.push_back(instance.wsgi);
  return argv;
}

}  // namespace

Launch launch_instance(const mirror::AppConfig& app, const mirror::Instance& instance, const Path& env_dir,
                       const Path& source_dir, const std::string& bind, bool reload) {
  Launch launch;
  launch.env = resolver::environment_variables(env_dir);
  for (const auto& [key, value] : app.env) launch.env[key] = value;
  launch.env["DAE_APP"] = app.name;
  launch.env["DAE_VERSION"] = app.version;
  launch.env["DAE_INSTANCE"] = instance.name;
  // Lines reach the log when they are printed, not when a buffer is full.
  launch.env.try_emplace("PYTHONUNBUFFERED", "1");

  const bool on_socket = bind.starts_with(kUnixPrefix);
  if (on_socket) {
    launch.env["DAE_SOCKET"] = bind.substr(kUnixPrefix.size());
  } else if (const size_t colon = bind.rfind(':'); colon != std::string::npos) {
    launch.env["PORT"] = bind.substr(colon + 1);
  }

  if (!instance.command.empty()) {
    const bool wants_port = instance.command.find("PORT") != std::string::npos;
    const bool wants_socket = instance.command.find("DAE_SOCKET") != std::string::npos;
    if (instance.type == "web" && on_socket && wants_port && !wants_socket) {
      throw Error(ErrorKind::bad_input,
                  fmt::format("the command of instance `{}` listens on $PORT, but a node gives it a unix socket",
                              instance.name),
                  subject_of(instance), "let it listen on `$DAE_SOCKET`");
    }
    launch.argv = command_of(instance, launch);
  } else if (instance.type == "web" && !instance.wsgi.empty()) {
    launch.argv = gunicorn_of(instance, env_dir, source_dir, bind, reload);
  } else {
    throw Error(ErrorKind::bad_input,
                fmt::format("instance `{}` has {}", instance.name,
                            instance.type == "web" ? "neither `wsgi` nor `command`" : "no `command`"),
                subject_of(instance));
  }
  return launch;
}

}  // namespace dae::deployer
