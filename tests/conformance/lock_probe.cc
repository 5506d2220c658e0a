// Shows tests/conformance/test_lock_clients.py what resolver/lock makes of a lock:
//   lock_probe render FILE            the lock, read and written again
//   lock_probe export FILE [EXTRA…]   as a requirements file with hashes, for all targets
#include <cstdio>

#include "base/error.h"
#include "resolver/lock/export_requirements.h"

int main(int argc, char** argv) {
  using namespace dae;
  using namespace dae::resolver;
  if (argc < 3) return 2;
  try {
    const Lock lock = read_lock(argv[2]);
    ExportOptions options;
    options.via = true;
    for (int i = 3; i < argc; ++i) options.which.extras.push_back(argv[i]);
    const std::string text = std::string(argv[1]) == "export" ? export_requirements(lock, options) : render_lock(lock);
    std::fwrite(text.data(), 1, text.size(), stdout);
  } catch (const Error& error) {
    std::fputs(render_error(error).c_str(), stderr);
    return exit_code(error.kind());
  }
  return 0;
}
