// nginx as a daemon of its own: it outlives the agent and is found again through its pid file. A pid counts as ours
// only when the command line of its process names our configuration.
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "base/clock.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/strings.h"
#include "deployer/gateway.h"
#include "deployer/gateway_config.h"

namespace dae::deployer {
namespace {

constexpr int64_t kCommandTimeoutMs = 20'000;
constexpr int64_t kReloadWaitMs = 3000;
constexpr int64_t kQuitWaitMs = 5000;
constexpr uint64_t kAccessLogLimitBytes = 64ull << 20;

std::string proc_text(pid_t pid, const char* file) {
  try {
    return read_file(Path("/proc") / std::to_string(pid) / file, 1u << 20);
  } catch (const Error&) {
    return "";  // it ended meanwhile
  }
}

class NginxGateway final : public Gateway {
 public:
  NginxGateway(ProcessRunner& runner, const NginxOptions& options, Path program)
      : runner_(runner), options_(options), program_(std::move(program)) {
    for (const char* dir : {"conf", "logs", "temp"}) make_dirs(options_.root / dir);
  }

  void apply(const std::vector<GatewayApp>& apps) override {
    const std::string config = nginx_config(options_, apps, ::geteuid() == 0);
    const std::string types = read_file(options_.templates / "types.conf", 1u << 20);
    const std::string digest = Digest::of(config + types).hex();
    const auto master = find_master();
    // `loaded` is written after nginx has taken the configuration: a crash in between repeats the reload.
    if (master && read_file_if_exists(loaded_file()) == digest) return;
    write_file_atomic(options_.root / "conf/types.conf", types, 0644, Durability::none);
    const Path candidate = options_.root / "conf" / "candidate.conf";
    write_file_atomic(candidate, config, 0644, Durability::none);
    test(candidate);
    rename_path(candidate, config_file());
    if (master) {
      reload(*master);
    } else {
      start();
    }
    write_file_atomic(loaded_file(), digest, 0644, Durability::none);
  }

  bool running() override {
    const auto master = find_master();
    if (master) rotate_access_log(*master);
    return master.has_value();
  }

  void stop() override {
    const auto master = find_master();
    if (!master) return;
    runner_.signal(*master, SIGQUIT, false);
    if (!wait_until(kQuitWaitMs, [&] { return !runner_.alive(*master); })) {
      runner_.signal(*master, SIGTERM, false);
      wait_until(kQuitWaitMs, [&] { return !runner_.alive(*master); });
    }
  }

 private:
  Path config_file() const { return options_.root / "conf" / "nginx.conf"; }
  Path loaded_file() const { return options_.root / "conf" / "loaded"; }
  Path error_log() const { return options_.root / "logs" / "error.log"; }

  template <typename Condition>
  bool wait_until(int64_t timeout_ms, Condition condition) {
    for (const int64_t end_ms = clock_.monotonic_ms() + timeout_ms; !condition(); clock_.sleep_ms(5)) {
      if (clock_.monotonic_ms() > end_ms) return false;
    }
    return true;
  }

  std::optional<ProcessIdentity> find_master() {
    const auto text = read_file_if_exists(options_.root / "nginx.pid", 4096);
    const auto pid = text ? parse_int(trim(*text)) : std::nullopt;
    if (!pid) return std::nullopt;
    const auto identity = identify_process(static_cast<pid_t>(*pid));
    if (!identity || proc_text(identity->pid, "cmdline").find(config_file().string()) == std::string::npos) {
      return std::nullopt;
    }
    return identity;
  }

  ProcessResult nginx(std::vector<std::string> arguments) {
    ProcessSpec spec;
    spec.argv = {program_.string(), "-p", options_.root.string(), "-e", error_log().string()};
    spec.argv.insert(spec.argv.end(), arguments.begin(), arguments.end());
    spec.timeout_ms = kCommandTimeoutMs;
    return runner_.run(spec);
  }

  void test(const Path& file) {
    const ProcessResult result = nginx({"-t", "-q", "-c", file.string()});
    if (result.exit_code == 0) return;
    throw Error(ErrorKind::bad_input, "nginx refuses the gateway's configuration", file.string())
        .because(std::string(trim(result.err)));
  }

  void start() {
    const ProcessResult result = nginx({"-c", config_file().string()});
    if (result.exit_code == 0) {
      // The parent leaves once the sockets listen; the pid file is written by the child.
      if (wait_until(kReloadWaitMs, [&] { return find_master().has_value(); })) return;
      throw Error(ErrorKind::failed, "nginx started but is not there", "", "see " + error_log().string());
    }
    const std::string where = fmt::format("{}:{}", options_.address, options_.port);
    if (result.err.find("Address already in use") != std::string::npos) {
      throw Error(ErrorKind::refused, fmt::format("the gateway's port {} is in use", options_.port), where,
                  "choose another with `--gateway-port`");
    }
    throw Error(ErrorKind::failed, "nginx does not start", where).because(std::string(trim(result.err)));
  }

  // Signals return at once. The new configuration counts as loaded when a new worker is up and the old ones have been
  // told to leave: for about 100 ms in between both accept connections.
  void reload(const ProcessIdentity& master) {
    const auto before = workers_of(master.pid);
    if (!runner_.signal(master, SIGHUP, false)) {
      start();
      return;
    }
    const bool renewed = wait_until(kReloadWaitMs, [&] {
      const auto now = workers_of(master.pid);
      const auto is_old = [&](const std::string& pid) { return before.contains(pid); };
      return !now.empty() && std::none_of(now.begin(), now.end(), is_old);
    });
    if (!renewed) throw Error(ErrorKind::failed, "nginx did not reload", "", "see " + error_log().string());
  }

  // Those that accept connections.
  static std::set<std::string> workers_of(pid_t master) {
    const std::string pid = std::to_string(master);
    std::set<std::string> out;
    for (const std::string& child : split(proc_text(master, ("task/" + pid + "/children").c_str()), ' ')) {
      const auto number = parse_int(trim(child));
      if (!number) continue;
      // Between fork and its own title a worker carries the master's.
      const std::string title = proc_text(static_cast<pid_t>(*number), "cmdline");
      const bool leaving = title.find("shutting down") != std::string::npos;
      if (title.find("worker process") != std::string::npos && !leaving) out.insert(std::string(trim(child)));
    }
    return out;
  }

  void rotate_access_log(const ProcessIdentity& master) {
    const Path file = options_.root / "logs" / "access.log";
    const auto info = file_info(file);
    if (!info || info->size_bytes < kAccessLogLimitBytes) return;
    rename_path(file, file.string() + ".1");
    runner_.signal(master, SIGUSR1, false);  // opens its logs anew
  }

  ProcessRunner& runner_;
  NginxOptions options_;
  Path program_;
  SystemClock clock_;
};

}  // namespace

std::unique_ptr<Gateway> make_nginx_gateway(ProcessRunner& runner, const NginxOptions& options) {
  // /usr/sbin is not in everybody's PATH. DAE_NGINX names another build of it.
  const auto named = env_var("DAE_NGINX");
  const auto program =
      named ? find_program(*named) : find_program("nginx", env_var("PATH").value_or("") + ":/usr/sbin:/usr/local/sbin");
  if (!program) {
    throw Error(ErrorKind::not_found, "nginx is not installed", "nginx", "apt install nginx-light");
  }
  return std::make_unique<NginxGateway>(runner, options, *program);
}

}  // namespace dae::deployer
