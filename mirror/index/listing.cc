#include "mirror/index/listing.h"

#include <algorithm>

#include "base/http.h"
#include "resolver/standards/names.h"

namespace dae::mirror {

std::optional<Listing> list_project(const Indexes& indexes, Policies& policies, const std::string& index,
                                    const std::string& project) {
  const bool merges = policies.overlays().merges(index, project);
  Listing listing;
  listing.fresh_until_ms = kNever;
  for (const std::string& member : policies.overlays().members(index)) {
    PullThroughIndex& one = *indexes.at(member);
    const std::optional<KeptPage> kept = one.page(project);
    if (!kept) continue;
    listing.stale = listing.stale || kept->stale;
    if (!one.pages_frozen()) listing.fresh_until_ms = std::min(listing.fresh_until_ms, kept->row.fresh_until_ms);
    listing.parts.push_back({*kept, policies.of(member, project)});
    listing.key += std::to_string(kept->row.id) + "/";
    listing.version += std::to_string(kept->row.revision) + listing.parts.back().policy.stamp + ";";
    if (!merges) break;
  }
  if (listing.parts.empty()) return std::nullopt;
  return listing;
}

std::optional<Listing> list_frozen_project(PageStore& pages, Policies& policies, const Snapshot& frozen,
                                           const std::string& project) {
  if (!policies.overlays().bar(frozen.index, project).empty()) return std::nullopt;
  KeptPage kept;
  kept.row.document = pages.document_name_at(frozen.index, project, frozen.revision);
  if (kept.row.document.empty()) return std::nullopt;
  kept.row.present = true;
  Policies::Current policy = policies.of(frozen.index, project);
  Listing listing;
  listing.fresh_until_ms = kNever;
  listing.key = "snapshots/" + frozen.id + "/" + project + "/";
  listing.version = kept.row.document + policy.stamp;
  listing.parts.push_back({std::move(kept), std::move(policy)});
  return listing;
}

PolicyPage offered_page(const Listing& listing, PageStore& pages, int64_t now_ms) {
  std::vector<resolver::ProjectPage> offered;
  PolicyPage out;
  for (const Listing::Part& part : listing.parts) {
    const auto document = pages.document(Digest::parse(part.kept.row.document));
    PolicyPage one = apply_policy(part.policy.policy, *document, now_ms);
    out.next_change_ms = std::min(out.next_change_ms, one.next_change_ms);
    offered.push_back(std::move(one.page));
  }
  out.page = merge_pages(std::move(offered));
  pages.fill_in_what_was_learned(out.page);
  return out;
}

bool tells_serials(const Indexes& indexes, Policies& policies, const std::string& index) {
  const auto found = indexes.find(index);
  return found != indexes.end() && found->second->pages_frozen() && policies.of(index, "").policy.is_plain();
}

void announce_from_here(resolver::ProjectPage& page, const std::string& to_root) {
  bool all_sizes = true;
  for (resolver::IndexFile& file : page.files) {
    file.url = to_root + "packages/" + file.sha256.substr(0, 2) + "/" + file.sha256 + "/" + percent_encode(file.name);
    if (!file.metadata_sha256.empty() || resolver::parse_wheel_name(file.name)) file.has_metadata = true;
    if (!file.provenance.empty()) file.provenance = file.url + std::string(kProvenanceSuffix);
    all_sizes = all_sizes && file.size_bytes.has_value();
  }
  // From 1.1 on (PEP 700) every file must have a size.
  page.api_version = all_sizes ? "1.4" : "1.0";
}

}  // namespace dae::mirror
