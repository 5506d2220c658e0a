#include <fmt/format.h>

#include <algorithm>

#include "base/process.h"
#include "resolver/install/parallel.h"
#include "resolver/install/unpacked_store.h"

namespace dae::resolver {
namespace {

// Reads groups "tree NUL module NUL module NUL", each ended by one more NUL. The compiled name of the file is its path
// in the wheel: the import system replaces it by where the module really is, and the bytes do not depend on a temporary
// directory. Written by hand after PEP 552 (magic, flags 1 = hash-based and unchecked, hash of the source, code): the
// standard module `py_compile` takes half as long again, for atomic replaces that a private directory does not need.
constexpr const char* kWorker = R"python(
import gc, importlib.util, marshal, os, sys, warnings
warnings.simplefilter("ignore")
gc.disable()
head = importlib.util.MAGIC_NUMBER + (1).to_bytes(4, "little")
for group in sys.stdin.buffer.read().split(b"\0\0"):
    tree, *modules = [os.fsdecode(name) for name in group.split(b"\0") if name] or [""]
    for module in modules:
        try:
            with open(os.path.join(tree, module), "rb") as file:
                source = file.read()
            code = marshal.dumps(compile(source, module, "exec", dont_inherit=True))
            target = os.path.join(tree, importlib.util.cache_from_source(module))
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with open(target, "wb") as file:
                file.write(head + importlib.util.source_hash(source) + code)
        except Exception:
            pass
)python";

struct Share {
  std::string input;
  uint64_t weight = 0;
};

}  // namespace

std::string bytecode_path(const std::string& module, const std::string& cache_tag) {
  const size_t slash = module.rfind('/') + 1;  // npos + 1 is 0
  return fmt::format("{}__pycache__/{}.{}.pyc", module.substr(0, slash),
                     module.substr(slash, module.size() - slash - 3), cache_tag);
}

void compile_bytecode(const std::vector<CompileJob>& jobs, const Interpreter& python) {
  size_t modules = 0;
  for (const CompileJob& job : jobs) modules += job.modules.size();
  if (modules == 0) return;
  // A process costs as much as some 40 modules: few modules, few processes.
  std::vector<Share> shares(std::clamp<size_t>(modules / 40, 1, cpu_threads()));
  for (const CompileJob& job : jobs) {
    std::vector<std::string> groups(shares.size());
    for (const std::string& module : job.modules) {
      const auto info = file_info(job.tree / module);
      const auto lightest = std::ranges::min_element(shares, {}, &Share::weight);
      lightest->weight += 2000 + (info ? info->size_bytes : 0);
      groups[static_cast<size_t>(lightest - shares.begin())] += module + '\0';
    }
    for (size_t i = 0; i < shares.size(); ++i) {
      if (!groups[i].empty()) shares[i].input += job.tree.string() + '\0' + groups[i] + '\0';
    }
  }
  parallel_for(shares.size(), shares.size(), [&](size_t i) {
    ProcessSpec spec;
    // -S: no site-packages, no .pth files of whoever owns the interpreter.
    spec.argv = {python.real_executable.string(), "-I", "-S", "-c", kWorker};
    spec.stdin_bytes = std::move(shares[i].input);
    make_process_runner()->run(spec);
  });
}

}  // namespace dae::resolver
