#pragma once
// Calls of a build back end (PEP 517 "Build backend interface", PEP 660), each in a process of its own, and their log.
#include <optional>
#include <string>
#include <vector>

#include "base/value.h"
#include "resolver/install/build_sandbox.h"
#include "resolver/install/build_system.h"
#include "resolver/install/interpreter.h"

namespace dae::resolver {

// What the calls for one package wrote, kept in <cache>/build-logs/<name>.log whether they went well or not. It is
// written as it comes: when dae is killed, too, the file tells how far the build was.
class BuildLog {
 public:
  BuildLog(const Path& cache_dir, std::string name, const std::string& digest);
  void begin(const std::string& title);
  void end(const ProcessResult& result);  // of a run that wrote to path()
  const std::string& last() const { return last_; }
  const Path& path() const { return path_; }

 private:
  Path path_;
  bool begun_ = false;
  std::string last_;
};
// The last lines that are not blank: the cause in a message.
std::string log_tail(const std::string& text);

struct BuildPlace {
  Path project;                          // the working directory of the calls
  Path environment;                      // the build environment
  Path work;                             // of this build alone; holds $HOME and what is made
  std::vector<Path> readable, writable;  // beside those
};

class BuildBackend {
 public:
  BuildBackend(const BuildSystem& system, BuildPlace place, const Interpreter& python, std::string label,
               BuildSandbox& sandbox, ProcessRunner& runner, EventSink& events, BuildLog& log);

  // What the hook gave; nullopt when the back end does not have it. `out` is the folder it makes things in. Throws
  // Error failed beginning with `what`.
  std::optional<Value> call(const std::string& hook, const Path& out, const std::string& what);

 private:
  [[noreturn]] void fail(const ProcessResult& result, const std::string& what, bool enclosed) const;

  const BuildSystem& system_;
  const BuildPlace place_;
  const Interpreter& python_;
  const std::string label_;
  BuildSandbox& sandbox_;
  ProcessRunner& runner_;
  EventSink& events_;
  BuildLog& log_;
};

}  // namespace dae::resolver
