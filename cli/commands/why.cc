// dae why NAME: every way that leads from the project to a package, with the words each step uses.
#include <fmt/format.h>

#include <deque>

#include "base/error.h"
#include "cli/app_environment.h"
#include "cli/commands/commands.h"
#include "cli/dependency_graph.h"
#include "cli/pinning.h"
#include "resolver/source/index.h"

namespace dae::cli {
namespace {

// How a package words its need of another, from metadata that is at hand; nothing is fetched for it.
class Wording {
 public:
  Wording(Context& context, const PinSubject& subject, const resolver::Interpreter& python) {
    const bool offline = std::exchange(context.globals.offline, true);
    session_ = open_index(context, subject, {}, nullptr);
    context.globals.offline = offline;
    provider_ = resolver::make_index_provider(*session_.client, python.target());
  }

  std::string operator()(const DependencyGraph::Node& from, const std::string& to) {
    try {
      const auto version = resolver::Version::try_parse(from.version);
      if (!version) return to;
      std::string texts;
      for (const resolver::Dependency& d : provider_->dependencies(from.name, *version).list) {
        if (d.name != to) continue;
        std::string text =
            std::string(d.name) + (d.extras.empty() ? "" : fmt::format("[{}]", d.extras)) + std::string(d.specifier);
        if (!d.marker.empty()) text += fmt::format(" ; {}", d.marker);
        if (texts.find(text) == std::string::npos) texts += (texts.empty() ? "" : ", ") + text;
      }
      return texts.empty() ? to : texts;
    } catch (const Error&) {
      return to;  // not in the cache: the name alone is still true
    }
  }

 private:
  IndexSession session_;
  std::unique_ptr<resolver::IndexProvider> provider_;
};

// The shortest way from a root to `name`: package names, the root's first.
std::vector<std::string> shortest_way(const DependencyGraph& graph, const std::string& root, const std::string& name) {
  std::map<std::string, std::string> came_from{{root, ""}};
  std::deque<std::string> queue{root};
  while (!queue.empty() && !came_from.contains(name)) {
    const std::string at = queue.front();
    queue.pop_front();
    for (const std::string& next : graph.nodes.at(at).needs)
      if (came_from.emplace(next, at).second) queue.push_back(next);
  }
  std::vector<std::string> way;
  if (!came_from.contains(name)) return way;
  for (std::string at = name; !at.empty(); at = came_from.at(at)) way.insert(way.begin(), at);
  return way;
}

int run(const std::string& wanted, Context& context) {
  builder::AppFile app = builder::find_app_file(std::filesystem::current_path());
  resolver::ProjectFile project = resolver::read_project(app.dir);
  const resolver::Interpreter python = interpreter_for(context, app, "");
  const resolver::Lock lock = require_lock(app, project, python);
  const DependencyGraph graph = dependency_graph(lock, project, python.target());
  const DependencyGraph::Node& node = graph.at(wanted);
  Wording wording(context, subject_of_app(app, project, python), python);

  Value ways = Value::array();
  std::string text = fmt::format("{} {}\n", node.name, node.version);
  for (const DependencyGraph::Root& root : graph.roots) {
    const std::vector<std::string> way = shortest_way(graph, root.name, node.name);
    if (way.empty()) continue;
    text += fmt::format("  {}   asks for {}\n", root.origin, root.requirement);
    Value steps = Value::array();
    for (size_t i = 0; i + 1 < way.size(); ++i) {
      const DependencyGraph::Node& from = graph.nodes.at(way[i]);
      const std::string need = wording(from, way[i + 1]);
      text += fmt::format("    {}{} {} needs {}\n", std::string(2 * i, ' '), from.name, from.version, need);
      steps.push_back(Value::object({{"name", from.name}, {"version", from.version}, {"needs", need}}));
    }
    ways.push_back(
        Value::object({{"origin", root.origin}, {"requirement", root.requirement}, {"steps", std::move(steps)}}));
  }
  if (context.globals.json) {
    context.print_json(Value::object({{"name", node.name}, {"version", node.version}, {"ways", std::move(ways)}}));
  } else {
    context.print(text);
  }
  return 0;
}

}  // namespace

Command why_command() {
  return {"why", "say why a package is in the lock", "App", [](CommandLine& line) -> Action {
            auto name = std::make_shared<std::string>();
            line.positional("NAME", *name, "a package of pylock.toml", true);
            line.details(
                "One way per requirement of the project that leads to the package, the shortest each. Opens no\n"
                "connection: how a package words its needs is taken from metadata in the cache.\n\n"
                "  dae why werkzeug");
            return [name](Context& context) { return run(*name, context); };
          }};
}

}  // namespace dae::cli
