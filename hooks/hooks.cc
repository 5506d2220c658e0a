#include "hooks/hooks.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/clock.h"
#include "base/error.h"
#include "base/strings.h"

namespace dae::hooks {

namespace {

constexpr size_t kLinesShown = 20;
constexpr size_t kLineBytes = 500;
constexpr uint64_t kOutputLimitBytes = 1ull << 20;

struct Hook {
  std::string label;  // for messages: the command as written, or hooks/<point>.d/<name>
  std::vector<std::string> argv;
  std::string fault;  // why it cannot even be started
};

std::vector<Hook> collect(const HookRequest& request, EventSink& events) {
  std::vector<Hook> out;
  for (const std::string& command : request.commands) {
    Hook hook{command, {}, ""};
    try {
      hook.argv = split_command(command);
      if (hook.argv.empty()) hook.fault = "the command is empty";
    } catch (const Error& error) {
      hook.fault = error.message();
    }
    out.push_back(std::move(hook));
  }
  const std::string folder = fmt::format("hooks/{}.d", request.point);
  for (const std::string& name : list_dir(request.app_dir / folder)) {
    const Path path = request.app_dir / folder / name;
    const auto info = file_info(path);
    if (name.starts_with(".") || !info || info->is_dir()) continue;
    const std::string label = folder + "/" + name;
    if (info->is_file() && (info->mode & 0111) == 0) {
      warning(events, fmt::format("`{}` is skipped: it is not executable", label));
      continue;
    }
    out.push_back({label, {path.string()}, ""});
  }
  return out;
}

std::map<std::string, std::string> environment(const HookRequest& request) {
  std::map<std::string, std::string> out = request.env;
  const HookContext& context = request.context;
  out["DAE_POINT"] = request.point;
  out["DAE_APP"] = context.app;
  out["DAE_VERSION"] = context.version;
  out["DAE_DIGEST"] = context.digest;
  out["DAE_REVISION"] = context.revision;
  out["DAE_GROUP"] = context.group;
  out["DAE_NODE"] = context.node;
  out["DAE_STAGE"] = context.stage;
  return out;
}

std::vector<std::string> last_lines(const std::string& output) {
  std::vector<std::string> lines;
  for (const std::string& line : split_lines(output)) {
    if (!trim(line).empty()) lines.push_back(line.substr(0, kLineBytes));
  }
  if (lines.size() > kLinesShown) lines.erase(lines.begin(), lines.end() - kLinesShown);
  return lines;
}

struct Outcome {
  std::string fault;  // empty: it went well
  std::string output;
};

Outcome run_one(const Hook& hook, const HookRequest& request, ProcessRunner& runner) {
  if (!hook.fault.empty()) return {"cannot be started: " + hook.fault, ""};
  ProcessSpec spec;
  spec.argv = hook.argv;
  spec.cwd = request.app_dir;
  spec.env = environment(request);
  spec.stdin_bytes = canonical_json(request.document.is_null() ? Value::object() : request.document) + "\n";
  spec.timeout_ms = request.timeout_ms;
  spec.output_limit_bytes = kOutputLimitBytes;
  try {
    const ProcessResult result = runner.run(spec);
    const std::string output = result.err.empty() ? result.out : result.out + "\n" + result.err;
    if (result.timed_out) return {fmt::format("took longer than {}", format_duration(request.timeout_ms)), output};
    if (result.exit_code != 0) return {fmt::format("failed with exit code {}", result.exit_code), output};
    return {"", output};
  } catch (const Error& error) {
    return {"cannot be started: " + std::string(error.what()), ""};
  }
}

}  // namespace

const std::vector<std::string>& hook_points() {
  static const std::vector<std::string> kPoints = {
      "before_install", "after_install", "before_build", "after_build", "before_publish", "after_publish",
      "before_deploy",  "before_switch", "after_switch", "after_stage", "on_failure",     "after_rollback"};
  return kPoints;
}

void run_hooks(const HookRequest& request, ProcessRunner& runner, EventSink& events) {
  const auto& points = hook_points();
  // The point names a folder, so an unknown one is not only a slip: it could lead out of the app.
  if (std::find(points.begin(), points.end(), request.point) == points.end()) {
    const std::string nearest = nearest_name(request.point, points);
    throw Error(ErrorKind::usage, fmt::format("unknown hook point `{}`", request.point), "",
                nearest.empty() ? "known points: " + join(points, ", ") : fmt::format("did you mean `{}`?", nearest));
  }
  const bool stops = request.point.starts_with("before_");
  for (const Hook& hook : collect(request, events)) {
    Activity activity(events, fmt::format("running {} hook", request.point), hook.label);
    const Outcome outcome = run_one(hook, request, runner);
    const std::vector<std::string> lines = last_lines(outcome.output);
    if (outcome.fault.empty()) {
      activity.finish();
      for (const std::string& line : lines) note(events, fmt::format("{}: {}", request.point, line));
      continue;
    }
    const std::string message = fmt::format("the {} hook `{}` {}", request.point, hook.label, outcome.fault);
    if (stops) {
      Error error(ErrorKind::refused, message, request.context.app);
      if (!lines.empty()) error.because(join(lines, "\n"));
      throw error;
    }
    warning(events, message);
    for (const std::string& line : lines) warning(events, fmt::format("{}: {}", request.point, line));
  }
}

}  // namespace dae::hooks
