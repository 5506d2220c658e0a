// dae outdated: what the index has beyond the lock, and what an upgrade would take of it.
#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/table.h"
#include "cli/app_environment.h"
#include "cli/commands/commands.h"
#include "cli/dependency_graph.h"
#include "cli/no_solution_view.h"
#include "cli/pinning.h"

namespace dae::cli {
namespace {

struct Options {
  PinOptions pin;
  bool direct = false;
};

struct Row {
  std::string name, locked, upgrade, newest, held_by;
  bool direct = false;
};

// The newest final release that has a file for the target.
std::optional<resolver::Version> newest_of(resolver::IndexProvider& provider, const std::string& name) {
  for (const resolver::Candidate& candidate : provider.versions(name).candidates)
    if (!candidate.yanked && !candidate.version.is_prerelease()) return candidate.version;
  return std::nullopt;
}

// Who in the upgraded lock keeps `name` from its newest version: packages and lines of the project that exclude it.
std::string holders(const DependencyGraph& graph, resolver::IndexProvider& provider, const std::string& name,
                    const resolver::Version& newest) {
  std::vector<std::string> out;
  for (const auto& root : graph.roots) {
    if (root.name != name) continue;
    if (!resolver::Requirement::parse(root.requirement).specifiers.contains(newest)) out.push_back(root.origin);
  }
  for (const std::string& by : graph.nodes.at(name).needed_by) {
    const auto version = resolver::Version::try_parse(graph.nodes.at(by).version);
    if (!version) continue;
    for (const resolver::Dependency& d : provider.dependencies(by, *version).list) {
      const auto specifiers = resolver::SpecifierSet::try_parse(d.specifier);
      if (d.name != name || !specifiers || specifiers->contains(newest)) continue;
      out.push_back(by + " (" + std::string(d.specifier) + ")");
      break;
    }
  }
  std::string text;
  for (size_t i = 0; i < out.size() && i < 3; ++i) text += (i ? ", " : "") + out[i];
  return out.size() > 3 ? text + ", …" : text;
}

int run(Options& options, Context& context) {
  builder::AppFile app = builder::find_app_file(std::filesystem::current_path());
  resolver::ProjectFile project = resolver::read_project(app.dir);
  const resolver::Interpreter python = interpreter_for(context, app, options.pin.python);
  const PinSubject subject = subject_of_app(app, project, python);
  const resolver::Lock lock = require_lock(app, project, python);
  options.pin.upgrade = true;
  options.pin.no_builds = true;
  const Pinned upgraded = pin(context, subject, options.pin, &python);
  if (const auto* no = upgraded.no_solution())
    return report_no_solution(context, *no, lock_request(subject, &options.pin));

  const resolver::Target target = python.target();
  const DependencyGraph now = dependency_graph(lock, project, target);
  const DependencyGraph then = dependency_graph(upgraded.lock(), project, target);
  IndexSession session = open_index(context, subject, options.pin, &python);
  const auto provider = resolver::make_index_provider(*session.client, target);
  std::vector<Row> rows;
  for (const auto& [name, node] : now.nodes) {
    const auto locked = resolver::Version::try_parse(node.version);
    if (!locked) continue;
    Row row{name, node.version, node.version, node.version, "", false};
    const std::string& package = name;  // clang 14 captures no structured bindings
    row.direct =
        std::any_of(now.roots.begin(), now.roots.end(), [&](const auto& root) { return root.name == package; });
    if (options.direct && !row.direct) continue;
    if (const auto better = then.nodes.find(name); better != then.nodes.end()) row.upgrade = better->second.version;
    const auto newest = newest_of(*provider, name);
    if (newest && *newest > *locked) row.newest = newest->text();
    if (newest && then.nodes.contains(name) && row.newest != row.upgrade && *newest > *locked)
      row.held_by = holders(then, *provider, name, *newest);
    if (row.upgrade != row.locked || row.newest != row.locked) rows.push_back(std::move(row));
  }
  if (context.globals.json) {
    Value list = Value::array();
    for (const Row& row : rows)
      list.push_back(Value::object({{"name", row.name},
                                    {"locked", row.locked},
                                    {"upgrade", row.upgrade},
                                    {"newest", row.newest},
                                    {"held_by", row.held_by},
                                    {"direct", row.direct}}));
    context.print_json(list);
    return 0;
  }
  if (rows.empty()) {
    context.say(fmt::format("all {} packages are up to date", now.nodes.size()));
    return 0;
  }
  Table table({"package", "locked", "upgrade", "newest", "held by"});
  for (const Row& row : rows)
    table.add({row.name + (row.direct ? " *" : ""), row.locked, row.upgrade, row.newest, row.held_by});
  context.print(table.render());
  context.say("* direct requirement; `dae install --upgrade` takes the column `upgrade`");
  return 0;
}

}  // namespace

Command outdated_command() {
  return {
      "outdated", "list newer versions and what holds them back", "App", [](CommandLine& line) -> Action {
        auto options = std::make_shared<Options>();
        line.flag("--direct", options->direct, "direct requirements only");
        line.option("-p,--python", options->pin.python, "interpreter: a path or a version such as 3.11");
        line.option("--index", options->pin.index, "simple index to use (a URL, or `pip`)");
        line.option("--exclude-newer", options->pin.exclude_newer, "ignore what was uploaded later");
        line.flag("--refresh", options->pin.refresh, "ask the index again about every page");
        line.details(
            "`upgrade` is what `dae install --upgrade` would pin now, `newest` what the index has for this machine;\n"
            "where they differ, `held by` names the line or the packages that exclude the newest.");
        return [options](Context& context) { return run(*options, context); };
      }};
}

}  // namespace dae::cli
