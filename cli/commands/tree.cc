// dae tree: the lock as a tree, from what the project asks for down.
#include <fmt/format.h>

#include "base/error.h"
#include "cli/app_environment.h"
#include "cli/commands/commands.h"
#include "cli/dependency_graph.h"

namespace dae::cli {
namespace {

struct Options {
  std::string invert;
  int64_t depth = 100;
  bool repeat = false;
};

// Draws below one line; a package whose own needs were drawn before gets a (*).
class Drawing {
 public:
  Drawing(Context& context, const DependencyGraph& graph, const Options& options)
      : context_(context), graph_(graph), options_(options) {}

  void draw(const std::string& name, const std::string& lead, bool last, const std::string& remark, int64_t depth) {
    const DependencyGraph::Node& node = graph_.nodes.at(name);
    const std::vector<std::string>& below = options_.invert.empty() ? node.needs : node.needed_by;
    const bool again = !below.empty() && (!drawn_.insert(name).second && (!options_.repeat || path_.contains(name)));
    context_.print(fmt::format("{}{} {}{}{}\n", lead + (last ? "└── " : "├── "), name, node.version,
                               again ? " (*)" : "", remark.empty() ? "" : "   " + remark));
    any_again_ |= again;
    if (again || depth >= options_.depth) return;
    path_.insert(name);
    for (size_t i = 0; i < below.size(); ++i)
      draw(below[i], lead + (last ? "    " : "│   "), i + 1 == below.size(), root_remark(below[i]), depth + 1);
    path_.erase(name);
  }

  std::string root_remark(const std::string& name) const {
    if (options_.invert.empty()) return "";
    std::string remark;
    for (const auto& root : graph_.roots)
      if (root.name == name) remark += (remark.empty() ? "" : ", ") + root.origin;
    return remark;
  }
  bool any_again() const { return any_again_; }

 private:
  Context& context_;
  const DependencyGraph& graph_;
  const Options& options_;
  std::set<std::string> drawn_, path_;
  bool any_again_ = false;
};

Value to_json(const DependencyGraph& graph) {
  Value roots = Value::array(), packages = Value::array();
  for (const auto& root : graph.roots)
    roots.push_back(Value::object(
        {{"name", root.name}, {"requirement", root.requirement}, {"origin", root.origin}, {"scope", root.scope}}));
  for (const auto& [name, node] : graph.nodes)
    packages.push_back(Value::object({{"name", name},
                                      {"version", node.version},
                                      {"dependencies", Value::strings(node.needs)},
                                      {"required_by", Value::strings(node.needed_by)}}));
  return Value::object({{"roots", std::move(roots)}, {"packages", std::move(packages)}});
}

int run(const Options& options, Context& context) {
  builder::AppFile app = builder::find_app_file(std::filesystem::current_path());
  resolver::ProjectFile project = resolver::read_project(app.dir);
  const resolver::Interpreter python = interpreter_for(context, app, "");
  const resolver::Lock lock = require_lock(app, project, python);
  const DependencyGraph graph = dependency_graph(lock, project, python.target());
  if (context.globals.json) {
    context.print_json(to_json(graph));
    return 0;
  }
  Drawing drawing(context, graph, options);
  if (!options.invert.empty()) {
    const DependencyGraph::Node& node = graph.at(options.invert);
    context.print(fmt::format("{} {}   {}\n", node.name, node.version, drawing.root_remark(node.name)));
    for (size_t i = 0; i < node.needed_by.size(); ++i)
      drawing.draw(node.needed_by[i], "", i + 1 == node.needed_by.size(), drawing.root_remark(node.needed_by[i]), 1);
  } else {
    context.print(app.config.name + "\n");
    for (size_t i = 0; i < graph.roots.size(); ++i) {
      const auto& root = graph.roots[i];
      const std::string scope = root.scope.empty() ? "" : "  (" + root.scope.substr(root.scope.find(':') + 1) + ")";
      drawing.draw(root.name, "", i + 1 == graph.roots.size(), root.requirement + "  " + root.origin + scope, 1);
    }
  }
  if (drawing.any_again()) context.say("(*) its own requirements are drawn further up");
  return 0;
}

}  // namespace

Command tree_command() {
  return {"tree", "show what needs what", "App", [](CommandLine& line) -> Action {
            auto options = std::make_shared<Options>();
            line.option("-i,--invert", options->invert, "draw what needs this package instead");
            line.option("--depth", options->depth, "levels to draw");
            line.flag("--no-dedupe", options->repeat, "draw the requirements of a package each time it appears");
            line.details(
                "Reads pylock.toml only. Optional dependencies and groups are included.\n\n"
                "  dae tree --depth 1            the direct requirements\n"
                "  dae tree --invert werkzeug    everything that leads to werkzeug");
            return [options](Context& context) { return run(*options, context); };
          }};
}

}  // namespace dae::cli
