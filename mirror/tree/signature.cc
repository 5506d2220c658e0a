#include "mirror/tree/signature.h"

#include "base/hash.h"
#include "base/strings.h"
#include "mirror/sync/settings.h"

namespace dae::mirror {
namespace {

// Another build of the program may write pages in another way.
std::string of_program() {
  const auto program = file_info(read_link("/proc/self/exe").value_or(""));
  return program ? std::to_string(program->size_bytes) + "." + std::to_string(program->mtime_ns) : "unknown";
}

std::string of_machine() {
  return std::string(trim(read_file_if_exists("/proc/sys/kernel/random/boot_id").value_or("unknown")));
}

std::string of_index(const IndexConfig& index) {
  const PolicyRules& policy = index.policy;
  std::vector<std::string> paths;
  for (const Path& path : policy.deny_osv) paths.push_back(path.string());
  return join({index.name, index.mode, index.frozen ? "frozen" : "", index.sync && index.sync->on_demand ? "lazy" : "",
               std::to_string(policy.cooldown_uploaded_ms), std::to_string(policy.cooldown_first_seen_ms),
               join(policy.exempt, ","), join(paths, ","), policy.deny_severity, join(index.overlay.members, ","),
               join(index.overlay.claims, ","), join(index.overlay.merge, ",")},
              "|");
}

}  // namespace

std::string tree_signature(const MirrorConfig& config) {
  std::string text = of_program() + "\n" + of_machine() + "\n";
  for (const IndexConfig& index : config.indexes) text += of_index(index) + "\n";
  return Digest::of(text).hex() + "\n";
}

}  // namespace dae::mirror
