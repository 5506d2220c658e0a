#pragma once
// Shared by the parts of the process runner (process*.cc); nobody else includes it.
#include <spawn.h>
#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/process.h"

namespace dae {

// Owns the lists that posix_spawn wants. Attributes: no signal blocked, all dispositions default (ours ignores
// SIGPIPE, and an ignored signal would be inherited), every descriptor from 3 on closed.
class SpawnArguments {
 public:
  SpawnArguments();
  ~SpawnArguments();
  SpawnArguments(const SpawnArguments&) = delete;
  SpawnArguments& operator=(const SpawnArguments&) = delete;
  void attach(int fd, int as);
  pid_t start(const ProcessSpec& spec, bool own_group);

 private:
  void set_attributes(const ProcessSpec& spec, bool own_group);
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

ProcessResult run_process(const ProcessSpec& spec);
int code_from_status(int wait_status);
Fd open_for_child(const Path& path, int flags);
Fd open_pidfd(pid_t pid);
const std::string& boot_id();
// Like identify_process, but a zombie has an identity too.
std::optional<ProcessIdentity> identify_even_ended(pid_t pid);

}  // namespace dae
