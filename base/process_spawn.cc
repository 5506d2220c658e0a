#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"
#include "base/process_internal.h"

extern char** environ;

namespace dae {
namespace {

std::map<std::string, std::string> environment_for(const ProcessSpec& spec) {
  std::map<std::string, std::string> out = spec.env;
  for (char** entry = spec.inherit_env ? environ : nullptr; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const size_t equals = text.find('=');
    if (equals != std::string_view::npos) out.try_emplace(std::string(text.substr(0, equals)), text.substr(equals + 1));
  }
  return out;
}

Path program_for(const ProcessSpec& spec, const std::map<std::string, std::string>& env) {
  if (spec.argv.empty()) throw Error(ErrorKind::bad_input, "there is no program to run");
  const std::string& name = spec.argv[0];
  if (name.find('/') != std::string::npos) return name;
  const auto path = env.find("PATH");
  if (auto found = find_program(name, path == env.end() ? "/usr/local/bin:/usr/bin:/bin" : path->second)) return *found;
  throw Error(ErrorKind::not_found, "cannot find program `" + name + "`", name, "is it installed and in the PATH?");
}

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> out;
  for (std::string& word : words) out.push_back(word.data());
  out.push_back(nullptr);
  return out;
}

}  // namespace

SpawnArguments::SpawnArguments() {
  ::posix_spawn_file_actions_init(&actions_);
  ::posix_spawnattr_init(&attributes_);
}

SpawnArguments::~SpawnArguments() {
  ::posix_spawn_file_actions_destroy(&actions_);
  ::posix_spawnattr_destroy(&attributes_);
}

void SpawnArguments::attach(int fd, int as) {
  ::posix_spawn_file_actions_adddup2(&actions_, fd, as);
}

void SpawnArguments::set_attributes(const ProcessSpec& spec, bool own_group) {
  sigset_t none, all;
  ::sigemptyset(&none);
  ::sigfillset(&all);
  ::posix_spawnattr_setsigmask(&attributes_, &none);
  ::posix_spawnattr_setsigdefault(&attributes_, &all);
  int flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
  if (spec.own_session) flags |= POSIX_SPAWN_SETSID;
  if (own_group && !spec.own_session) flags |= POSIX_SPAWN_SETPGROUP;
  ::posix_spawnattr_setflags(&attributes_, static_cast<short>(flags));
}

// All strings and lists are made here, in the parent: the child only makes system calls.
pid_t SpawnArguments::start(const ProcessSpec& spec, bool own_group) {
  const auto env = environment_for(spec);
  const Path program = program_for(spec, env);
  std::vector<std::string> assignments;
  for (const auto& [key, value] : env) assignments.push_back(key + "=" + value);
  std::vector<std::string> words = spec.argv;
  auto argv = pointers(words), envp = pointers(assignments);
  set_attributes(spec, own_group);
  if (!spec.cwd.empty()) ::posix_spawn_file_actions_addchdir_np(&actions_, spec.cwd.c_str());
  ::posix_spawn_file_actions_addclosefrom_np(&actions_, 3);

  pid_t pid = 0;
  const int code = ::posix_spawn(&pid, program.c_str(), &actions_, &attributes_, argv.data(), envp.data());
  if (code == 0) return pid;
  if (!spec.cwd.empty() && !exists(spec.cwd)) {
    throw os_error("cannot change to `" + spec.cwd.string() + "`", spec.cwd.string(), code);
  }
  throw os_error("cannot start `" + spec.argv[0] + "`", program.string(), code);
}

int code_from_status(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

Fd open_for_child(const Path& path, int flags) {
  Fd fd(::open(path.c_str(), flags | O_CLOEXEC, 0640));
  if (!fd.valid()) throw os_error("cannot open `" + path.string() + "`", path.string(), errno);
  return fd;
}

Fd open_pidfd(pid_t pid) {
  return Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

}  // namespace dae
