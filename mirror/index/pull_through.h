#pragma once
// One pull-through index: pages and files of an upstream, fetched when asked for, kept, and answered from what is kept
// when the upstream is down.
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "mirror/index/gate.h"
#include "mirror/index/page_store.h"
#include "mirror/index/upstream.h"
#include "mirror/policy/overlay.h"
#include "mirror/single_flight.h"

namespace dae::mirror {

struct KeptPage {
  ProjectRow row;
  bool stale = false;  // older than it should be: upstream could not be asked
};

// Thread-safe.
class PullThroughIndex {
 public:
  PullThroughIndex(const IndexConfig& config, std::unique_ptr<Upstream> upstream, PageStore& pages, Clock& clock,
                   Metrics& metrics, Gate& gate, const Overlays& overlays);
  const std::string& name() const { return name_; }
  Upstream& upstream() { return *upstream_; }
  // Upstream must not be asked, for files neither.
  bool frozen() const { return frozen_; }
  // Pages come from a sync, if at all.
  bool pages_frozen() const { return pages_frozen_; }
  // `project` is normalised. nullopt: upstream has no such project, or must not be asked for it. Throws Error network
  // when there is no answer, neither from upstream nor kept.
  std::optional<KeptPage> page(const std::string& project);

 private:
  bool refresh(const std::string& project);

  std::string name_;
  bool pages_frozen_, frozen_;
  std::unique_ptr<Upstream> upstream_;
  PageStore& pages_;
  Clock& clock_;
  Metrics& metrics_;
  Gate& gate_;
  const Overlays& overlays_;
  SingleFlight<bool> flights_;  // true: stale
};

}  // namespace dae::mirror
