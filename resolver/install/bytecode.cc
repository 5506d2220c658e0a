#include <fmt/format.h>

#include <algorithm>

#include "base/dir.h"
#include "base/process.h"
#include "resolver/install/parallel.h"
#include "resolver/install/store_bytecode.h"

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
        except Exception:
            continue
        target = os.path.join(tree, importlib.util.cache_from_source(module))
        with open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o444), "wb") as file:
            file.write(head + importlib.util.source_hash(source) + code)
)python";

struct Share {
  std::string input;
  uint64_t weight = 0;
  std::vector<std::pair<const CompileJob*, const std::string*>> modules;
};

std::vector<Share> shares_of(const std::vector<CompileJob>& jobs, size_t count) {
  std::vector<Share> out(count);
  for (const CompileJob& job : jobs) {
    std::vector<std::string> groups(out.size());
    for (const CompileJob::Module& module : job.modules) {
      const auto lightest = std::ranges::min_element(out, {}, &Share::weight);
      lightest->weight += 2000 + module.size_bytes;
      lightest->modules.emplace_back(&job, &module.path);
      groups[static_cast<size_t>(lightest - out.begin())] += module.path + '\0';
    }
    for (size_t i = 0; i < out.size(); ++i) {
      if (!groups[i].empty()) out[i].input += job.tree.string() + '\0' + groups[i] + '\0';
    }
  }
  return out;
}

// A worker that ended early (killed, disk full) may have left half a file.
void drop_bytecode(const Share& share, const std::string& cache_tag) {
  for (const auto& [job, module] : share.modules) remove_file(job->tree / bytecode_path(*module, cache_tag));
}

void collect(CompileJob& job, const std::string& cache_tag) {
  const Dir tree = Dir::open(job.tree);
  for (const CompileJob::Module& module : job.modules) {
    std::string path = bytecode_path(module.path, cache_tag);
    const auto info = tree.info(path.c_str());
    if (!info) continue;
    job.bytecode_bytes += info->size_bytes;
    job.bytecode.push_back(std::move(path));
  }
  std::ranges::sort(job.bytecode);
}

}  // namespace

std::string bytecode_path(const std::string& module, const std::string& cache_tag) {
  const size_t slash = module.rfind('/') + 1;  // npos + 1 is 0
  return fmt::format("{}__pycache__/{}.{}.pyc", module.substr(0, slash),
                     module.substr(slash, module.size() - slash - 3), cache_tag);
}

// Modules of tests are hardly ever imported where an application runs, and a third of all modules of the large
// scientific packages: compiling them would take a third of the time. Whoever imports one gets it compiled then, as
// ever.
bool is_worth_compiling(std::string_view path) {
  return path.ends_with(".py") && path != ".py" && !path.ends_with("/.py") &&
         path.find("/tests/") == std::string_view::npos;
}

void compile_bytecode(std::vector<CompileJob>& jobs, const Interpreter& python, size_t most_processes) {
  size_t modules = 0;
  for (const CompileJob& job : jobs) modules += job.modules.size();
  if (modules == 0) return;
  // A process costs as much as some 40 modules: few modules, few processes.
  std::vector<Share> shares = shares_of(jobs, std::clamp<size_t>(modules / 40, 1, most_processes));
  parallel_for(shares.size(), shares.size(), [&](size_t i) {
    ProcessSpec spec;
    // -S: no site-packages, no .pth files of whoever owns the interpreter.
    spec.argv = {python.real_executable.string(), "-I", "-S", "-c", kWorker};
    spec.stdin_bytes = std::move(shares[i].input);
    if (make_process_runner()->run(spec).exit_code != 0) drop_bytecode(shares[i], python.cache_tag);
  });
  for (CompileJob& job : jobs) collect(job, python.cache_tag);
}

}  // namespace dae::resolver
