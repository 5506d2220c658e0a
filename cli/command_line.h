#pragma once
// What one command accepts. A thin face over CLI11, which is confined to command_line.cc: the library costs 2.6 s of
// compile time in every file that includes it.
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace dae::cli {

struct Context;

class CommandLine {
 public:
  virtual ~CommandLine() = default;
  // `names`: "--dry-run" or "-n,--lines". The variables must outlive the parse.
  virtual void flag(const std::string& names, bool& value, const std::string& help) = 0;
  virtual void option(const std::string& names, std::string& value, const std::string& help) = 0;
  virtual void option(const std::string& names, int64_t& value, const std::string& help) = 0;
  // One of a few words.
  virtual void choice(const std::string& names, std::string& value, const std::vector<std::string>& words,
                      const std::string& help) = 0;
  virtual void list(const std::string& names, std::vector<std::string>& values, const std::string& help) = 0;
  virtual void positional(const std::string& name, std::string& value, const std::string& help, bool required) = 0;
  virtual void positionals(const std::string& name, std::vector<std::string>& values, const std::string& help) = 0;
  // Below the options on the help page: what it does beyond its summary, and examples.
  virtual void details(const std::string& text) = 0;
  // Everything after the options belongs to somebody else ("dae run CMD --its-option").
  virtual void rest(const std::string& name, std::vector<std::string>& values, const std::string& help) = 0;
};

using Action = std::function<int(Context&)>;  // returns the exit code

struct Command {
  std::string name;     // "install", "local up"
  std::string summary;  // one line, lower case
  std::string group;    // heading in `dae --help`
  std::function<Action(CommandLine&)> declare;
};

// The command table (command_table.cc), in the order of the help page.
std::vector<Command> command_table();

struct GlobalOptions {
  bool json = false, quiet = false, verbose = false, offline = false;
  std::string directory;
};

// Parses and returns what to run; empty Action when help or version was printed (exit_code says with which code).
struct Parsed {
  Action action;
  int exit_code = 0;
};
Parsed parse_command_line(const std::vector<Command>& commands, int argc, char** argv, GlobalOptions& globals);

// Names and options of every command, for shell completion.
struct CommandShape {
  std::string name, summary;
  std::vector<std::string> options;  // "--json" …
};
std::vector<CommandShape> command_shapes(const std::vector<Command>& commands);

}  // namespace dae::cli
