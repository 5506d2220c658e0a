#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/hash.h"
#include "base/http.h"
#include "base/strings.h"
#include "resolver/solver/dependency_list.h"
#include "resolver/source/index.h"
#include "resolver/standards/metadata.h"
#include "resolver/standards/names.h"

namespace dae::resolver {
namespace {

struct RankedWheel {
  int rank = 0;
  std::pair<int64_t, std::string> build;  // PEP 427: the number counts first, then the rest as text
  const IndexFile* file = nullptr;
};

// The usable files of one version.
struct Release {
  std::vector<RankedWheel> wheels;  // best first
  const IndexFile* sdist = nullptr;
  bool yanked = false;
  const IndexFile& best() const { return wheels.empty() ? *sdist : *wheels.front().file; }
};

struct Package {
  std::shared_ptr<const ProjectPage> page;  // owns the files that `releases` point to
  std::map<Version, Release> releases;
  Provider::Versions versions;
  std::map<Version, Dependencies> dependencies;
};

// Why nothing of a page fits, when nothing does.
struct Rejected {
  int wheels = 0, python = 0, other = 0;
  std::set<std::string> pythons;
};

class IndexProviderImpl final : public IndexProvider {
 public:
  IndexProviderImpl(IndexClient& client, const Target& target)
      : client_(client), target_(target), tags_(target), python_(Version::parse(target.python_full_version)) {}

  const Versions& versions(const std::string& package) override { return load(package).versions; }

  const Dependencies& dependencies(const std::string& package, const Version& version) override {
    Package& entry = load(package);
    const auto known = entry.dependencies.find(version);
    if (known != entry.dependencies.end()) return known->second;
    return entry.dependencies.emplace(version, read_dependencies(package, version, entry)).first->second;
  }

  Candidate direct(const std::string& package, const std::string& url) override;

  void prefetch(const std::vector<std::string>& packages) override {
    std::vector<std::string> unseen;
    std::ranges::copy_if(packages, std::back_inserter(unseen),
                         [&](const std::string& name) { return !packages_.contains(name); });
    client_.prefetch_pages(unseen);
  }

  void prefetch_metadata(const std::string& package, const Version& version) override {
    const auto found = packages_.find(package);
    // Without its page the file is not known, and waiting for the page would block.
    if (found == packages_.end() || found->second.dependencies.contains(version)) return;
    const auto release = found->second.releases.find(version);
    if (release != found->second.releases.end()) client_.prefetch_metadata(release->second.best(), package);
  }

  std::vector<IndexFile> files(const std::string& package, const Version& version) override {
    std::vector<IndexFile> out;
    Package& entry = load(package);
    const auto release = entry.releases.find(version);
    if (release == entry.releases.end()) return out;
    for (const RankedWheel& wheel : release->second.wheels) out.push_back(*wheel.file);
    if (release->second.sdist) out.push_back(*release->second.sdist);
    for (IndexFile& file : out) {
      file.sha256 = client_.file_sha256(file);
      if (!file.sha256.empty()) file.hashes["sha256"] = file.sha256;
    }
    return out;
  }

 private:
  Package& load(const std::string& package) {
    const auto known = packages_.find(package);
    if (known != packages_.end()) return known->second;
    Package entry;
    entry.page = client_.shared_page(package);
    const ProjectPage* page = entry.page.get();
    if (page == nullptr) {
      entry.versions.note = "not in the index";
    } else if (page->status == "quarantined") {
      entry.versions.note = "quarantined by the index";
      if (!page->status_reason.empty()) entry.versions.note += ": " + page->status_reason;
    } else {
      group(*page, package, entry);
    }
    return packages_.emplace(package, std::move(entry)).first->second;
  }

  bool python_fits(const std::string& requires_python) {
    if (requires_python.empty()) return true;
    const auto known = python_fits_.find(requires_python);
    if (known != python_fits_.end()) return known->second;
    // What cannot be read does not exclude: that is what other installers do with old uploads.
    const auto specifiers = SpecifierSet::try_parse(requires_python);
    return python_fits_[requires_python] = !specifiers || specifiers->contains(python_);
  }

  void group(const ProjectPage& page, const std::string& package, Package& entry);
  void add_file(const IndexFile& file, const std::string& package, std::map<Version, Release>& releases,
                Rejected& rejected);
  std::string why_none(const Rejected& rejected) const;
  Dependencies read_dependencies(const std::string& package, const Version& version, Package& entry);
  Dependencies parse_dependencies(const std::string& text, const IndexFile& file);

  IndexClient& client_;
  const Target target_;
  const TagSet tags_;
  const Version python_;
  std::map<std::string, Package> packages_;
  std::map<std::string, bool> python_fits_;
};

void IndexProviderImpl::add_file(const IndexFile& file, const std::string& package,
                                 std::map<Version, Release>& releases, Rejected& rejected) {
  if (file.name.ends_with(".whl")) {
    const auto name = parse_wheel_name(file.name);
    if (!name || name->distribution != package) return;
    const int rank = tags_.rank(*name);
    if (rank < 0) {
      ++rejected.wheels;
    } else if (!python_fits(file.requires_python)) {
      ++rejected.python;
      rejected.pythons.insert(file.requires_python);
    } else {
      releases[name->version].wheels.push_back({rank, name->build_order(), &file});
    }
    return;
  }
  const auto name = parse_sdist_name(file.name, package);
  if (!name || name->distribution != package) return;
  if (!python_fits(file.requires_python)) {
    ++rejected.python;
    rejected.pythons.insert(file.requires_python);
    return;
  }
  Release& release = releases[name->version];
  // Of several sdists of one version the .tar.gz is the one PEP 625 knows.
  if (!release.sdist || file.name.ends_with(".tar.gz")) release.sdist = &file;
}

void IndexProviderImpl::group(const ProjectPage& page, const std::string& package, Package& entry) {
  std::map<Version, Release> good, yanked;
  Rejected rejected;
  for (const IndexFile& file : page.files) add_file(file, package, file.yanked ? yanked : good, rejected);
  // A version counts as yanked only when nothing else of it is left (PEP 592 yanks files).
  for (auto& [version, release] : yanked) {
    release.yanked = true;
    good.emplace(version, std::move(release));
  }
  for (auto& [version, release] : good) {
    std::ranges::stable_sort(release.wheels, [](const RankedWheel& a, const RankedWheel& b) {
      return a.rank != b.rank ? a.rank < b.rank : a.build > b.build;
    });
  }
  entry.releases = std::move(good);
  for (auto it = entry.releases.rbegin(); it != entry.releases.rend(); ++it) {
    entry.versions.candidates.push_back({it->first, it->second.yanked, it->second.wheels.empty()});
  }
  if (entry.releases.empty()) entry.versions.note = page.files.empty() ? "no files in the index" : why_none(rejected);
}

std::string IndexProviderImpl::why_none(const Rejected& rejected) const {
  if (rejected.python > 0 && rejected.wheels == 0) {
    return fmt::format("no version for python {} (needs {})", target_.python_full_version, *rejected.pythons.rbegin());
  }
  return fmt::format("no wheel for {} and no sdist", target_.label());
}

Dependencies IndexProviderImpl::read_dependencies(const std::string& package, const Version& version, Package& entry) {
  Dependencies out;
  const auto release = entry.releases.find(version);
  if (release == entry.releases.end()) {
    out.unusable = "not in the index";
    return out;
  }
  const IndexFile& file = release->second.best();
  try {
    return parse_dependencies(client_.metadata_text(file, package), file);
  } catch (const Error& error) {
    // A wrong digest, a refusal or a dead network concern the user, not the choice of a version.
    if (error.kind() == ErrorKind::failed && release->second.wheels.empty()) {
      out.unusable = error.message();
      // A build's log is many lines and another for each version: an explanation has room for neither.
      const bool one_line = error.cause().find('\n') == std::string::npos;
      if (!error.cause().empty() && one_line) out.unusable += ": " + error.cause();
    } else if (error.kind() == ErrorKind::bad_input) {
      out.unusable = "metadata is broken: " + error.message();
    } else {
      throw;
    }
  }
  return out;
}

Dependencies IndexProviderImpl::parse_dependencies(const std::string& text, const IndexFile& file) {
  const CoreMetadata metadata = parse_core_metadata(text, file.name);
  // Indexes may leave the field out of their pages; the metadata has the last word.
  if (!python_fits(metadata.requires_python)) {
    Dependencies out;
    out.unusable = "requires python " + metadata.requires_python;
    return out;
  }
  return make_dependencies(metadata.requires_dist, metadata.provides_extra);
}

Candidate IndexProviderImpl::direct(const std::string& package, const std::string& url) {
  if (!url.starts_with("https://") && !url.starts_with("http://")) {
    throw Error(ErrorKind::usage, "only http and https addresses of wheels and sdists can be required directly", url,
                "build a wheel of it and require that");
  }
  const Url parts = parse_url(url);
  IndexFile file;
  file.url = parts.text();
  file.name = percent_decode(parts.path.substr(parts.path.rfind('/') + 1));
  if (parts.fragment.starts_with("sha256=")) {
    file.sha256 = Digest::parse(parts.fragment.substr(7, parts.fragment.find('&') - 7)).hex();
    file.hashes["sha256"] = file.sha256;
  }
  auto page = std::make_shared<ProjectPage>();
  page->name = package;
  page->files.push_back(file);
  const IndexFile* only = &page->files.front();
  Release release;
  std::optional<Version> version;
  if (const auto wheel = parse_wheel_name(file.name); wheel && wheel->distribution == package) {
    if (tags_.rank(*wheel) < 0) {
      throw Error(ErrorKind::refused, "this wheel does not fit " + target_.label(), url);
    }
    version = wheel->version;
    release.wheels.push_back({tags_.rank(*wheel), wheel->build_order(), only});
  } else if (const auto sdist = parse_sdist_name(file.name, package); sdist && sdist->distribution == package) {
    version = sdist->version;
    release.sdist = only;
  } else {
    throw Error(ErrorKind::bad_input, fmt::format("no wheel or sdist of `{}` by its file name", package), url);
  }
  // The reference replaces whatever an index has under that name.
  Package entry;
  entry.page = std::move(page);
  entry.versions.candidates.push_back({*version});
  entry.releases.emplace(*version, std::move(release));
  packages_.insert_or_assign(package, std::move(entry));
  return {*version};
}

}  // namespace

std::unique_ptr<IndexProvider> make_index_provider(IndexClient& client, const Target& target) {
  return std::make_unique<IndexProviderImpl>(client, target);
}

}  // namespace dae::resolver
