#pragma once
// What is carried from one index, or a snapshot of it, to another: the same documents, so the same files.
#include <string>
#include <vector>

#include "base/blob_store.h"
#include "base/events.h"
#include "mirror/index/page_store.h"
#include "mirror/policy/policies.h"

namespace dae::mirror {

struct Promotion {
  std::vector<ProjectChange> changes;  // by name
  std::vector<std::string> added, changed, removed;
  std::vector<std::string> held_back;  // files that `from` lists but does not offer: each with the reason
};

// What makes `to` list what `from` listed at `revision`. `projects` empty: all that differs, also what `from` has not
// (`removed`); else these only, and one that `from` does not list is Error not_found. With `policies` what those of
// `from` offer now is all that is promoted: the index it goes to would not hold it back any more.
Promotion plan_promotion(PageStore& pages, const std::string& from, int64_t revision, const std::string& to,
                         const std::vector<std::string>& projects, Policies* policies = nullptr);

// Fetches what `promotion` will list and the store does not hold, files and metadata: the index it goes to has no
// upstream. `upstream` may be null: then what is missing is Error not_found. Nothing is listed before all is there.
void fetch_missing(const Promotion& promotion, Upstream* upstream, BlobStore& blobs, EventSink& events);

}  // namespace dae::mirror
