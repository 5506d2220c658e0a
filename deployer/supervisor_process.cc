// Supervision without systemd. One file per instance says who it is; it is written before the start (with a token that
// the process carries in its environment) and after it (with the identity), so that a supervisor killed in between
// finds the orphan by its token.
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <map>

#include "base/clock.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/strings.h"
#include "base/value.h"
#include "deployer/supervisor.h"

namespace dae::deployer {
namespace {

constexpr uint64_t kLogLimitBytes = 10ull << 20;
constexpr int64_t kLogCheckMs = 5000;
constexpr const char* kTokenVariable = "DAE_INSTANCE_TOKEN";

struct Record {
  std::string token;
  std::optional<ProcessIdentity> process;  // nullopt: about to start
  Path log_file;
  std::optional<int64_t> kill_at_ms;  // monotonic; set while a stop is under way
};

std::string file_name_of(const std::string& id) {
  return replace_all(id, "/", "+") + ".json";
}

// Seconds since boot with fractions, as /proc/<pid>/stat counts its start times from.
int64_t uptime_of_machine_ms() {
  const auto fields = split(read_file("/proc/uptime", 4096), ' ');
  return static_cast<int64_t>(std::stod(fields[0]) * 1000);
}

int64_t uptime_ms_of(const ProcessIdentity& process) {
  const auto ticks_per_second = static_cast<uint64_t>(::sysconf(_SC_CLK_TCK));
  const auto started_ms = static_cast<int64_t>(process.start_ticks * 1000 / ticks_per_second);
  return std::max<int64_t>(0, uptime_of_machine_ms() - started_ms);
}

// The oldest process with this token: the leader itself, its children inherited the token.
std::optional<ProcessIdentity> find_by_token(const std::string& token) {
  const std::string wanted = std::string(kTokenVariable) + "=" + token;
  std::optional<ProcessIdentity> oldest;
  for (const std::string& name : list_dir("/proc")) {
    const auto pid = parse_int(name);
    if (!pid) continue;
    try {
      const std::string environment = read_file(Path("/proc") / name / "environ", 1 << 20);
      if (environment.find(wanted) == std::string::npos) continue;
    } catch (const Error&) {
      continue;  // ended meanwhile, or another account's
    }
    const auto identity = identify_process(static_cast<pid_t>(*pid));
    if (identity && (!oldest || identity->start_ticks < oldest->start_ticks)) oldest = identity;
  }
  return oldest;
}

class ProcessSupervisor final : public Supervisor {
 public:
  ProcessSupervisor(ProcessRunner& runner, const Path& state_dir) : runner_(runner), state_dir_(state_dir) {
    make_dirs(state_dir_);
    for (const std::string& name : list_dir(state_dir_)) {
      if (name.ends_with(".json") && !name.starts_with(".")) load(state_dir_ / name);
    }
  }

  void start(const InstanceSpec& spec) override {
    const auto found = records_.find(spec.id);
    if (found != records_.end()) {
      if (is_running(found->second)) return;
      forget(spec.id);
    }
    Record record;
    record.token = random_hex();
    record.log_file = spec.log_file;
    save(spec.id, record);

    ProcessSpec process;
    process.argv = spec.argv;
    process.cwd = spec.cwd;
    process.env = spec.env;
    for (const char* name : {"PATH", "HOME", "LANG"}) {
      if (auto value = env_var(name)) process.env.try_emplace(name, *value);
    }
    process.env[kTokenVariable] = record.token;
    process.inherit_env = false;
    process.own_session = true;
    process.output_file = spec.log_file;
    if (!spec.log_file.empty()) {
      make_dirs(spec.log_file.parent_path());
      rotate_log(spec.log_file);
    }
    try {
      record.process = runner_.spawn(process);
    } catch (...) {
      remove_file(state_dir_ / file_name_of(spec.id));
      throw;
    }
    save(spec.id, record);
    records_[spec.id] = record;
  }

  InstanceStatus status(const std::string& id) override {
    InstanceStatus out;
    const auto found = records_.find(id);
    if (found == records_.end() || !found->second.process) return out;
    out.process = *found->second.process;
    out.running = runner_.alive(out.process);
    if (out.running) {
      out.uptime_ms = uptime_ms_of(out.process);
    } else {
      out.exit_code = runner_.exit_code(out.process);
    }
    return out;
  }

  void stop(const std::string& id, int64_t timeout_ms) override {
    const auto found = records_.find(id);
    if (found == records_.end() || !found->second.process) return;
    const int64_t kill_at_ms = clock_.monotonic_ms() + timeout_ms;
    // A second stop may shorten the wait, never lengthen it; TERM is sent once.
    if (found->second.kill_at_ms) {
      found->second.kill_at_ms = std::min(*found->second.kill_at_ms, kill_at_ms);
      return;
    }
    found->second.kill_at_ms = kill_at_ms;
    runner_.signal(*found->second.process, SIGTERM, false);
  }

  std::vector<std::string> list() override {
    std::vector<std::string> ids;
    for (const auto& [id, record] : records_) ids.push_back(id);
    return ids;
  }

  void forget(const std::string& id) override {
    const auto found = records_.find(id);
    if (found == records_.end() || is_running(found->second)) return;
    // Workers that outlive their leader would hold sockets and files of the release.
    if (found->second.process) runner_.signal(*found->second.process, SIGKILL, true);
    remove_file(state_dir_ / file_name_of(id));
    records_.erase(found);
  }

  void tick() override {
    const int64_t now_ms = clock_.monotonic_ms();
    for (auto& [id, record] : records_) {
      if (!record.kill_at_ms || now_ms < *record.kill_at_ms || !record.process) continue;
      if (runner_.signal(*record.process, SIGKILL, true))
        log_warn("killed what did not end in time", {{"instance", id}});
      record.kill_at_ms = now_ms + 1000;
    }
    if (now_ms - log_check_ms_ < kLogCheckMs) return;
    log_check_ms_ = now_ms;
    for (const auto& [id, record] : records_) {
      if (!record.log_file.empty()) rotate_log(record.log_file);
    }
  }

 private:
  bool is_running(const Record& record) { return record.process && runner_.alive(*record.process); }

  // The writer keeps its descriptor (opened with O_APPEND), so the bytes move and the file stays.
  static void rotate_log(const Path& file) {
    const auto info = file_info(file);
    if (!info || info->size_bytes < kLogLimitBytes) return;
    copy_file(file, file.string() + ".1", 0640);
    truncate_file(file);
  }

  void save(const std::string& id, const Record& record) {
    Value value = Value::object({{"format", 1}, {"id", id}, {"token", record.token}});
    value.set("log_file", record.log_file.string());
    if (record.process) {
      value.set("pid", record.process->pid).set("start_ticks", record.process->start_ticks);
      value.set("boot_id", record.process->boot_id);
    }
    // Not flushed: what it describes does not survive a power cut either.
    write_file_atomic(state_dir_ / file_name_of(id), canonical_json(value), 0600, Durability::none);
  }

  void load(const Path& file) {
    try {
      const Value value = read_json_file(file).root;
      Record record;
      const std::string id = value.at("id").as_string();
      record.token = value.get_string("token");
      record.log_file = value.get_string("log_file");
      if (value.find("pid") != nullptr) {
        record.process =
            ProcessIdentity{static_cast<pid_t>(value.get_integer("pid")),
                            static_cast<uint64_t>(value.get_integer("start_ticks")), value.get_string("boot_id")};
      } else if (!record.token.empty()) {
        record.process = find_by_token(record.token);
        if (record.process) save(id, record);
      }
      if (record.process) {
        records_[id] = record;
      } else {
        remove_file(file);  // it never came to a start
      }
    } catch (const Error& error) {
      log_warn("cannot read the record of an instance", {{"file", file.string()}, {"error", error.what()}});
      remove_file(file);
    }
  }

  ProcessRunner& runner_;
  Path state_dir_;
  SystemClock clock_;
  std::map<std::string, Record> records_;
  int64_t log_check_ms_ = 0;
};

}  // namespace

std::unique_ptr<Supervisor> make_process_supervisor(ProcessRunner& runner, const Path& state_dir) {
  return std::make_unique<ProcessSupervisor>(runner, state_dir);
}

}  // namespace dae::deployer
