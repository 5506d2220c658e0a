// dae doctor: what is wrong here, and what mends it. Changes nothing.
#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/strings.h"
#include "cli/app_environment.h"
#include "cli/commands/commands.h"
#include "cli/doctor_machine.h"
#include "cli/pinning.h"
#include "cli/user_config.h"

namespace dae::cli {
namespace {

using Check = resolver::DoctorCheck;
using State = Check::State;

struct Options {
  bool deep = false, online = false;
};

// What a failure says is what is wrong, and its hint what to do.
Check failed_check(std::string name, const Error& error, std::string hint) {
  if (!error.hint().empty()) hint = error.hint();
  Check check{std::move(name), State::problem, error.message(), {}, std::move(hint)};
  if (!error.subject().empty()) check.text = error.subject() + ": " + check.text;
  if (!error.cause().empty()) check.details = split_lines(error.cause());
  return check;
}

class Doctor {
 public:
  Doctor(const Options& options, Context& context) : options_(options), context_(context) {}

  int run() {
    find_app();
    if (app_) examine_app();
    add(examine_machine(context_, app_ ? environment_path(*app_) : Path(), project_ ? &*project_ : nullptr,
                        options_.online));
    return tell();
  }

 private:
  void find_app() {
    try {
      app_ = builder::find_app_file(std::filesystem::current_path());
      checks_.push_back({"app.yaml", State::ok, (app_->dir / "app.yaml").string(), {}, ""});
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::not_found) {
        checks_.push_back({"app.yaml", State::note, "there is no app here: the machine alone is looked at", {}, ""});
      } else {
        checks_.push_back(failed_check("app.yaml", error, "correct it; `dae check` tells more"));
      }
    }
  }

  void examine_app() {
    guarded("project", "correct it", [this] {
      project_ = resolver::read_project(app_->dir);
      return Check{"project", State::ok, project_->path.string(), project_->warnings, ""};
    });
    guarded("python", "install an interpreter that fits", [this] {
      python_ = interpreter_for(context_, *app_, "");
      return Check{
          "python", State::ok, fmt::format("Python {} ({})", python_->version, python_->executable.string()), {}, ""};
    });
    if (project_ && python_) {
      guarded("lock", "run `dae lock`", [this] {
        lock_ = require_lock(*app_, *project_, *python_);
        return Check{
            "lock", State::ok, fmt::format("{} packages, as the project asks for", lock_->packages.size()), {}, ""};
      });
    }
    resolver::DoctorQuestion question;
    question.env = environment_path(*app_);
    question.store = {unpacked_dir(), compiles_bytecode()};
    question.deep = options_.deep;
    if (python_) question.python = &*python_;
    if (project_) {
      for (const auto& root : project_->overrides) question.overridden.insert(root.requirement.key);
    }
    if (lock_)
      guarded("lock", "run `dae lock`", [&]() -> std::optional<Check> {
        question.least = resolver::select(*lock_, python_->target(), {{}, {}, false});
        question.most = resolver::select(*lock_, python_->target(), {lock_->extras, lock_->dependency_groups, true});
        question.locked = true;
        return std::nullopt;
      });
    add(resolver::examine_environment(*context_.runner, question, *context_.events));
  }

  void guarded(const char* name, const char* hint, const std::function<std::optional<Check>()>& look) {
    try {
      if (auto check = look()) checks_.push_back(std::move(*check));
    } catch (const Error& error) {
      checks_.push_back(failed_check(name, error, hint));
    }
  }

  void add(std::vector<Check> checks) {
    for (Check& check : checks) checks_.push_back(std::move(check));
  }

  static const char* word(State state) { return state == State::ok ? "ok" : state == State::note ? "note" : "PROBLEM"; }

  int tell() {
    const auto problems = std::ranges::count(checks_, State::problem, &Check::state);
    Value list = Value::array();
    for (const Check& check : checks_) {
      list.push_back(Value::object({{"name", check.name},
                                    {"state", lower(word(check.state))},
                                    {"text", check.text},
                                    {"details", Value::strings(check.details)},
                                    {"hint", check.hint}}));
      if (context_.globals.json) continue;
      context_.print(fmt::format("{:<8} {:<13} {}\n", word(check.state), check.name, check.text));
      for (const std::string& line : check.details) context_.print(fmt::format("{:23}{}\n", "", line));
      if (!check.hint.empty()) context_.print(fmt::format("{:23}hint: {}\n", "", check.hint));
    }
    if (context_.globals.json) {
      context_.print_json(Value::object({{"problems", static_cast<int64_t>(problems)}, {"checks", std::move(list)}}));
    }
    context_.say(problems == 0 ? "nothing is wrong" : fmt::format("{} problems", problems));
    return problems == 0 ? 0 : exit_code(ErrorKind::failed);
  }

  const Options& options_;
  Context& context_;
  std::optional<builder::AppFile> app_;
  std::optional<resolver::ProjectFile> project_;
  std::optional<resolver::Interpreter> python_;
  std::optional<resolver::Lock> lock_;
  std::vector<Check> checks_;
};

}  // namespace

Command doctor_command() {
  return {
      "doctor", "say what is wrong with the environment, the app or this machine", "App",
      [](CommandLine& line) -> Action {
        auto options = std::make_shared<Options>();
        line.flag("--deep", options->deep, "read every file of .venv and compare it with what was installed");
        line.flag("--online", options->online, "ask the index whether it is there");
        line.details(
            "Looks and changes nothing. Each problem comes with what mends it; exit code 1 when there is one. Outside\n"
            "of an app it looks at the machine alone.");
        return [options](Context& context) { return Doctor(*options, context).run(); };
      }};
}

}  // namespace dae::cli
