#pragma once
// What an index, or the members of an overlay, have of a project, and what of it the policy offers.
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mirror/index/pull_through.h"
#include "mirror/index/snapshots.h"
#include "mirror/policy/policies.h"

namespace dae::mirror {

using Indexes = std::map<std::string, std::unique_ptr<PullThroughIndex>, std::less<>>;

struct Listing {
  struct Part {
    KeptPage kept;
    Policies::Current policy;
  };
  std::vector<Part> parts;  // one, unless an overlay merges
  bool stale = false;
  int64_t fresh_until_ms = 0;
  std::string key;      // names the page
  std::string version;  // equal as long as nothing but time can change it
};

// nullopt: the index has no such project, or must not speak for it. Throws Error network as PullThroughIndex::page():
// whoever stands before others in an overlay and cannot be asked is not passed over.
std::optional<Listing> list_project(const Indexes& indexes, Policies& policies, const std::string& index,
                                    const std::string& project);
// Of what the index listed then; the policy is today's.
std::optional<Listing> list_frozen_project(PageStore& pages, Policies& policies, const Snapshot& frozen,
                                           const std::string& project);
// A mirror of this one may then ask for what has changed. Not where time, or a client's request, changes pages, too.
bool tells_serials(const Indexes& indexes, Policies& policies, const std::string& index);
// With upstream's URLs.
PolicyPage offered_page(const Listing& listing, PageStore& pages, int64_t now_ms);
// Its links lead here. What upstream announces, what was learned, and for wheels what can always be had: metadata taken
// out of the wheel.
void announce_from_here(resolver::ProjectPage& page, const std::string& to_root);

inline constexpr std::string_view kMetadataSuffix = ".metadata", kProvenanceSuffix = ".provenance";

}  // namespace dae::mirror
