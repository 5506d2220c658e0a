#include "mirror/index/promotion.h"

#include <atomic>
#include <set>

#include "base/error.h"
#include "base/log.h"
#include "base/strings.h"
#include "mirror/artifact/parallel.h"

namespace dae::mirror {
namespace {

constexpr size_t kAtOnce = 8;

void fetch(const resolver::IndexFile& file, Upstream* upstream, BlobStore& blobs) {
  const Digest digest = Digest::parse(file.sha256);
  const bool has_metadata = file.metadata_sha256.empty() || blobs.has(Digest::parse(file.metadata_sha256));
  if (blobs.has(digest) && has_metadata) return;
  const Error missing(ErrorKind::not_found, "this file is listed, but the mirror does not hold it", file.name,
                      "ask the mirror for it once, or promote from an index with an upstream");
  if (upstream == nullptr || file.url.empty()) throw missing;
  if (!blobs.has(digest) && !upstream->fetch_file(file.url, digest, file.size_bytes, blobs)) throw missing;
  if (has_metadata) return;
  const auto text = upstream->fetch_metadata(file.url);
  if (!text || Digest::of(*text) != Digest::parse(file.metadata_sha256)) {
    throw Error(ErrorKind::network, "upstream's metadata is not what its index announces", redact_url(file.url));
  }
  blobs.put(*text);
}

// nullptr: `from` must not speak for the project.
std::shared_ptr<const ProjectDocument> offered(Policies& policies, const std::string& from,
                                               const std::shared_ptr<const ProjectDocument>& listed,
                                               std::vector<std::string>* held_back) {
  const std::string& project = listed->page.name;
  if (const std::string barred = policies.overlays().claim(from, project); !barred.empty()) {
    held_back->push_back(barred);
    return nullptr;
  }
  const Policy policy = policies.of(from, project).policy;
  auto out = std::make_shared<ProjectDocument>(*listed);
  std::erase_if(out->page.files, [&](const resolver::IndexFile& file) {
    const Verdict verdict = admits(policy, *listed, file, policies.now_ms());
    if (!verdict.admitted) {
      held_back->push_back(verdict.reason);
      out->first_seen_ms.erase(file.name);
    }
    return !verdict.admitted;
  });
  return out;
}

}  // namespace

Promotion plan_promotion(PageStore& pages, const std::string& from, int64_t revision, const std::string& to,
                         const std::vector<std::string>& projects, Policies* policies) {
  std::set<std::string> names(projects.begin(), projects.end());
  if (projects.empty()) {
    for (std::string& name : pages.names_at(from, revision)) names.insert(std::move(name));
    for (std::string& name : pages.names(to)) names.insert(std::move(name));
  }
  Promotion out;
  for (const std::string& name : names) {
    auto wanted = pages.document_at(from, name, revision);
    const auto there = pages.document(to, name);
    if (!wanted && !projects.empty()) throw Error(ErrorKind::not_found, "`" + from + "` lists no such project", name);
    if (wanted && policies != nullptr) wanted = offered(*policies, from, wanted, &out.held_back);
    if (!wanted && !there) continue;
    if (wanted && there && write_document(*wanted) == write_document(*there)) continue;
    (!wanted ? out.removed : there ? out.changed : out.added).push_back(name);
    ProjectChange change{name, std::nullopt};
    if (wanted) change.document = *wanted;
    out.changes.push_back(std::move(change));
  }
  return out;
}

void fetch_missing(const Promotion& promotion, Upstream* upstream, BlobStore& blobs, EventSink& events) {
  std::vector<const resolver::IndexFile*> files;
  for (const ProjectChange& change : promotion.changes) {
    if (!change.document) continue;
    for (const resolver::IndexFile& file : change.document->page.files) files.push_back(&file);
  }
  Activity activity(events, "fetching", "", files.size());
  std::atomic<size_t> done = 0;
  std::mutex mutex;
  run_parallel(files.size(), kAtOnce, [&](size_t i) {
    fetch(*files[i], upstream, blobs);
    const std::scoped_lock lock(mutex);
    activity.progress(++done);
  });
  activity.finish();
}

}  // namespace dae::mirror
