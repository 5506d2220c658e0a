// dae completion bash|zsh|fish: from the command table itself, so that it is never behind it.
#include <map>
#include <set>

#include "base/error.h"
#include "base/strings.h"
#include "cli/commands/commands.h"
#include "cli/context.h"

namespace dae::cli {
namespace {

struct Options {
  std::string shell;
};

struct Words {
  std::set<std::string> first;                              // install, local, …
  std::map<std::string, std::set<std::string>> second;      // local -> up, down, status
  std::map<std::string, std::vector<std::string>> options;  // "local up" -> --root …
};

Words words_of(const std::vector<CommandShape>& shapes) {
  Words words;
  for (const CommandShape& shape : shapes) {
    std::vector<std::string> parts = split(shape.name, ' ');
    words.first.insert(parts[0]);
    if (parts.size() > 1) words.second[parts[0]].insert(parts[1]);
    words.options[shape.name] = shape.options;
  }
  return words;
}

std::string space_joined(const std::set<std::string>& items) {
  return join({items.begin(), items.end()}, " ");
}

std::string bash_script(const Words& words) {
  std::string out =
      "_dae() {\n  local cur=${COMP_WORDS[COMP_CWORD]} one=${COMP_WORDS[1]} two=${COMP_WORDS[2]} words\n"
      "  if [ \"$COMP_CWORD\" -eq 1 ]; then words=\"" +
      space_joined(words.first) + "\"\n  else case \"$one $two\" in\n";
  for (const auto& [name, options] : words.options)
    if (name.find(' ') != std::string::npos) out += "    \"" + name + "\") words=\"" + join(options, " ") + "\" ;;\n";
  out += "    *) case \"$one\" in\n";
  for (const auto& [name, seconds] : words.second)
    out += "      " + name + ") words=\"" + space_joined(seconds) + "\" ;;\n";
  for (const auto& [name, options] : words.options)
    if (name.find(' ') == std::string::npos) out += "      " + name + ") words=\"" + join(options, " ") + "\" ;;\n";
  return out +
         "    esac ;;\n  esac; fi\n  COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n}\ncomplete -o default -F _dae "
         "dae\n";
}

std::string fish_script(const std::vector<CommandShape>& shapes) {
  std::string out;
  for (const CommandShape& shape : shapes) {
    std::vector<std::string> parts = split(shape.name, ' ');
    std::string condition = parts.size() == 1 ? "__fish_use_subcommand" : "__fish_seen_subcommand_from " + parts[0];
    out += "complete -c dae -n '" + condition + "' -a '" + parts.back() + "' -d '" +
           replace_all(shape.summary, "'", "\\'") + "'\n";
    for (const std::string& option : shape.options)
      out += "complete -c dae -n '__fish_seen_subcommand_from " + parts.back() + "' -l '" + option.substr(2) + "'\n";
  }
  return out;
}

int run(const Options& options, Context& context) {
  std::vector<CommandShape> shapes = command_shapes(command_table());
  if (options.shell == "bash") {
    context.print(bash_script(words_of(shapes)));
  } else if (options.shell == "zsh") {
    context.print("autoload -U +X bashcompinit && bashcompinit\n" + bash_script(words_of(shapes)));
  } else if (options.shell == "fish") {
    context.print(fish_script(shapes));
  } else {
    throw Error(ErrorKind::usage, "no completion for this shell", options.shell, "known: bash, zsh, fish");
  }
  return 0;
}

}  // namespace

Command completion_command() {
  return {"completion", "print a completion script: bash, zsh or fish", "Services", [](CommandLine& line) -> Action {
            auto options = std::make_shared<Options>();
            line.positional("SHELL", options->shell, "bash, zsh or fish", true);
            return [options](Context& context) { return run(*options, context); };
          }};
}

}  // namespace dae::cli
