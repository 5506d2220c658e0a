#pragma once
// A registry in memory for solver tests, which counts what it is asked for.
#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "resolver/solver/dependency_list.h"
#include "resolver/standards/names.h"

namespace dae::resolver {

class MemoryProvider : public Provider {
 public:
  // Requirements of extras are written as their metadata has them: "b>=1; extra == 'tls'".
  MemoryProvider& add(const std::string& name, const std::string& version, const std::vector<std::string>& needs = {},
                      const std::vector<std::string>& extras = {}) {
    insert(name, version).dependencies = make_dependencies(needs, extras);
    return *this;
  }
  MemoryProvider& add_yanked(const std::string& name, const std::string& version) {
    insert(name, version).yanked = true;
    return *this;
  }
  // Has no wheel: what it needs may cost a build.
  MemoryProvider& add_sdist(const std::string& name, const std::string& version,
                            const std::vector<std::string>& needs = {}) {
    insert(name, version).sdist_only = true;
    return add(name, version, needs);
  }
  MemoryProvider& add_unusable(const std::string& name, const std::string& version, const std::string& reason) {
    insert(name, version).dependencies.unusable = reason;
    return *this;
  }
  MemoryProvider& add_url(const std::string& url, const std::string& version,
                          const std::vector<std::string>& needs = {}) {
    urls_[url] = version;
    direct_[url].dependencies = make_dependencies(needs);
    return *this;
  }
  MemoryProvider& note(const std::string& name, const std::string& text) {
    notes_[name] = text;
    return *this;
  }

  const Versions& versions(const std::string& package) override {
    asked_versions.push_back(package);
    Versions& out = answers_[package];
    out.candidates.clear();
    for (const auto& [version, entry] : packages_[package])
      out.candidates.push_back({version, entry.yanked, entry.sdist_only});
    std::reverse(out.candidates.begin(), out.candidates.end());
    out.note = notes_.count(package) != 0 ? notes_[package] : out.candidates.empty() ? "not in the index" : "";
    return out;
  }
  const Dependencies& dependencies(const std::string& package, const Version& version) override {
    asked_metadata.push_back(package + " " + version.text());
    const auto direct = chosen_url_.find({package, version.text()});
    return direct != chosen_url_.end() ? direct_[direct->second].dependencies
                                       : packages_[package].at(version).dependencies;
  }
  Candidate direct(const std::string& package, const std::string& url) override {
    const Version version = Version::parse(urls_.at(url));
    chosen_url_[{package, version.text()}] = url;
    return {version};
  }
  void prefetch(const std::vector<std::string>& packages) override {
    prefetched.insert(prefetched.end(), packages.begin(), packages.end());
  }
  void prefetch_metadata(const std::string& package, const Version& version) override {
    prefetched_metadata.push_back(package + " " + version.text());
  }

  std::vector<std::string> asked_versions, asked_metadata, prefetched, prefetched_metadata;

 private:
  struct Entry {
    bool yanked = false, sdist_only = false;
    Dependencies dependencies;
  };
  Entry& insert(const std::string& name, const std::string& version) {
    return packages_[normalize_name(name)][Version::parse(version)];
  }

  std::map<std::string, std::map<Version, Entry>> packages_;
  std::map<std::string, Entry> direct_;
  std::map<std::string, std::string> urls_, notes_;
  std::map<std::pair<std::string, std::string>, std::string> chosen_url_;
  std::map<std::string, Versions> answers_;
};

inline SolveRequest request_of(const std::vector<std::string>& requirements) {
  SolveRequest request;
  request.target.python_version = "3.12";
  request.target.python_full_version = "3.12.0";
  request.target.platform = "manylinux_2_36_x86_64";
  int line = 0;
  for (const std::string& text : requirements) {
    request.roots.push_back({Requirement::parse(text), "pyproject.toml:" + std::to_string(++line)});
  }
  return request;
}

// "a 1.0, b 2.0", or "no: <lines>".
inline std::string outcome_text(const std::variant<Resolution, NoSolution>& outcome) {
  std::string out;
  if (const auto* resolution = std::get_if<Resolution>(&outcome)) {
    for (const Pin& pin : resolution->pins) {
      out += (out.empty() ? "" : ", ") + pin.name + " " + pin.version.text() + (pin.url.empty() ? "" : " @ " + pin.url);
    }
    return out;
  }
  for (const ConflictLine& line : std::get<NoSolution>(outcome).lines) out += line.origin + ": " + line.text + "\n";
  return "no solution\n" + out;
}

inline std::string solved(Provider& provider, const std::vector<std::string>& requirements) {
  return outcome_text(solve(request_of(requirements), provider));
}

}  // namespace dae::resolver
