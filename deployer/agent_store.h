#pragma once
// Brings a release onto the node: fetch, verify, unpack, link the environment. The seam `ReleasePreparer` lets tests
// deploy releases that no registry holds.
#include <atomic>
#include <memory>
#include <string>

#include "base/http_client.h"
#include "base/process.h"
#include "deployer/agent_layout.h"

namespace dae::deployer {

// Written by the preparing thread, read by the agent's loop.
struct PrepareProgress {
  enum Step { fetching, verifying, linking };
  std::atomic<int> step{fetching};
  std::atomic<int64_t> fetched_bytes{0}, total_bytes{0}, fetch_ms{0};
};

class ReleasePreparer {
 public:
  virtual ~ReleasePreparer() = default;
  // Fills <layout.release()>/{source,env}. Any thread; may be killed at any point and called again. Throws Error.
  virtual void prepare(const Release& release, const NodeLayout& layout, PrepareProgress& progress) = 0;
};

// From an OCI registry. `python`: interpreter to use, "" = by the release's specifier.
std::unique_ptr<ReleasePreparer> make_registry_preparer(Transport& transport, ProcessRunner& runner,
                                                        std::string registry, std::string python);

// A release directory is complete when release.json is there, written last. complete_release() does nothing when it is.
bool is_complete(const NodeLayout& layout, const std::string& app, const std::string& release_id);
void complete_release(ReleasePreparer& preparer, const Release& release, const NodeLayout& layout,
                      PrepareProgress& progress);
// Reads release.json by the directory's name; nullopt when it is not complete or not readable.
std::optional<Release> stored_release(const NodeLayout& layout, const std::string& app, const std::string& digest12);

}  // namespace dae::deployer
