#pragma once
// What the agent remembers of an app, in apps/<app>/state.json: which release is live and which ones were good.
#include <string>
#include <vector>

#include "base/fs.h"

namespace dae::deployer {

struct AppState {
  std::string live;               // release id, "" none
  std::vector<std::string> good;  // ids that have been live, newest first; `live` is the first
};

// An absent file is an empty state; an unreadable one too, with a warning: the links on disk still tell what is live.
AppState load_app_state(const Path& file);
void save_app_state(const Path& file, const AppState& state);  // flushed

// Makes `release_id` the live one.
void record_live(AppState& state, const std::string& release_id);

// Of the releases on disk (digest12), those that nothing needs: not live, not the previous one, not among the `keep`
// good ones before that, and not in `needed` (digest12). Pure.
std::vector<std::string> releases_to_remove(const AppState& state, const std::vector<std::string>& on_disk,
                                            const std::vector<std::string>& needed, int keep);

}  // namespace dae::deployer
