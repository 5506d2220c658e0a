#pragma once
// What probing interpreters brought, kept between runs in cache_dir()/interpreters.json. Failures are kept too: a
// version manager's shim for a version that is not active is slow to say so.
#include <optional>
#include <string>
#include <vector>

#include "resolver/install/interpreter.h"

namespace dae::resolver {

struct ProbeResult {
  std::optional<Interpreter> interpreter;
  std::string failure;  // why there is none
};

// Changes whenever what `executable` stands for may have changed; empty when it does not exist.
std::string interpreter_key(const Path& executable);
bool is_launcher_script(const Path& executable);  // starts with "#!"
std::optional<ProbeResult> recall_probe(const Path& executable, const std::string& key);
void remember_probe(const Path& executable, const std::string& key, const ProbeResult& result);

}  // namespace dae::resolver
