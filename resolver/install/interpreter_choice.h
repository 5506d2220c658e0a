#pragma once
// Which interpreter an app gets: who has a say, and in which order.
#include <string>

#include "resolver/install/interpreter.h"

namespace dae::resolver {

// The first of these that says something: `flag` (--python), $DAE_PYTHON, .python-version in `dir` or above. Whoever
// decides, the version is within `allowed`; nobody: as find_interpreter does without a wish.
struct InterpreterChoice {
  std::string flag;
  Path dir;                    // empty: no .python-version is read
  std::string allowed;         // specifiers
  std::string allowed_origin;  // "app.yaml", "pyproject.toml": for messages
};
// Throws refused when .python-version and `allowed` have no version in common, naming both files.
Interpreter choose_interpreter(ProcessRunner& runner, const InterpreterChoice& choice);

}  // namespace dae::resolver
