#include "resolver/lock/lock_sources.h"

#include <fmt/format.h>

#include "base/error.h"
#include "resolver/source/direct_reference.h"

namespace dae::resolver {

LockedSources::LockedSources(DirectSources& inner, const Lock* previous, const std::set<std::string>& upgrade)
    : inner_(inner), previous_(previous), upgrade_(upgrade) {}

void LockedSources::add_roots(std::vector<RootRequirement>& roots) {
  for (RootRequirement& root : roots) {
    if (root.editable) editable_.insert(root.requirement.url);
  }
  for (RootRequirement& root : roots) {
    if (root.requirement.url.empty() || !root.requirement.key.empty()) continue;
    const DirectSource& source = resolve(root.requirement.url, root.editable, "");
    root.requirement.name = root.requirement.key = source.name;
  }
}

bool LockedSources::upgraded(const std::string& name) const {
  return upgrade_.count("*") != 0 || upgrade_.count(name) != 0;
}

// The same repository, asked for in the same way, stays at its commit.
std::string LockedSources::with_commit(const std::string& url, std::string& requested) const {
  const size_t plus = url.find('+');
  if (previous_ == nullptr || plus == std::string::npos || plus > url.find("://")) return url;
  const DirectReference reference = parse_direct_reference(url, ".");
  if (reference.kind != DirectReference::Kind::vcs) return url;
  for (const LockedPackage& package : previous_->packages) {
    if (!package.vcs || upgraded(package.name)) continue;
    const LockedVcs& vcs = *package.vcs;
    if (vcs.type != reference.vcs || vcs.url != shareable_url(reference.url, reference.vcs) ||
        vcs.requested_revision != reference.revision || vcs.subdirectory != reference.subdirectory) {
      continue;
    }
    requested = vcs.requested_revision;
    std::string out = reference.vcs + "+" + reference.url + "@" + vcs.commit_id;
    if (!vcs.subdirectory.empty()) out += "#subdirectory=" + vcs.subdirectory;
    return out;
  }
  return url;
}

void LockedSources::check_digest(const DirectSource& source) const {
  if (previous_ == nullptr || source.sha256.empty() || upgraded(source.name)) return;
  for (const LockedPackage& package : previous_->packages) {
    if (package.name != source.name || !package.archive || package.archive->sha256.empty()) continue;
    const bool same_place = source.url.empty() ? package.archive->path == source.path && !source.path.empty()
                                               : package.archive->url == source.url;
    if (!same_place || package.archive->sha256 == source.sha256) continue;
    throw Error(ErrorKind::verification, "what is there now is not what was locked",
                source.url.empty() ? source.path : source.url,
                fmt::format("if the change is wanted, upgrade `{}`", source.name));
  }
}

const DirectSource& LockedSources::resolve(const std::string& url, bool editable, const std::string& expected_name) {
  const auto known = made_.find(url);
  if (known != made_.end()) {
    if (expected_name.empty() || expected_name == known->second.name) return known->second;
  }
  std::string requested;
  const std::string pinned = with_commit(url, requested);
  DirectSource source = inner_.resolve(pinned, editable || editable_.count(url) != 0, expected_name);
  if (pinned != url) source.requested_revision = requested;
  check_digest(source);
  return made_.insert_or_assign(url, std::move(source)).first->second;
}

void fill_source(const DirectSource& source, LockedPackage& out) {
  if (source.kind == DirectSource::Kind::vcs) {
    out.version.clear();
    out.vcs = LockedVcs{source.vcs, source.url, "", source.requested_revision, source.commit_id, source.subdirectory};
  } else if (source.kind == DirectSource::Kind::directory) {
    out.version.clear();
    out.directory = LockedDirectory{source.path.empty() ? source.local.string() : source.path, source.subdirectory,
                                    source.editable};
  } else {
    LockedFile& file = out.archive.emplace();
    file.name = source.file_name;
    file.url = source.url;
    if (source.url.empty()) file.path = source.path;
    file.sha256 = source.sha256;
    file.size_bytes = source.size_bytes;
    out.archive_subdirectory = source.subdirectory;
  }
}

}  // namespace dae::resolver
