#include "deployer/agent_state.h"

#include <algorithm>

#include "base/error.h"
#include "base/log.h"
#include "base/value.h"
#include "deployer/agent_layout.h"

namespace dae::deployer {
namespace {

constexpr size_t kRemembered = 50;

}  // namespace

AppState load_app_state(const Path& file) {
  AppState state;
  try {
    const auto text = read_file_if_exists(file, 1u << 20);
    if (!text) return state;
    const Value value = parse_json(*text, file.string()).root;
    state.live = value.get_string("live");
    state.good = value.get_strings("good");
  } catch (const Error& error) {
    log_warn("cannot read the state of an app", {{"file", file.string()}, {"error", error.what()}});
  }
  return state;
}

void save_app_state(const Path& file, const AppState& state) {
  make_dirs(file.parent_path());
  const Value value = Value::object({{"format", 1}, {"live", state.live}, {"good", Value::strings(state.good)}});
  write_file_atomic(file, canonical_json(value));
}

void record_live(AppState& state, const std::string& release_id) {
  state.live = release_id;
  std::erase(state.good, release_id);
  state.good.insert(state.good.begin(), release_id);
  if (state.good.size() > kRemembered) state.good.resize(kRemembered);
}

std::vector<std::string> releases_to_remove(const AppState& state, const std::vector<std::string>& on_disk,
                                            const std::vector<std::string>& needed, int keep) {
  std::vector<std::string> kept = needed;
  if (!state.live.empty()) kept.push_back(NodeLayout::digest12(state.live));
  int previous_and_older = 0;
  for (const std::string& id : state.good) {
    if (id == state.live) continue;
    if (++previous_and_older > 1 + keep) break;
    kept.push_back(NodeLayout::digest12(id));
  }
  std::vector<std::string> out;
  for (const std::string& name : on_disk) {
    if (std::find(kept.begin(), kept.end(), name) == kept.end()) out.push_back(name);
  }
  return out;
}

}  // namespace dae::deployer
