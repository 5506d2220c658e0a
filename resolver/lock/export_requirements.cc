#include "resolver/lock/export_requirements.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/strings.h"
#include "resolver/lock/target_markers.h"
#include "resolver/source/find_links.h"
#include "resolver/standards/direct_url.h"
#include "resolver/standards/marker_algebra.h"

namespace dae::resolver {

namespace {

struct Names {
  std::set<std::string> extras, groups;
};

Names asked_for(const Lock& lock, const SelectOptions& options) {
  Names out;
  for (const std::string& name : options.extras) {
    if (std::ranges::find(lock.extras, normalize_name(name)) == lock.extras.end()) {
      throw Error(ErrorKind::usage, fmt::format("the lock has no extra `{}`", name));
    }
    out.extras.insert(normalize_name(name));
  }
  for (const std::string& name : options.groups) {
    const auto same = [&](const std::string& other) { return normalize_name(other) == normalize_name(name); };
    if (std::ranges::none_of(lock.dependency_groups, same) && std::ranges::none_of(lock.default_groups, same)) {
      throw Error(ErrorKind::usage, fmt::format("the lock has no dependency group `{}`", name));
    }
    out.groups.insert(normalize_name(name));
  }
  if (options.default_groups) out.groups.insert(lock.default_groups.begin(), lock.default_groups.end());
  return out;
}

std::string single_quoted(std::string marker) {
  return marker.find('\'') == std::string::npos ? replace_all(std::move(marker), "\"", "'") : marker;
}

class Exporter {
 public:
  Exporter(const Lock& lock, const ExportOptions& options, std::vector<std::string>* unhashed)
      : lock_(lock), options_(options), unhashed_(unhashed), names_(asked_for(lock, options.which)) {
    if (options.target) {
      for (Selected& selected : select(lock, *options.target, options.which)) {
        auto& place = selected_[selected.name];
        place = std::move(selected);
      }
    }
    for (const LockedPackage& package : lock.packages) {
      for (const std::string& name : package.dependencies) users_[name].insert(package.name);
    }
  }

  std::string run() {
    std::string out;
    for (size_t i = 0; i < options_.index_urls.size(); ++i) {
      out += fmt::format("--{}index-url {}\n", i == 0 ? "" : "extra-", strip_url_credentials(options_.index_urls[i]));
    }
    std::vector<const LockedPackage*> packages;
    for (const LockedPackage& package : lock_.packages) packages.push_back(&package);
    std::ranges::stable_sort(packages, {}, &LockedPackage::name);
    for (const LockedPackage* package : packages) {
      if (const auto marker = marker_of(*package)) entry(out, *package, *marker);
    }
    return out;
  }

 private:
  // nullopt: not wanted.
  std::optional<std::string> marker_of(const LockedPackage& package) const {
    if (options_.target) return is_selected(package) ? std::optional<std::string>("") : std::nullopt;
    if (package.marker.empty()) return "";
    const Marker marker = Marker::parse(package.marker);
    if (!lock_.targets.empty()) {
      std::vector<bool> chosen;
      for (const Target& target : lock_.targets) {
        chosen.push_back(marker.evaluate(target.markers(), names_.extras, names_.groups));
      }
      if (std::ranges::find(chosen, true) == chosen.end()) return std::nullopt;
      if (auto text = distinguishing_marker(lock_.targets, chosen)) return text;
    }
    return partly_evaluated(marker, package);
  }

  bool is_selected(const LockedPackage& package) const {
    const auto found = selected_.find(package.name);
    if (found == selected_.end() || found->second.version != package.version) return false;
    const Selected& selected = found->second;
    if (selected.vcs || selected.directory) {
      return selected.vcs == package.vcs && selected.directory == package.directory;
    }
    const auto same = [&](const LockedFile& file) { return file.sha256 == selected.file.sha256; };
    return (package.archive && same(*package.archive)) || (package.sdist && same(*package.sdist)) ||
           std::ranges::any_of(package.wheels, same);
  }

  // The marker of somebody else's lock with its extras and groups settled: requirements files know neither.
  std::optional<std::string> partly_evaluated(const Marker& marker, const LockedPackage& package) const {
    std::vector<std::string> settled;
    const auto settle = [&](const std::string& name, bool in, const char* set) {
      settled.push_back(fmt::format("'{}' {} {}", name, in ? "in" : "not in", set));
    };
    for (const std::string& extra : lock_.extras) settle(extra, names_.extras.count(extra) != 0, "extras");
    std::set<std::string> groups(lock_.dependency_groups.begin(), lock_.dependency_groups.end());
    groups.insert(lock_.default_groups.begin(), lock_.default_groups.end());
    for (const std::string& group : groups) {
      settle(group, names_.groups.count(group) != 0 || names_.groups.count(normalize_name(group)) != 0,
             "dependency_groups");
    }
    const std::string text =
        settled.empty() ? marker.text() : simplify(marker, Marker::parse(join(settled, " and "))).text();
    if (text == kNeverMarker) return std::nullopt;
    if (text.find(" extras") != std::string::npos || text.find("dependency_groups") != std::string::npos) {
      throw Error(ErrorKind::failed, "this marker cannot be put into a requirements file", package.name,
                  package.marker);
    }
    return single_quoted(text);
  }

  void entry(std::string& out, const LockedPackage& package, const std::string& marker) {
    out += requirement(package);
    // Behind an address a semicolon may belong to it; the space says that it does not.
    if (!marker.empty()) out += " ; " + marker;
    const std::vector<std::string> digests = hashes(package);
    if (digests.empty() && unhashed_ != nullptr) unhashed_->push_back(package.name);
    if (options_.hashes) {
      for (const std::string& digest : digests) out += " \\\n    --hash=" + digest;
    }
    out += '\n';
    if (options_.via) via(out, package.name);
  }

  static std::string with_fragment(std::string url, const std::string& subdirectory) {
    return subdirectory.empty() ? url : url + "#subdirectory=" + subdirectory;
  }

  static std::string requirement(const LockedPackage& package) {
    if (package.vcs) {
      const std::string place = package.vcs->url.empty() ? package.vcs->path : package.vcs->url;
      const std::string url =
          place.find("://") == std::string::npos && place.starts_with('/') ? file_url(place) : place;
      return package.name + " @ " + package.vcs->type + "+" +
             with_fragment(url + "@" + package.vcs->commit_id, package.vcs->subdirectory);
    }
    if (package.directory) {
      std::string path = package.directory->path;
      if (!package.directory->subdirectory.empty()) path += "/" + package.directory->subdirectory;
      if (!path.starts_with('/') && !path.starts_with('.') && path.find("://") == std::string::npos) path = "./" + path;
      return (package.directory->editable ? "-e " : "") + path;
    }
    if (package.archive) {
      const LockedFile& file = *package.archive;
      if (!file.url.empty()) return package.name + " @ " + with_fragment(file.url, package.archive_subdirectory);
      const bool plain = file.path.starts_with('/') || file.path.starts_with('.');
      return (plain ? "" : "./") + file.path;
    }
    return package.name + "==" + package.version;
  }

  std::vector<std::string> hashes(const LockedPackage& package) const {
    std::set<std::string> out;
    const auto add = [&](const LockedFile& file) {
      if (!file.sha256.empty()) out.insert("sha256:" + file.sha256);
    };
    for (const LockedFile& wheel : package.wheels) add(wheel);
    if (package.sdist) add(*package.sdist);
    if (package.archive) add(*package.archive);
    return {out.begin(), out.end()};
  }

  void via(std::string& out, const std::string& name) const {
    std::vector<std::string> who;
    if (const auto roots = options_.roots.find(name); roots != options_.roots.end()) who = roots->second;
    if (const auto users = users_.find(name); users != users_.end()) {
      who.insert(who.end(), users->second.begin(), users->second.end());
    }
    if (who.size() == 1) out += "    # via " + who.front() + "\n";
    if (who.size() < 2) return;
    out += "    # via\n";
    for (const std::string& one : who) out += "    #   " + one + "\n";
  }

  const Lock& lock_;
  const ExportOptions& options_;
  std::vector<std::string>* unhashed_;
  const Names names_;
  std::map<std::string, Selected> selected_;
  std::map<std::string, std::set<std::string>> users_;
};

}  // namespace

std::string export_requirements(const Lock& lock, const ExportOptions& options, std::vector<std::string>* unhashed) {
  return Exporter(lock, options, unhashed).run();
}

}  // namespace dae::resolver
