#include "resolver/install/build_hook.h"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>

#include "base/error.h"
#include "base/strings.h"

namespace dae::resolver {
namespace {

constexpr uint64_t kMaxAnswerBytes = 4 << 20;
constexpr size_t kTailLines = 15, kKeptLogs = 200, kReasonBytes = 200;
constexpr int kNoHook = 77;

// One argument in JSON. What back ends print goes to our log, both streams in their order; the answer goes into a file.
// The working directory is not where modules are looked for, unless `backend-path` says so (PEP 517), which has to be
// settled before the first import. A build that goes wild shall not take the machine along: no process of it gets more
// memory than there is, files and processes have limits far from what compilers need. Where no sandbox sees to it, it
// asks itself to be killed when dae is (PR_SET_PDEATHSIG).
constexpr const char* kDriver = R"py(
import sys
sys.path[:] = [p for p in sys.path if p]
import json, os, resource
job = json.loads(sys.argv[1])
sys.argv[:] = [job["backend"]]
os.dup2(1, 2)
sys.stdout.reconfigure(line_buffering=True)
def limit(name, value):
    if hasattr(resource, name):
        number = getattr(resource, name)
        soft, hard = resource.getrlimit(number)
        if hard == resource.RLIM_INFINITY or hard > value:
            resource.setrlimit(number, (value, value))
limit("RLIMIT_CORE", 0)
limit("RLIMIT_FSIZE", 16 << 30)
limit("RLIMIT_NPROC", 16384)
limit("RLIMIT_DATA", os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
if job["alone"]:
    try:
        import ctypes
        ctypes.CDLL(None).prctl(1, 9)
    except (ImportError, OSError, AttributeError):
        pass
import importlib
paths = [os.path.realpath(os.path.join(os.getcwd(), p)) for p in job["paths"]]
sys.path[:0] = paths
module, _, attributes = job["backend"].partition(":")
backend = importlib.import_module(module)
if paths:
    place = os.path.realpath(getattr(backend, "__file__", None) or "/")
    if not any(place.startswith(p + os.sep) for p in paths):
        sys.exit("the back end `%s` is not in its `backend-path`" % module)
for name in filter(None, attributes.split(".")):
    backend = getattr(backend, name)
hook = getattr(backend, job["hook"], None)
if hook is None:
    sys.exit(77)
answer = hook({}) if job["hook"].startswith("get_requires_") else hook(job["out"], {})
sys.stdout.flush()
if isinstance(answer, (list, tuple)):
    answer = [str(item) for item in answer]
with open(job["answer"], "w") as file:
    json.dump(answer, file)
)py";

bool has_any(const std::string& text, std::initializer_list<std::string_view> pieces) {
  return std::ranges::any_of(pieces, [&](std::string_view piece) { return text.find(piece) != std::string::npos; });
}

// What a reader of the log would do next.
std::string hint_for(const std::string& log, bool enclosed) {
  if (enclosed && has_any(log, {"name resolution", "Name or service not known", "Could not resolve host", "getaddrinfo",
                                "Network is unreachable", "nodename nor servname"})) {
    return "it wants the network, which builds do not have; if you trust it, DAE_BUILD_SANDBOX=off lets it";
  }
  const size_t missing = log.rfind("ModuleNotFoundError: No module named '");
  if (missing != std::string::npos) {
    const size_t begin = log.find('\'', missing) + 1;
    return fmt::format("its build needs `{}` and does not say so in `build-system.requires`; look for another version",
                       log.substr(begin, std::min<size_t>(log.find('\'', begin) - begin, 80)));
  }
  if (has_any(log, {"Read-only file system"})) {
    return "a build may write into its own folder only; if you trust it, DAE_BUILD_SANDBOX=off lets it";
  }
  return "look for a version with a wheel for this Python and platform, or install what the build asks for";
}

}  // namespace

std::string log_tail(const std::string& text) {
  std::vector<std::string> lines = split_lines(trim(text));
  std::erase_if(lines, [](const std::string& line) { return trim(line).empty(); });
  if (lines.size() > kTailLines) lines.erase(lines.begin(), lines.end() - kTailLines);
  return join(lines, "\n");
}

BuildLog::BuildLog(const Path& cache_dir, std::string name, const std::string& digest) {
  for (char& c : name) {
    const bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-';
    if (!plain) c = c == ' ' ? '-' : '_';
  }
  name = name.substr(0, 100);
  path_ = cache_dir / "build-logs" /
          (fmt::format("{}-{}", name.starts_with('.') ? "_" : name, digest.substr(0, 12)) + ".log");
}

void BuildLog::begin(const std::string& title) {
  const std::string line = "== " + title + "\n";
  if (begun_) return append_file(path_, line);
  make_dirs(path_.parent_path());
  write_file_atomic(path_, line, 0644, Durability::none);
  begun_ = true;
}

void BuildLog::end(const ProcessResult& result) {
  last_ = result.out + result.err;
  append_file(path_, fmt::format("{}-- exit {}, {} ms{}{}\n", last_.empty() || last_.ends_with('\n') ? "" : "\n",
                                 result.exit_code, result.duration_ms, result.timed_out ? ", timed out" : "",
                                 result.truncated ? ", cut" : ""));
  std::vector<std::pair<int64_t, std::string>> all;
  for (const std::string& name : list_dir(path_.parent_path())) {
    if (const auto info = file_info(path_.parent_path() / name)) all.emplace_back(info->mtime_ns, name);
  }
  if (all.size() <= kKeptLogs) return;
  std::ranges::sort(all);
  all.resize(all.size() - kKeptLogs);
  for (const auto& [time, name] : all) remove_file(path_.parent_path() / name);
}

BuildBackend::BuildBackend(const BuildSystem& system, BuildPlace place, const Interpreter& python, std::string label,
                           BuildSandbox& sandbox, ProcessRunner& runner, EventSink& events, BuildLog& log)
    : system_(system),
      place_(std::move(place)),
      python_(python),
      label_(std::move(label)),
      sandbox_(sandbox),
      runner_(runner),
      events_(events),
      log_(log) {}

std::optional<Value> BuildBackend::call(const std::string& hook, const Path& out, const std::string& what) {
  const Path home = place_.work / "home", answer = place_.work / "answer.json";
  make_dirs(home);
  make_dirs(out);
  remove_file(answer);
  const bool enclosed = sandbox_.active(runner_, events_);
  const Value job = Value::object({{"backend", system_.backend},
                                   {"paths", Value::strings(system_.backend_path)},
                                   {"hook", hook},
                                   {"alone", !enclosed},
                                   {"out", out.string()},
                                   {"answer", answer.string()}});
  ProcessSpec spec;
  spec.argv = {(place_.environment / "bin/python").string(), "-s", "-c", kDriver, canonical_json(job)};
  spec.cwd = place_.project;
  spec.inherit_env = false;
  spec.env = build_variables(sandbox_.settings());
  spec.env["PATH"] = (place_.environment / "bin").string() + ":" + spec.env["PATH"];
  spec.env["HOME"] = home.string();
  spec.env["TMPDIR"] = enclosed ? "/tmp" : home.string();
  spec.env["VIRTUAL_ENV"] = place_.environment.string();
  spec.env["PYTHONDONTWRITEBYTECODE"] = "1";
  spec.env["PYTHONHASHSEED"] = "0";
  spec.env["PYTHONUNBUFFERED"] = "1";  // of children, so that the log has the order in which things happened
  spec.timeout_ms = sandbox_.settings().timeout_ms;
  if (enclosed) {
    SandboxPlaces places{place_.readable, place_.writable, home};
    places.readable.push_back(place_.environment);
    places.readable.push_back(python_.real_executable.parent_path().parent_path());
    places.writable.push_back(place_.work);
    spec = sandbox_.enclosed(std::move(spec), places);
  }
  spec.output_file = log_.path();
  log_.begin(hook + (enclosed ? "" : " (not isolated)"));
  const ProcessResult result = runner_.run(spec);
  log_.end(result);
  if (result.exit_code == kNoHook) return std::nullopt;
  if (result.exit_code != 0) fail(result, what, enclosed);
  const auto text = read_file_if_exists(answer, kMaxAnswerBytes);
  if (!text) fail(result, what, enclosed);
  return parse_json(*text, hook).root;
}

void BuildBackend::fail(const ProcessResult& result, const std::string& what, bool enclosed) const {
  std::string tail = log_tail(log_.last());
  // In one line why, for those who have no room for more: with exceptions the last one tells it.
  std::string reason = tail.substr(tail.rfind('\n') + 1);
  if (reason.size() > kReasonBytes) reason = reason.substr(0, kReasonBytes) + "…";
  if (result.timed_out) reason = fmt::format("it took over {} s and was ended", sandbox_.settings().timeout_ms / 1000);
  if (result.exit_code > 128 && !result.timed_out)
    reason = fmt::format("it was ended by signal {}", result.exit_code - 128);
  if (result.exit_code == 0) reason = "it ended without an answer";
  if (reason.empty()) reason = fmt::format("exit code {}", result.exit_code);
  throw Error(ErrorKind::failed, fmt::format("{}: {} (log: {})", what, reason, log_.path().string()), label_,
              result.timed_out ? "DAE_BUILD_TIMEOUT=SECONDS gives it more time"
              : result.exit_code == 128 + SIGKILL
                  ? "did the machine run out of memory? MAX_JOBS=1 makes many builds smaller"
                  : hint_for(log_.last(), enclosed))
      .because(std::move(tail));
}

}  // namespace dae::resolver
