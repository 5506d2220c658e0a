#include "resolver/lock/resolve.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/clock.h"
#include "base/error.h"
#include "base/hash.h"
#include "resolver/lock/lock_sources.h"
#include "resolver/lock/scopes.h"
#include "resolver/lock/target_markers.h"
#include "resolver/standards/direct_url.h"
#include "resolver/standards/metadata.h"

namespace dae::resolver {

namespace {

// One version of a package and the targets it was chosen for.
struct Entry {
  Pin pin;
  std::vector<Scopes> scopes;              // by target
  std::map<std::string, IndexFile> files;  // by name: the targets' lists together
  const DirectSource* source = nullptr;
};
using Entries = std::map<std::string, std::vector<Entry>>;

std::set<std::string> normalised(const std::vector<std::string>& names) {
  std::set<std::string> out;
  for (const std::string& name : names)
    out.insert(name.starts_with('*') || name.starts_with(':') ? name : normalize_name(name));
  return out;
}

std::vector<std::string> sorted_names(const std::vector<std::string>& names) {
  const std::set<std::string> out = normalised(names);
  return {out.begin(), out.end()};
}

class Locker {
 public:
  Locker(const LockRequest& request, IndexClient& client, LockSources sources)
      : request_(request), client_(client), upgrade_(normalised(request.upgrade)), roots_(request.requirements) {
    if (request.targets.empty()) throw Error(ErrorKind::usage, "no target to lock for");
    for (const Target& target : request.targets) validate_target(target);
    if (sources.direct != nullptr) {
      sources_.emplace(*sources.direct, request.previous ? &*request.previous : nullptr, upgrade_);
      sources_->add_roots(roots_);
    }
    options_.direct = sources_ ? &*sources_ : nullptr;
    options_.events = sources.events;
    if (!request.cutoff.empty()) options_.cutoff_ms = parse_utc(request.cutoff);
    options_.no_binary = normalised(request.no_binary);
    options_.only_binary = normalised(request.only_binary);
    options_.no_binary_at_all = options_.no_binary.erase(":all:") != 0;
    options_.only_binary_at_all = options_.only_binary.erase(":all:") != 0;
  }

  std::variant<LockOutcome, NoSolution> run() {
    LockOutcome outcome;
    std::vector<std::vector<Pin>> pins;
    for (size_t i = 0; i < request_.targets.size(); ++i) {
      providers_.push_back(make_index_provider(client_, request_.targets[i], options_));
      IndexProvider& provider = *providers_.back();
      auto solved = solve(solve_request(i), provider);
      if (auto* failed = std::get_if<NoSolution>(&solved)) {
        failed->lines.insert(failed->lines.begin(), {request_.targets[i].label(), "cannot have all of these"});
        return std::move(*failed);
      }
      auto& resolution = std::get<Resolution>(solved);
      for (const Pin& pin : resolution.pins) {
        add(pin, i, provider);
        if (pin.url.empty()) follow(pin, i);
      }
      pins.push_back(resolution.pins);
      if (i == 0) outcome.resolution = std::move(resolution);
    }
    outcome.lock = make();
    verify(outcome.lock, pins);
    return outcome;
  }

 private:
  SolveRequest solve_request(size_t target) const {
    SolveRequest out;
    out.roots = roots_;
    out.constraints = request_.constraints;
    out.overrides = request_.overrides;
    out.selection = request_.selection;
    out.prereleases = request_.prereleases;
    out.target = request_.targets[target];
    out.preferences = earlier_pins(target);
    for (const auto& [name, version] : chosen_) out.preferences.insert_or_assign(name, version);
    out.suggest = true;
    out.other_provider = [this](const Target& other, std::optional<int64_t> cutoff_ms) {
      ProviderOptions options = options_;
      options.events = nullptr;  // what is only tried warns of nothing
      if (cutoff_ms) options.cutoff_ms = cutoff_ms;
      return make_index_provider(client_, other, std::move(options));
    };
    return out;
  }

  // Later targets follow the first one that has the package, unless that one only kept what the previous lock says:
  // then they keep their own earlier pins too, and locking again changes nothing.
  void follow(const Pin& pin, size_t target) {
    const auto pins = earlier_pins(target);
    const auto earlier = pins.find(pin.name);
    if (earlier == pins.end() || earlier->second != pin.version) chosen_.emplace(pin.name, pin.version);
  }

  const std::map<std::string, Version>& earlier_pins(size_t target) const {
    earlier_.resize(request_.targets.size());
    if (!earlier_[target]) earlier_[target] = find_earlier_pins(request_.targets[target]);
    return *earlier_[target];
  }

  std::map<std::string, Version> find_earlier_pins(const Target& target) const {
    std::map<std::string, Version> out;
    if (request_.previous && upgrade_.count("*") == 0) {
      const Lock& previous = *request_.previous;
      const MarkerEnvironment environment = target.markers();
      const std::set<std::string> extras(previous.extras.begin(), previous.extras.end());
      std::set<std::string> groups(previous.dependency_groups.begin(), previous.dependency_groups.end());
      groups.insert(previous.default_groups.begin(), previous.default_groups.end());
      for (const LockedPackage& package : previous.packages) {
        const auto version = Version::try_parse(package.version);
        const bool direct = package.archive || package.vcs || package.directory;
        if (upgrade_.count(package.name) != 0 || direct || !version) continue;
        if (!package.marker.empty() && !Marker::parse(package.marker).evaluate(environment, extras, groups)) continue;
        out.insert_or_assign(package.name, *version);
      }
    }
    out.insert(request_.imported.begin(), request_.imported.end());
    return out;
  }

  void add(const Pin& pin, size_t target, IndexProvider& provider) {
    auto& entries = entries_[pin.name];
    const auto same = [&](const Entry& e) { return e.pin.version == pin.version && e.pin.url == pin.url; };
    auto entry = std::find_if(entries.begin(), entries.end(), same);
    if (entry == entries.end()) {
      entries.push_back({pin, std::vector<Scopes>(request_.targets.size()), {}, nullptr});
      entry = entries.end() - 1;
    }
    entry->scopes[target] = Scopes(pin.scopes.begin(), pin.scopes.end());
    if (pin.scopes.empty()) entry->scopes[target].insert("");
    for (const std::string& name : pin.dependencies) {
      auto& all = entry->pin.dependencies;
      const auto place = std::lower_bound(all.begin(), all.end(), name);
      if (place == all.end() || *place != name) all.insert(place, name);
    }
    if (!pin.url.empty()) entry->source = provider.direct_source(pin.name, pin.version);
    if (entry->source != nullptr) return;
    for (IndexFile& file : provider.files(pin.name, pin.version)) {
      std::string name = file.name;
      entry->files.emplace(std::move(name), std::move(file));
    }
  }

  Lock make() const {
    Lock lock;
    lock.requires_python = request_.requires_python;
    lock.environments = environment_markers(request_.targets);
    lock.extras = sorted_names(request_.extras);
    lock.dependency_groups = sorted_names(request_.groups);
    lock.default_groups = sorted_names(request_.default_groups);
    lock.input_digest = lock_input_digest(request_);
    lock.targets = request_.targets;
    lock.cutoff = request_.cutoff;
    for (const auto& [name, entries] : entries_) {
      std::vector<const Entry*> ordered;
      for (const Entry& entry : entries) ordered.push_back(&entry);
      std::stable_sort(ordered.begin(), ordered.end(), [](const Entry* a, const Entry* b) {
        return a->pin.version != b->pin.version ? a->pin.version < b->pin.version : a->pin.url < b->pin.url;
      });
      for (const Entry* entry : ordered) lock.packages.push_back(locked(*entry));
    }
    return lock;
  }

  LockedPackage locked(const Entry& entry) const {
    LockedPackage out;
    out.name = entry.pin.name;
    out.version = entry.pin.version.text();
    out.marker = marker_of(entry);
    out.dependencies = entry.pin.dependencies;
    if (entry.source != nullptr) {
      const auto specifiers =
          SpecifierSet::try_parse(parse_core_metadata(entry.source->metadata, out.name).requires_python);
      if (specifiers) out.requires_python = specifiers->text();
      fill_source(*entry.source, out);
      return out;
    }
    if (entry.files.empty()) {
      throw Error(ErrorKind::failed, "the index lists no file for a chosen version", out.name + " " + out.version);
    }
    out.requires_python = common_python(entry);
    if (!entry.pin.url.empty()) {
      out.archive = locked_file(entry.files.begin()->second);
      return out;
    }
    out.index = strip_url_credentials(client_.index_of(out.name));
    if (out.index.empty() && request_.index_urls.size() == 1) {
      out.index = strip_url_credentials(request_.index_urls.front());
    }
    for (const auto& [name, file] : entry.files) {
      if (name.ends_with(".whl")) {
        out.wheels.push_back(locked_file(file));
      } else {
        out.sdist = locked_file(file);
      }
    }
    keep_identities(out);
    return out;
  }

  std::string marker_of(const Entry& entry) const {
    auto known = markers_.find(entry.scopes);
    if (known == markers_.end()) {
      known = markers_.emplace(entry.scopes, scope_marker(request_.targets, entry.scopes)).first;
    }
    if (known->second) return *known->second;
    throw Error(ErrorKind::failed, "targets that markers cannot tell apart need different versions",
                entry.pin.name + " " + entry.pin.version.text(),
                "pin the package to one version, or lock these targets separately");
  }

  // Who published a version was found out by whoever wrote it into the lock; it stays true of the same version.
  void keep_identities(LockedPackage& out) const {
    if (!request_.previous) return;
    for (const LockedPackage& package : request_.previous->packages) {
      if (package.name == out.name && package.version == out.version) {
        out.attestation_identities = package.attestation_identities;
      }
    }
  }

  static std::string common_python(const Entry& entry) {
    const std::string& first = entry.files.begin()->second.requires_python;
    for (const auto& [name, file] : entry.files) {
      if (file.requires_python != first) return "";
    }
    const auto specifiers = SpecifierSet::try_parse(first);
    return specifiers ? specifiers->text() : "";
  }

  static LockedFile locked_file(const IndexFile& file) {
    if (!Digest::is_valid(file.sha256)) {
      throw Error(ErrorKind::verification, "the index gives no sha256 digest of this file", file.name,
                  "use an index that lists digests, such as a mirror made by `dae mirror`");
    }
    LockedFile out;
    out.name = file.name;
    out.url = strip_url_credentials(file.url);
    out.sha256 = Digest::parse(file.sha256).hex();
    out.size_bytes = file.size_bytes;
    out.upload_time = file.upload_time;
    return out;
  }

  // A lock that serves a target in name only would be found out in production: each is installed here on paper.
  void verify(const Lock& lock, const std::vector<std::vector<Pin>>& pins) const {
    SelectOptions everything;
    everything.extras = lock.extras;
    everything.groups = lock.dependency_groups;
    for (size_t i = 0; i < pins.size(); ++i) {
      const Target& target = request_.targets[i];
      const std::vector<Selected> selected = select(lock, target, everything);
      const bool same = std::equal(selected.begin(), selected.end(), pins[i].begin(), pins[i].end(),
                                   [](const Selected& a, const Pin& b) {
                                     return a.name == b.name && (a.version.empty() || a.version == b.version.text());
                                   });
      if (!same) {
        throw Error(ErrorKind::failed,
                    fmt::format("the merged lock does not give {} what was solved for it", target.label()), "",
                    "lock this target by itself");
      }
    }
  }

  const LockRequest& request_;
  IndexClient& client_;
  const std::set<std::string> upgrade_;
  std::vector<RootRequirement> roots_;
  std::optional<LockedSources> sources_;
  ProviderOptions options_;
  std::vector<std::unique_ptr<IndexProvider>> providers_;  // own what entries point to
  mutable std::vector<std::optional<std::map<std::string, Version>>> earlier_;
  mutable std::map<std::vector<Scopes>, std::optional<std::string>> markers_;
  std::map<std::string, Version> chosen_;
  Entries entries_;
};

}  // namespace

std::variant<LockOutcome, NoSolution> make_lock(const LockRequest& request, IndexClient& client, LockSources sources) {
  return Locker(request, client, sources).run();
}

}  // namespace dae::resolver
