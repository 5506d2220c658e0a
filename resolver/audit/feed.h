#pragma once
// Collections of advisories: a document, a folder of documents, or a zip of them as OSV databases export it. A feed
// that cannot be read whole must not pass for one that says nothing.
#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/fs.h"
#include "resolver/audit/advisory.h"

namespace dae::resolver {

struct FeedOptions {
  PackageFilter wanted;
  bool keep_going = false;  // documents that cannot be read are listed in the report instead of thrown
};

struct FeedReport {
  size_t records = 0;          // all of them
  size_t of_python = 0;        // those about packages of this ecosystem
  std::vector<Error> skipped;  // in the order of the documents
};

// `label` names the feed in messages. `take` gets what concerns wanted packages, in the order of the documents' names,
// withdrawn advisories too. Documents are read on several threads, one at a time in each: memory does not grow with the
// feed. Throws Error not_found, or bad_input naming feed and document; also for a feed that has no advisory about any
// Python package.
FeedReport read_feed(const Path& path, const std::string& label, const FeedOptions& options,
                     const std::function<void(Advisory)>& take);

}  // namespace dae::resolver
