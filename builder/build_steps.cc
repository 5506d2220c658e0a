#include "builder/build_steps.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/strings.h"

namespace dae::builder {

namespace {

constexpr int64_t kStepTimeout_ms = 3'600'000;
constexpr size_t kLinesShown = 20;

void copy_source(const AppFile& app, const BuildPlan& plan, const Path& copy) {
  for (const std::string& name : plan.files) {
    const Path from = app.dir / name, to = copy / name;
    make_dirs(to.parent_path());
    const auto info = file_info(from);
    if (!info) throw Error(ErrorKind::not_found, "a source file went away", from.string());
    if (const auto target = read_link(from)) {
      symlink_atomic(*target, to);
    } else {
      copy_file(from, to, (info->mode & 0100) != 0 ? 0755 : 0644);
    }
  }
}

// What reproducible-builds.org asks of a build: one time, one locale, one hash seed.
std::map<std::string, std::string> step_environment(const AppFile& app, const BuildPlan& plan) {
  return {{"SOURCE_DATE_EPOCH", std::to_string(plan.version.commit_time_s)},
          {"LC_ALL", "C.UTF-8"},
          {"TZ", "UTC"},
          {"PYTHONHASHSEED", "0"},
          {"PYTHONDONTWRITEBYTECODE", "1"},
          {"DAE_APP", app.config.name},
          {"DAE_VERSION", plan.version.version},
          {"DAE_REVISION", plan.version.revision}};
}

std::string last_lines(const ProcessResult& result) {
  std::vector<std::string> lines;
  for (const std::string& line : split_lines(result.out + "\n" + result.err)) {
    if (!trim(line).empty()) lines.push_back(line.substr(0, 500));
  }
  if (lines.size() > kLinesShown) lines.erase(lines.begin(), lines.end() - kLinesShown);
  return join(lines, "\n");
}

}  // namespace

void run_build_steps(const AppFile& app, const BuildPlan& plan, const Path& copy, ProcessRunner& runner,
                     EventSink& events) {
  copy_source(app, plan, copy);
  ProcessSpec spec;
  spec.cwd = copy;
  spec.env = step_environment(app, plan);
  spec.timeout_ms = kStepTimeout_ms;
  for (const std::string& step : app.build_steps) {
    Activity activity(events, "running", step);
    spec.argv = split_command(step);
    const ProcessResult result = runner.run(spec);
    if (result.exit_code == 0 && !result.timed_out) {
      activity.finish();
      continue;
    }
    Error error(ErrorKind::failed,
                result.timed_out ? fmt::format("the build step `{}` took longer than an hour", step)
                                 : fmt::format("the build step `{}` failed with exit code {}", step, result.exit_code),
                app.config.name);
    if (const std::string lines = last_lines(result); !lines.empty()) error.because(lines);
    throw error;
  }
}

}  // namespace dae::builder
