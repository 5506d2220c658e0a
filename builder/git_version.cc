// Versions from git, as `git describe` would tell them, but never silently wrong: see share/doc/formats/artifact.md.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/error.h"
#include "builder/build.h"
#include "builder/git_repository.h"
#include "builder/source_files.h"
#include "resolver/standards/version.h"

namespace dae::builder {

namespace {

using resolver::Version;

constexpr int64_t kNoCommitTime_s = 315'532'800;  // 1980-01-01: the earliest time a zip file can say

// "v1.4.0" and "1.4.0" -> 1.4.0; nullopt for tags that are no versions ("latest", "deploy-7", "v2").
std::optional<Version> version_of_tag(std::string_view name) {
  if (name.starts_with('v')) name.remove_prefix(1);
  if (name.empty() || name[0] < '0' || name[0] > '9' || name.find('.') == std::string_view::npos) return std::nullopt;
  auto version = Version::try_parse(name);
  if (version && version->is_local()) return std::nullopt;
  return version;
}

struct VersionTag {
  Version version;
  bool annotated = false;
};

// Of several on one commit an annotated one counts before a light one, then the highest.
std::map<std::string, VersionTag> version_tags(const GitRepository& repository) {
  std::map<std::string, VersionTag> out;
  for (const GitTag& tag : repository.tags()) {
    const auto version = version_of_tag(tag.name);
    if (!version) continue;
    const auto [place, fresh] = out.try_emplace(tag.commit, VersionTag{*version, tag.annotated});
    VersionTag& held = place->second;
    const bool better = tag.annotated != held.annotated ? tag.annotated : held.version < *version;
    if (!fresh && better) held = {*version, tag.annotated};
  }
  return out;
}

std::string base_of_project(const std::string& project_version) {
  if (project_version.empty()) return "0.0.0";
  const auto version = Version::try_parse(project_version);
  if (!version || version->is_local()) {
    throw Error(ErrorKind::bad_input,
                fmt::format("`{}` in [project] version cannot be the base of a version", project_version),
                "pyproject.toml", "write a public version such as `1.4.0`");
  }
  return version->text();
}

[[noreturn]] void refuse_shallow(const GitRepository& repository) {
  throw Error(ErrorKind::refused, "this is a shallow clone: the commits since the last version cannot be counted",
              repository.root().string(), "fetch the history: `git fetch --unshallow --tags`");
}

// What would make the artifact differ from the commit; other changes do not matter to it.
bool is_dirty(const GitRepository& repository, const AppFile& app) {
  const auto changes = repository.changes(app_subdir(repository, app));
  return std::any_of(changes.begin(), changes.end(),
                     [&](const auto& change) { return is_source_file(app, change.path); });
}

SourceVersion version_without_git(const AppFile& app, const std::string& base) {
  SourceVersion out;
  out.base = base;
  out.version = fmt::format("{}+0.g{}", base, source_digest(app.dir, source_files(app)).short_hex());
  out.commit_time_s = kNoCommitTime_s;
  return out;
}

}  // namespace

SourceVersion source_version(const AppFile& app, const std::string& project_version) {
  const auto repository = GitRepository::find(app.dir);
  const std::string head = repository ? repository->head() : "";
  if (head.empty()) return version_without_git(app, base_of_project(project_version));

  const auto tags = version_tags(*repository);
  std::string tagged;
  const bool complete = repository->walk(head, [&](const std::string& commit) {
    if (tags.contains(commit)) tagged = commit;
    return tagged.empty();
  });
  if (tagged.empty() && (!complete || repository->is_shallow())) refuse_shallow(*repository);

  SourceVersion out;
  out.in_git = true;
  out.revision = head;
  out.base = tagged.empty() ? base_of_project(project_version) : tags.at(tagged).version.text();
  out.commit_time_s = repository->commit_time_s(head);
  const auto count = repository->count_commits(head, tagged);
  if (!count) refuse_shallow(*repository);
  out.dirty = is_dirty(*repository, app);
  out.version = fmt::format("{}+{}.g{}{}", out.base, *count, head.substr(0, 12), out.dirty ? ".dirty" : "");
  return out;
}

}  // namespace dae::builder
