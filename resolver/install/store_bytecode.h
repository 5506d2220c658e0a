#pragma once
// Bytecode of many wheels at once, by a bare interpreter.
#include <string>
#include <vector>

#include "resolver/install/interpreter.h"

namespace dae::resolver {

// "pkg/__pycache__/a.cpython-311.pyc" of "pkg/a.py".
std::string bytecode_path(const std::string& module, const std::string& cache_tag);
// Will stand in an environment, and is worth it.
bool is_worth_compiling(std::string_view path);

struct CompileJob {
  Path tree;
  struct Module {
    std::string path;  // below `tree`; the directory of its bytecode is there already
    uint64_t size_bytes = 0;
  };
  std::vector<Module> modules;
  // Of the modules that have bytecode now; what is not valid Python has none.
  std::vector<std::string> bytecode = {};
  uint64_t bytecode_bytes = 0;
};
void compile_bytecode(std::vector<CompileJob>& jobs, const Interpreter& python, size_t most_processes);

}  // namespace dae::resolver
