#include "resolver/install/interpreter_choice.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/strings.h"
#include "resolver/install/interpreter_wish.h"

namespace dae::resolver {
namespace {

std::string text_of(const PythonWish& wish) {
  return wish.version.empty() ? "system" : wish.version + (wish.free_threaded ? "t" : "");
}

std::string all_of(const PythonVersionFile& file) {
  std::vector<std::string> out;
  for (const PythonWish& wish : file.wishes) out.push_back(text_of(wish));
  return join(out, ", ");
}

// The first line of the file for which there is an interpreter; the failure of the first when there is none.
Interpreter by_file(ProcessRunner& runner, const PythonVersionFile& file, const SpecifierSet& allowed,
                    const InterpreterChoice& choice) {
  std::optional<Error> failure;
  for (const PythonWish& wish : file.wishes) {
    if (!wish.may_fit(allowed)) continue;
    try {
      return find_interpreter(runner, wish.version.empty() ? "" : text_of(wish), allowed);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::not_found) throw;
      if (!failure) failure = Error(error.kind(), error.message(), file.path.string(), error.hint());
      if (failure->cause().empty()) failure->because(error.cause());
    }
  }
  if (failure) throw *failure;
  throw Error(ErrorKind::refused,
              fmt::format("it asks for Python {}, and {} allows `{}` only", all_of(file), choice.allowed_origin,
                          choice.allowed),
              file.path.string(), fmt::format("change one of the two, or name an interpreter with `--python`"));
}

}  // namespace

Interpreter choose_interpreter(ProcessRunner& runner, const InterpreterChoice& choice) {
  const SpecifierSet allowed = SpecifierSet::parse(choice.allowed);
  if (!choice.flag.empty()) return find_interpreter(runner, choice.flag, allowed);
  if (const auto variable = env_var("DAE_PYTHON")) {
    try {
      return find_interpreter(runner, *variable, allowed);
    } catch (const Error& error) {
      throw Error(error.kind(), error.message(),
                  error.subject().empty() ? "DAE_PYTHON" : "DAE_PYTHON: " + error.subject(), error.hint())
          .because(error.cause());
    }
  }
  if (!choice.dir.empty()) {
    if (const auto file = find_python_version_file(choice.dir)) return by_file(runner, *file, allowed, choice);
  }
  return find_interpreter(runner, "", allowed);
}

}  // namespace dae::resolver
