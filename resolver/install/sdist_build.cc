#include "resolver/install/sdist_build.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/archive.h"
#include "base/error.h"
#include "base/strings.h"
#include "resolver/install/environment.h"
#include "resolver/standards/names.h"

namespace dae::resolver {
namespace {

constexpr int64_t kBuildTimeoutMs = 60 * 60 * 1000;
constexpr size_t kLogLines = 15;

bool has_pip(const Interpreter& python, ProcessRunner& runner) {
  ProcessSpec spec;
  spec.argv = {python.real_executable.string(), "-I", "-c", "import pip"};
  return runner.run(spec).exit_code == 0;
}

}  // namespace

std::string log_tail(const ProcessResult& result) {
  std::vector<std::string> lines = split_lines(trim(result.out + "\n" + result.err));
  std::erase_if(lines, [](const std::string& line) { return trim(line).empty(); });
  if (lines.size() > kLogLines) lines.erase(lines.begin(), lines.end() - kLogLines);
  return join(lines, "\n");
}

Path builder_python(const Interpreter& python, const Path& cache_dir, ProcessRunner& runner, EventSink& events) {
  if (has_pip(python, runner)) return python.real_executable;
  const std::string key = Digest::of(python.real_executable.string() + " " + python.version).short_hex();
  const Path dir = cache_dir / "builders" / (python.cache_tag + "-" + key);
  const Path executable = dir / "bin/python", complete = dir / "complete";
  make_dirs(dir.parent_path());
  const FileLock lock = FileLock::acquire(dir.string() + ".lock");
  if (exists(complete) && exists(executable)) return executable;
  remove_all(dir);
  Activity activity(events, "preparing an environment to build in", python.version);
  ProcessSpec spec;
  spec.argv = {python.real_executable.string(), "-I", "-m", "venv", dir.string()};
  spec.timeout_ms = kBuildTimeoutMs;
  const ProcessResult result = runner.run(spec);
  if (result.exit_code != 0) {
    throw Error(ErrorKind::failed, "cannot make an environment to build sdists in", python.real_executable.string(),
                "`python -m venv` has to work; on Debian that takes the package `python3-venv`")
        .because(log_tail(result));
  }
  write_file_atomic(complete, "");
  activity.finish();
  return executable;
}

std::vector<Path> wheels_in(const Path& dir) {
  std::vector<Path> out;
  for (const std::string& name : list_dir(dir)) {
    if (parse_wheel_name(name)) out.push_back(dir / name);
  }
  return out;
}

void pip_wheel(const Path& builder, const Path& source, const Path& out, const std::string& label,
               ProcessRunner& runner) {
  ProcessSpec spec;
  // --use-pep517: an old sdist with only a setup.py is built the same isolated way, not by whatever is installed.
  spec.argv = {builder.string(),
               "-I",
               "-m",
               "pip",
               "wheel",
               "--no-deps",
               "--use-pep517",
               "--no-input",
               "--progress-bar",
               "off",
               "--disable-pip-version-check",
               "--wheel-dir",
               out.string(),
               source.string()};
  spec.env = {{"PYTHONHOME", ""}, {"PYTHONPATH", ""}, {"PIP_REQUIRE_VIRTUALENV", ""}};
  // The earliest time a zip can hold, where nobody set another: rebuilt wheels come out alike more often.
  if (!env_var("SOURCE_DATE_EPOCH")) spec.env["SOURCE_DATE_EPOCH"] = "315532800";
  spec.timeout_ms = kBuildTimeoutMs;
  const ProcessResult result = runner.run(spec);
  if (result.exit_code == 0) return;
  throw Error(ErrorKind::failed, "building a wheel of it failed", label,
              "look for a version with a wheel for this Python and platform, or install what the build asks for")
      .because(result.timed_out ? "it took over an hour" : log_tail(result));
}

Path only_wheel(const Path& dir, const std::string& label) {
  const auto built = wheels_in(dir);
  if (built.size() == 1) return built.front();
  throw Error(ErrorKind::failed, fmt::format("its build made {} wheels instead of one", built.size()), label);
}

Path build_sdist(const Path& sdist, const std::string& file_name, const Digest& digest, const Interpreter& python,
                 const Path& cache_dir, ProcessRunner& runner, EventSink& events) {
  if (!is_safe_file_name(file_name)) throw Error(ErrorKind::bad_input, "unsafe file name", file_name);
  const Path root = cache_dir / "built-wheels";
  const Path final_dir = root / (digest.hex() + "-" + python.cache_tag);
  make_dirs(root);
  const FileLock lock = FileLock::acquire(final_dir.string() + ".lock");
  if (const auto built = wheels_in(final_dir); built.size() == 1) return built.front();
  remove_all(final_dir);

  const Path builder = builder_python(python, cache_dir, runner, events);
  Activity activity(events, "building", file_name);
  TempDir work(".building-", root);
  // pip reads name and version off the file's name, which a blob's path does not have.
  const Path named = work.path() / file_name, out = work.path() / "out";
  link_or_copy(sdist, named);
  make_dirs(out);
  pip_wheel(builder, named, out, file_name, runner);
  only_wheel(out, file_name);
  rename_path(out, final_dir);
  activity.finish();
  return wheels_in(final_dir).front();
}

}  // namespace dae::resolver
