#include "resolver/install/metadata_hook.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/clock.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/strings.h"
#include "base/value.h"
#include "resolver/install/sdist_build.h"

namespace dae::resolver {
namespace {

constexpr int64_t kTimeoutMs = 10 * 60 * 1000;
constexpr int64_t kEnvironmentDays = 7;  // then newer build tools are looked for
constexpr uint64_t kMaxMetadataBytes = 16ull << 20;
constexpr int kNoHook = 77;
constexpr const char* kAnswer = "answer.json";

// Speaks to the backend (PEP 517 "Build backend interface", PEP 660). Arguments: backend, backend-path parts joined by
// '\n', the hook, where to put what it makes. What backends print goes to our log; the answer goes into a file.
constexpr const char* kHook = R"py(
import importlib, json, os, sys
backend, paths, action, out = sys.argv[1:5]
sys.path[:0] = [os.path.join(os.getcwd(), p) for p in paths.split("\n") if p]
module, _, attributes = backend.partition(":")
obj = importlib.import_module(module)
for name in filter(None, attributes.split(".")):
    obj = getattr(obj, name)
hook = getattr(obj, action, None)
if action.startswith("get_requires_"):
    answer = list(hook({}) if hook else [])
elif hook is None:
    sys.exit(77)
else:
    answer = hook(out, {})
with open(os.path.join(out, "answer.json"), "w") as f:
    json.dump(answer, f)
)py";

// What an absent [build-system] means (PEP 518; the backend is PEP 517's for such projects).
struct BuildSystem {
  std::vector<std::string> requires_ = {"setuptools>=40.8.0", "wheel"};
  std::string backend = "setuptools.build_meta:__legacy__", paths;
};

BuildSystem build_system_of(const Path& project, const std::string& label) {
  BuildSystem out;
  const Path file = project / "pyproject.toml";
  const auto text = read_file_if_exists(file, 4 << 20);
  if (!text) return out;
  const Document document = parse_toml(*text, label + "/pyproject.toml");
  const Value* table = document.root.find("build-system");
  if (table == nullptr || !table->is_object()) return out;
  if (table->find("requires") != nullptr) out.requires_ = table->get_strings("requires");
  out.backend = table->get_string("build-backend", out.backend);
  out.paths = join(table->get_strings("backend-path"), "\n");
  return out;
}

class Preparation {
 public:
  Preparation(const Path& project, const std::string& label, const Path& pip_python, const Interpreter& python,
              const Path& cache_dir, ProcessRunner& runner, EventSink& events)
      : project_(project),
        label_(label),
        pip_python_(pip_python),
        python_(python),
        root_(cache_dir / "build-envs"),
        runner_(runner),
        events_(events),
        system_(build_system_of(project, label)) {}

  std::optional<std::string> metadata() {
    const TempDir out("dae-metadata-");
    const auto folder = run("wheel", "prepare_metadata_for_build_wheel", out.path());
    if (!folder) return std::nullopt;
    if (folder->find('/') != std::string::npos || !folder->ends_with(".dist-info")) {
      throw Error(ErrorKind::failed, "its build backend named a folder that is no .dist-info", label_);
    }
    return read_file(out.path() / *folder / "METADATA", kMaxMetadataBytes);
  }

  void editable(const Path& out) {
    what_ = "an editable wheel of it cannot be made";
    if (run("editable", "build_editable", out)) return remove_kept_answer(out);
    throw Error(ErrorKind::failed, "its build backend makes no editable wheels (PEP 660)", label_,
                "raise the version of the backend in `build-system.requires`, or require it without `-e`");
  }

 private:
  // What the hook gave: a name below `out`; nullopt when the backend does not have it.
  std::optional<std::string> run(const std::string& kind, const std::string& hook, const Path& out) {
    Path environment = environment_for(system_.requires_);
    if (call("get_requires_for_build_" + kind, environment, out) != 0) fail();
    std::vector<std::string> all = system_.requires_;
    const Value more = answer(out);
    for (const Value& item : more.as_array()) all.push_back(item.as_string());
    if (all.size() > system_.requires_.size()) environment = environment_for(all);
    const int code = call(hook, environment, out);
    if (code == kNoHook) return std::nullopt;
    if (code != 0) fail();
    return answer(out).as_string();
  }

  static Value answer(const Path& out) { return parse_json(read_file(out / kAnswer, kMaxMetadataBytes), kAnswer).root; }
  static void remove_kept_answer(const Path& out) { remove_file(out / kAnswer); }

  Path environment_for(std::vector<std::string> requirements) {
    std::sort(requirements.begin(), requirements.end());
    requirements.erase(std::unique(requirements.begin(), requirements.end()), requirements.end());
    for (const std::string& r : requirements) {
      if (r.empty() || r.front() == '-') throw Error(ErrorKind::failed, "its build requirements are broken", label_);
    }
    const std::string key =
        Digest::of(join(requirements, "\n") + "\n" + python_.real_executable.string() + " " + python_.version).hex();
    const Path dir = root_ / (python_.cache_tag + "-" + key.substr(0, 32));
    make_dirs(root_);
    const FileLock lock = FileLock::acquire(dir.string() + ".lock");
    if (const auto info = file_info(dir)) {
      const int64_t age_ms = SystemClock().wall_ms() - info->mtime_ns / 1'000'000;
      if (age_ms < kEnvironmentDays * 24 * 3600 * 1000) return dir;
    }
    const TempDir work(".making-", root_);
    if (!requirements.empty()) install(requirements, work.path() / "env");
    make_dirs(work.path() / "env");
    remove_all(dir);
    rename_path(work.path() / "env", dir);
    return dir;
  }

  void install(const std::vector<std::string>& requirements, const Path& target) {
    Activity activity(events_, "preparing an environment to build in", label_);
    ProcessSpec spec;
    spec.argv = {pip_python_.string(),
                 "-I",
                 "-m",
                 "pip",
                 "install",
                 "--no-input",
                 "-q",
                 "--progress-bar",
                 "off",
                 "--no-compile",
                 "--disable-pip-version-check",
                 "--no-warn-conflicts",
                 "--target",
                 target.string()};
    spec.argv.insert(spec.argv.end(), requirements.begin(), requirements.end());
    spec.env = {{"PYTHONHOME", ""}, {"PYTHONPATH", ""}, {"PIP_REQUIRE_VIRTUALENV", ""}};
    spec.timeout_ms = kTimeoutMs;
    last_ = runner_.run(spec);
    if (last_.exit_code != 0) fail();
    activity.finish();
  }

  int call(const std::string& action, const Path& environment, const Path& out) {
    Activity activity(events_, "asking its build backend", label_);
    ProcessSpec spec;
    // -S: the interpreter's own packages are none of the build's business.
    spec.argv = {python_.real_executable.string(),
                 "-s",
                 "-S",
                 "-c",
                 kHook,
                 system_.backend,
                 system_.paths,
                 action,
                 out.string()};
    spec.cwd = project_;
    spec.env = {{"PYTHONHOME", ""}, {"PYTHONPATH", environment.string()}, {"PYTHONDONTWRITEBYTECODE", "1"}};
    spec.env["PATH"] = (environment / "bin").string() + ":" + env_var("PATH").value_or("/usr/bin:/bin");
    spec.timeout_ms = kTimeoutMs;
    last_ = runner_.run(spec);
    if (last_.exit_code == 0 || last_.exit_code == kNoHook) activity.finish();
    return last_.exit_code;
  }

  [[noreturn]] void fail() const {
    throw Error(ErrorKind::failed, what_ + ": the build backend failed", label_,
                "look for a version with a wheel for this Python and platform, or install what the build asks for")
        .because(last_.timed_out ? "it took over ten minutes" : log_tail(last_));
  }

  const Path project_;
  const std::string label_;
  const Path pip_python_;
  const Interpreter& python_;
  const Path root_;
  ProcessRunner& runner_;
  EventSink& events_;
  const BuildSystem system_;
  std::string what_ = "its metadata cannot be had";
  ProcessResult last_;
};

}  // namespace

std::optional<std::string> prepare_metadata(const Path& project, const std::string& label, const Path& pip_python,
                                            const Interpreter& python, const Path& cache_dir, ProcessRunner& runner,
                                            EventSink& events) {
  return Preparation(project, label, pip_python, python, cache_dir, runner, events).metadata();
}

void build_editable(const Path& project, const std::string& label, const Path& out, const Path& pip_python,
                    const Interpreter& python, const Path& cache_dir, ProcessRunner& runner, EventSink& events) {
  Preparation(project, label, pip_python, python, cache_dir, runner, events).editable(out);
}

}  // namespace dae::resolver
