// dae check: everything that can be known to be wrong without doing anything.
#include "base/error.h"
#include "base/table.h"
#include "cli/commands/commands.h"
#include "cli/context.h"

namespace dae::cli {
namespace {

int run(Context& context) {
  builder::AppFile app = builder::find_app_file(std::filesystem::current_path());
  std::vector<builder::Finding> findings = builder::check_app(app);
  bool failed = false;
  Value list = Value::array();
  for (const builder::Finding& finding : findings) {
    failed |= finding.error;
    context.say((finding.error ? "error: " : "warning: ") + finding.where + ": " + finding.message);
    if (!finding.hint.empty()) context.say("  hint: " + finding.hint);
    list.push_back(Value::object(
        {{"error", finding.error}, {"where", finding.where}, {"message", finding.message}, {"hint", finding.hint}}));
  }
  if (context.globals.json)
    context.print_json(Value::object({{"app", app.config.name}, {"findings", std::move(list)}}));
  if (findings.empty()) context.say(app.config.name + ": app.yaml is fine");
  return failed ? exit_code(ErrorKind::bad_input) : 0;
}

}  // namespace

Command check_command() {
  return {"check", "validate app.yaml and what it refers to", "App",
          [](CommandLine&) -> Action { return [](Context& context) { return run(context); }; }};
}

}  // namespace dae::cli
