#include "cli/command_line.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <map>

#include "base/error.h"
#include "base/strings.h"

namespace dae::cli {
namespace {

class AppCommandLine final : public CommandLine {
 public:
  explicit AppCommandLine(CLI::App& app) : app_(app) {}
  void flag(const std::string& names, bool& value, const std::string& help) override {
    app_.add_flag(names, value, help);
  }
  void option(const std::string& names, std::string& value, const std::string& help) override {
    app_.add_option(names, value, help)->type_name(type_name(names));
  }
  void option(const std::string& names, int64_t& value, const std::string& help) override {
    app_.add_option(names, value, help)->type_name("N")->capture_default_str();
  }
  void choice(const std::string& names, std::string& value, const std::vector<std::string>& words,
              const std::string& help) override {
    app_.add_option(names, value, help + ": " + join(words, ", "))
        ->type_name(type_name(names))
        ->check(CLI::IsMember(words).description(""));
  }
  void details(const std::string& text) override { app_.footer(text + "\n"); }
  void list(const std::string& names, std::vector<std::string>& values, const std::string& help) override {
    app_.add_option(names, values, help)->type_name(type_name(names))->allow_extra_args(false);
  }
  void positional(const std::string& name, std::string& value, const std::string& help, bool required) override {
    app_.add_option(name, value, help)->required(required)->type_name("");
  }
  void positionals(const std::string& name, std::vector<std::string>& values, const std::string& help) override {
    app_.add_option(name, values, help)->type_name("");
  }
  void rest(const std::string& name, std::vector<std::string>& values, const std::string& help) override {
    app_.prefix_command();
    rest_ = &values;
    app_.footer(name + ": " + help);
  }
  void take_rest() {
    if (rest_) *rest_ = app_.remaining();
    if (rest_ && !rest_->empty() && rest_->front() == "--") rest_->erase(rest_->begin());
  }

 private:
  // "--bake" takes a BAKE … but only long names read well.
  static std::string type_name(const std::string& names) {
    std::string last = names.substr(names.rfind('-') + 1);
    for (char& c : last) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return last;
  }
  CLI::App& app_;
  std::vector<std::string>* rest_ = nullptr;
};

struct Tree {
  CLI::App root{"dae: pin, mirror, build and roll out Python web apps", "dae"};
  GlobalOptions* globals = nullptr;
  std::map<std::string, CLI::App*> groups;  // "mirror", "mirror token", "local" …
  std::vector<CLI::App*> leaves;
  std::vector<std::unique_ptr<AppCommandLine>> lines;
  std::vector<Action> actions;
};

const char* group_summary(const std::string& name) {
  static const std::map<std::string, const char*> summaries = {
      {"mirror", "the package index and artifact registry"},
      {"mirror token", "who may upload packages to a private index"},
      {"control", "the control plane"},
      {"local", "mirror, control plane and three nodes on this machine"},
      {"node", "the nodes that the control plane knows"},
  };
  auto found = summaries.find(name);
  return found == summaries.end() ? "" : found->second;
}

void add_globals(CLI::App& app, GlobalOptions& globals) {
  app.add_flag("--json", globals.json, "print data as JSON")->group("Global options");
  app.add_flag("-q,--quiet", globals.quiet, "errors only")->group("Global options");
  app.add_flag("-v,--verbose", globals.verbose, "say more")->group("Global options");
  app.add_flag("--offline", globals.offline, "open no connection to an index")->group("Global options");
  app.add_option("-C,--directory", globals.directory, "change to this folder first")
      ->type_name("DIR")
      ->group("Global options");
}

void build_tree(Tree& tree, const std::vector<Command>& commands, GlobalOptions& globals) {
  tree.root.set_version_flag("--version,-V", std::string("dae ") + DAE_VERSION);
  tree.root.require_subcommand(0, 1);
  tree.root.footer(
      "Exit codes: 0 done, 1 failed, 2 usage or bad file, 3 rolled back, 4 waiting, 5 partly done,\n"
      "6 no solution, 7 verification failed, 130 interrupted.");
  add_globals(tree.root, globals);
  for (const Command& command : commands) {
    CLI::App* parent = &tree.root;
    std::string name = command.name, group;
    for (size_t space = name.find(' '); space != std::string::npos; space = name.find(' ')) {
      const std::string word = name.substr(0, space);
      name = name.substr(space + 1);
      group += (group.empty() ? "" : " ") + word;
      CLI::App*& node = tree.groups[group];
      if (!node) {
        node = parent->add_subcommand(word, group_summary(group));
        if (parent == &tree.root) node->group(command.group);
        node->require_subcommand(1);
      }
      parent = node;
    }
    CLI::App* leaf = parent->add_subcommand(name, command.summary);
    if (parent == &tree.root) leaf->group(command.group);
    add_globals(*leaf, globals);
    tree.leaves.push_back(leaf);
    tree.lines.push_back(std::make_unique<AppCommandLine>(*leaf));
    tree.actions.push_back(command.declare(*tree.lines.back()));
  }
}

}  // namespace

namespace {

// The commands that the first word can mean; all of them when it is an option or no command. Declaring the other thirty
// takes a third of a run that has nothing to do.
std::vector<Command> candidates_of(const std::vector<Command>& commands, int argc, char** argv) {
  const std::string first = argc > 1 ? argv[1] : "";
  std::vector<Command> out;
  for (const Command& command : commands) {
    if (command.name.substr(0, command.name.find(' ')) == first) out.push_back(command);
  }
  return out.empty() ? commands : out;
}

}  // namespace

Parsed parse_command_line(const std::vector<Command>& all_commands, int argc, char** argv, GlobalOptions& globals) {
  const std::vector<Command> commands = candidates_of(all_commands, argc, argv);
  // Lives until the process ends: actions refer to option variables that the closures own, CLI11 to both.
  static Tree tree;
  build_tree(tree, commands, globals);
  try {
    tree.root.parse(argc, argv);
  } catch (const CLI::Success& success) {
    return {nullptr, tree.root.exit(success)};
  } catch (const CLI::ParseError& error) {
    std::string where = "dae";
    for (size_t i = 0; i < tree.leaves.size(); ++i)
      if (tree.leaves[i]->parsed()) where = "dae " + commands[i].name;
    throw Error(ErrorKind::usage, error.what(), "", "see `" + where + " --help`");
  }
  for (size_t i = 0; i < tree.leaves.size(); ++i) {
    if (!tree.leaves[i]->parsed()) continue;
    tree.lines[i]->take_rest();
    return {tree.actions[i], 0};
  }
  std::cout << tree.root.help();
  return {nullptr, 0};
}

std::vector<CommandShape> command_shapes(const std::vector<Command>& commands) {
  GlobalOptions globals;
  Tree tree;
  build_tree(tree, commands, globals);
  std::vector<CommandShape> shapes;
  for (size_t i = 0; i < commands.size(); ++i) {
    CommandShape shape{commands[i].name, commands[i].summary, {}};
    for (const CLI::Option* option : tree.leaves[i]->get_options())
      for (const std::string& name : option->get_lnames()) shape.options.push_back("--" + name);
    shapes.push_back(std::move(shape));
  }
  return shapes;
}

}  // namespace dae::cli
