#include "mirror/policy/overlay.h"

#include <algorithm>

#include "mirror/policy/project_globs.h"

namespace dae::mirror {

std::vector<std::string> Overlays::members(const std::string& index) const {
  const auto overlay = overlays_.find(index);
  return overlay == overlays_.end() ? std::vector<std::string>{index} : overlay->second.members;
}

bool Overlays::has_own(const std::string& index) const {
  return std::ranges::any_of(members(index), [this](const std::string& member) { return private_.contains(member); });
}

bool Overlays::merges(const std::string& index, const std::string& project) const {
  const auto overlay = overlays_.find(index);
  return overlay != overlays_.end() && matches_any(overlay->second.merge, project);
}

std::string Overlays::bar(const std::string& index, const std::string& project) const {
  return bar(index, project, [&](const std::string& member) {
    const auto row = pages_.find(member, project);
    return row && row->present;
  });
}

std::string Overlays::claim(const std::string& index, const std::string& project) const {
  return bar(index, project, [](const std::string&) { return false; });
}

std::string Overlays::bar(const std::string& index, const std::string& project,
                          const std::function<bool(const std::string&)>& has) const {
  if (overlays_.empty() || private_.contains(index)) return "";
  for (const auto& [name, rules] : overlays_) {
    if (std::ranges::find(rules.members, index) == rules.members.end()) continue;
    if (matches_any(rules.claims, project)) return "`" + project + "` is claimed by the overlay `" + name + "`";
    if (matches_any(rules.merge, project)) continue;
    for (const std::string& member : rules.members) {
      if (private_.contains(member) && has(member)) {
        return "`" + project + "` is a project of the private index `" + member + "`";
      }
    }
  }
  return "";
}

// A query for each of hundreds of thousands of names would take seconds.
std::function<bool(const std::string&)> Overlays::barred_from(const std::string& index) const {
  if (overlays_.empty() || private_.contains(index)) return [](const std::string&) { return false; };
  std::map<std::string, std::set<std::string>> of_private;
  for (const std::string& member : private_) {
    const std::vector<std::string> own = pages_.names(member);
    of_private[member] = {own.begin(), own.end()};
  }
  return [this, index, of_private = std::move(of_private)](const std::string& project) {
    const auto has = [&](const std::string& member) { return of_private.at(member).contains(project); };
    return !bar(index, project, has).empty();
  };
}

std::vector<std::string> Overlays::names(const std::string& index) const {
  if (overlays_.empty()) return pages_.names(index);
  std::set<std::string> names;
  for (const std::string& member : members(index)) {
    const auto barred = barred_from(member);
    for (std::string& name : pages_.names(member)) {
      if (!barred(name)) names.insert(std::move(name));
    }
  }
  return {names.begin(), names.end()};
}

resolver::ProjectPage merge_pages(std::vector<resolver::ProjectPage> pages) {
  resolver::ProjectPage merged = std::move(pages.at(0));
  std::set<std::string> seen;
  for (const resolver::IndexFile& file : merged.files) seen.insert(file.name);
  for (size_t i = 1; i < pages.size(); ++i) {
    for (resolver::IndexFile& file : pages[i].files) {
      if (seen.insert(file.name).second) merged.files.push_back(std::move(file));
    }
  }
  return merged;
}

}  // namespace dae::mirror
