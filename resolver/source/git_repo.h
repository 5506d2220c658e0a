#pragma once
// A bare repository in the cache, and trees taken out of it. libgit2 stays behind this file. Not thread-safe: one
// object per thread; two that fetch into the same folder are kept apart by the caller's lock.
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/events.h"
#include "base/http_client.h"
#include "base/process.h"

namespace dae::resolver::git {

bool looks_like_commit(const std::string& text);  // 4 to 40 hex digits

struct Submodule {
  std::string path;    // below the tree's top
  std::string url;     // as .gitmodules has it, or "" when it does not name the path
  std::string commit;  // 40 hex digits
};

struct CheckoutResult {
  std::vector<Submodule> submodules;
  bool uses_lfs = false;
};

// What a fetch may use of this machine.
struct Access {
  Transport& transport;
  ProcessRunner& runner;
  EventSink& events;
};

class Repo {
 public:
  // Makes it where there is none, and anew where it is damaged.
  explicit Repo(Path dir);
  ~Repo();
  Repo(Repo&&) noexcept;

  // A commit that is here, by its full or shortened id; nullopt when it is not. Throws bad_input when several begin so.
  std::optional<std::string> find_commit(const std::string& id) const;
  // What a branch or tag ("" = the default branch) led to when it was last fetched.
  std::optional<std::string> last_seen(const std::string& revision) const;
  // Asks the repository at `url` (credentials in it are used and never shown) and brings what is missing. `label` names
  // it in messages.
  std::string fetch(const std::string& url, const std::string& revision, const std::string& label,
                    const Access& access);

  // The commit's files below `into` (absent or empty) as a work tree of its own that borrows our objects: tools that
  // count commits or look for tags find what they need. No hooks, no configuration but ours. Refuses trees too large.
  CheckoutResult checkout(const std::string& commit, const Path& into, const std::string& label) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace dae::resolver::git
