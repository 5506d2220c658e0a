#include "cli/no_solution_view.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"

namespace dae::cli {
namespace {

// "1.0 – 1.4" has a letter of three bytes.
size_t letters(const std::string& text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

void print_conflict(Context& context, const std::vector<resolver::ConflictLine>& lines) {
  size_t width = 0;
  for (const auto& line : lines) width = std::max(width, letters(line.origin));
  for (const auto& line : lines) {
    context.say("  " + line.origin + std::string(width - letters(line.origin) + 3, ' ') + line.text);
  }
}

Value to_json(const std::vector<resolver::ConflictLine>& lines) {
  Value out = Value::array();
  for (const auto& line : lines) out.push_back(Value::object({{"origin", line.origin}, {"text", line.text}}));
  return out;
}

}  // namespace

int report_no_solution(Context& context, const resolver::NoSolution& no, const resolver::LockRequest& request) {
  std::string target = request.targets.front().label();
  std::vector<resolver::ConflictLine> first = no.lines;
  // The lock names the target in front; here it is said in the heading.
  for (const resolver::Target& t : request.targets) {
    if (first.empty() || first.front().origin != t.label()) continue;
    target = t.label();
    first.erase(first.begin());
    break;
  }
  context.say("no solution for " + target);
  print_conflict(context, first);
  for (size_t i = 1; i < no.conflicts.size(); ++i) {
    context.say("and, independent of that,");
    print_conflict(context, no.conflicts[i].lines);
  }
  if (!no.suggestions.empty()) {
    context.say(no.together                  ? "what would help, all of it together (tried):"
                : no.suggestions.size() == 1 ? "what would help (tried):"
                                             : "what would help, any one of it (each was tried):");
  }
  for (const resolver::Suggestion& suggestion : no.suggestions)
    context.say("  - " + suggestion.text + (suggestion.origin.empty() ? "" : "   " + suggestion.origin));
  context.say("nothing was changed");
  if (context.globals.json) {
    Value conflicts = Value::array();
    conflicts.push_back(to_json(first));
    for (size_t i = 1; i < no.conflicts.size(); ++i) conflicts.push_back(to_json(no.conflicts[i].lines));
    Value suggestions = Value::array();
    for (const auto& s : no.suggestions) suggestions.push_back(Value::object({{"origin", s.origin}, {"text", s.text}}));
    context.print_json(Value::object({{"error", "no solution"},
                                      {"target", target},
                                      {"conflicts", std::move(conflicts)},
                                      {"suggestions", std::move(suggestions)},
                                      {"together", no.together}}));
  }
  return exit_code(ErrorKind::no_solution);
}

}  // namespace dae::cli
