#include "resolver/lock/resolve.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/hash.h"
#include "base/strings.h"
#include "resolver/lock/target_markers.h"

namespace dae::resolver {

namespace {

constexpr int kDigestFormat = 1;  // raised when the same inputs shall be locked anew

std::vector<std::string> sorted_texts(const std::vector<RootRequirement>& requirements) {
  std::vector<std::string> out;
  for (const RootRequirement& root : requirements) out.push_back(root.requirement.text());
  std::sort(out.begin(), out.end());
  return out;
}

// Names and passwords in an address never reach the lock.
std::string without_credentials(const std::string& url) {
  const size_t start = url.find("://");
  if (start == std::string::npos) return url;
  const size_t host = start + 3;
  const size_t end = std::min(url.find_first_of("/?#", host), url.size());
  const size_t at = url.substr(0, end).rfind('@');
  return at == std::string::npos || at < host ? url : url.substr(0, host) + url.substr(at + 1);
}

// One version of a package and the targets it was chosen for.
struct Entry {
  Pin pin;
  std::vector<bool> targets;
  std::map<std::string, IndexFile> files;  // by name: the targets' lists together
};
using Entries = std::map<std::string, std::vector<Entry>>;

class Locker {
 public:
  Locker(const LockRequest& request, IndexClient& client) : request_(request), client_(client) {
    if (request.targets.empty()) throw Error(ErrorKind::usage, "no target to lock for");
    for (const Target& target : request.targets) validate_target(target);
  }

  std::variant<LockOutcome, NoSolution> run() {
    LockOutcome outcome;
    for (size_t i = 0; i < request_.targets.size(); ++i) {
      const auto provider = make_index_provider(client_, request_.targets[i]);
      auto solved = solve(solve_request(i), *provider);
      if (auto* failed = std::get_if<NoSolution>(&solved)) {
        failed->lines.insert(failed->lines.begin(), {request_.targets[i].label(), "cannot have all of these"});
        return std::move(*failed);
      }
      auto& resolution = std::get<Resolution>(solved);
      for (const Pin& pin : resolution.pins) {
        add(pin, i, provider->files(pin.name, pin.version));
        if (pin.url.empty()) follow(pin, i);
      }
      if (i == 0) outcome.resolution = std::move(resolution);
    }
    outcome.lock = make();
    return outcome;
  }

 private:
  SolveRequest solve_request(size_t target) const {
    SolveRequest out;
    out.roots = request_.requirements;
    out.constraints = request_.constraints;
    out.target = request_.targets[target];
    out.preferences = earlier_pins(target);
    for (const auto& [name, version] : chosen_) out.preferences.insert_or_assign(name, version);
    return out;
  }

  // Later targets follow the first one that has the package, unless that one only kept what the previous lock says:
  // then they keep their own earlier pins too, and locking again changes nothing.
  void follow(const Pin& pin, size_t target) {
    const auto pins = earlier_pins(target);
    const auto earlier = pins.find(pin.name);
    if (earlier == pins.end() || earlier->second != pin.version) chosen_.emplace(pin.name, pin.version);
  }

  std::map<std::string, Version> earlier_pins(size_t target) const {
    std::map<std::string, Version> out;
    const auto& upgrade = request_.upgrade;
    if (!request_.previous || std::find(upgrade.begin(), upgrade.end(), "*") != upgrade.end()) return out;
    const MarkerEnvironment environment = request_.targets[target].markers();
    for (const LockedPackage& package : request_.previous->packages) {
      const bool upgraded = std::any_of(upgrade.begin(), upgrade.end(),
                                        [&](const std::string& name) { return normalize_name(name) == package.name; });
      const auto version = Version::try_parse(package.version);
      if (upgraded || package.archive || !version) continue;
      if (!package.marker.empty() && !Marker::parse(package.marker).evaluate(environment)) continue;
      out.insert_or_assign(package.name, *version);
    }
    return out;
  }

  void add(const Pin& pin, size_t target, const std::vector<IndexFile>& files) {
    auto& entries = entries_[pin.name];
    const auto same = [&](const Entry& e) { return e.pin.version == pin.version && e.pin.url == pin.url; };
    auto entry = std::find_if(entries.begin(), entries.end(), same);
    if (entry == entries.end()) {
      entries.push_back({pin, std::vector<bool>(request_.targets.size()), {}});
      entry = entries.end() - 1;
    }
    entry->targets[target] = true;
    for (const std::string& name : pin.dependencies) {
      auto& all = entry->pin.dependencies;
      if (std::find(all.begin(), all.end(), name) == all.end())
        all.insert(std::lower_bound(all.begin(), all.end(), name), name);
    }
    for (const IndexFile& file : files) entry->files.emplace(file.name, file);
  }

  Lock make() const {
    Lock lock;
    lock.requires_python = request_.requires_python;
    lock.environments = environment_markers(request_.targets);
    lock.input_digest = lock_input_digest(request_);
    lock.targets = request_.targets;
    for (const auto& [name, entries] : entries_) {
      std::vector<const Entry*> ordered;
      for (const Entry& entry : entries) ordered.push_back(&entry);
      std::stable_sort(ordered.begin(), ordered.end(),
                       [](const Entry* a, const Entry* b) { return a->pin.version < b->pin.version; });
      for (const Entry* entry : ordered) lock.packages.push_back(locked(*entry));
    }
    return lock;
  }

  LockedPackage locked(const Entry& entry) const {
    LockedPackage out;
    out.name = entry.pin.name;
    out.version = entry.pin.version.text();
    const auto marker = distinguishing_marker(request_.targets, entry.targets);
    if (!marker) {
      throw Error(ErrorKind::failed, "targets that markers cannot tell apart need different versions",
                  out.name + " " + out.version, "pin the package to one version, or lock these targets separately");
    }
    out.marker = *marker;
    out.dependencies = entry.pin.dependencies;
    if (entry.files.empty()) {
      throw Error(ErrorKind::failed, "the index lists no file for a chosen version", out.name + " " + out.version);
    }
    out.requires_python = common_python(entry);
    if (!entry.pin.url.empty()) {
      out.archive = locked_file(entry.files.begin()->second);
      return out;
    }
    if (request_.index_urls.size() == 1) out.index = without_credentials(request_.index_urls.front());
    for (const auto& [name, file] : entry.files) {
      if (name.ends_with(".whl")) {
        out.wheels.push_back(locked_file(file));
      } else {
        out.sdist = locked_file(file);
      }
    }
    return out;
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
    out.url = without_credentials(file.url);
    out.sha256 = Digest::parse(file.sha256).hex();
    out.hashes["sha256"] = out.sha256;
    out.size_bytes = file.size_bytes;
    out.upload_time = file.upload_time;
    return out;
  }

  const LockRequest& request_;
  IndexClient& client_;
  std::map<std::string, Version> chosen_;
  Entries entries_;
};

}  // namespace

// The patch version of a python is left out: two developers with 3.11.7 and 3.11.9 share one lock.
std::string lock_input_digest(const LockRequest& request) {
  Value targets = Value::array();
  for (const Target& target : request.targets) {
    targets.push_back(Value::object({{"implementation", target.implementation},
                                     {"platform", target.platform},
                                     {"python", target.python_version},
                                     {"threads", target.free_threaded}}));
  }
  const Value inputs = Value::object({{"format", kDigestFormat},
                                      {"requirements", Value::strings(sorted_texts(request.requirements))},
                                      {"constraints", Value::strings(sorted_texts(request.constraints))},
                                      {"requires-python", request.requires_python},
                                      {"targets", std::move(targets)}});
  return Digest::of(canonical_json(inputs)).oci();
}

std::variant<LockOutcome, NoSolution> make_lock(const LockRequest& request, IndexClient& client) {
  return Locker(request, client).run();
}

}  // namespace dae::resolver
