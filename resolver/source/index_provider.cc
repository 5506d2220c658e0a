#include <fmt/format.h>

#include <algorithm>

#include "base/clock.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/http.h"
#include "resolver/source/file_choice.h"
#include "resolver/source/index.h"
#include "resolver/source/left_out.h"
#include "resolver/standards/names.h"

namespace dae::resolver {
namespace {

struct Package {
  std::shared_ptr<const PackedPage> page;
  FileRules rules;
  Provider::Versions versions;
  // By candidate.
  std::vector<PageFile> told_by;  // the file whose metadata counts; see FileChoice::Release
  std::vector<std::unique_ptr<Dependencies>> dependencies;
};

// A direct reference: a file (as a page of its own) or what DirectSources made of it.
struct Direct {
  std::string url;
  Version version;
  std::shared_ptr<const PackedPage> page;
  const DirectSource* source = nullptr;
  std::unique_ptr<Dependencies> dependencies;
};

class IndexProviderImpl final : public IndexProvider {
 public:
  IndexProviderImpl(IndexClient& client, const Target& target, ProviderOptions options)
      : client_(client), fit_(target), options_(std::move(options)) {}

  const Versions& versions(const std::string& package) override { return load(package).versions; }

  const Dependencies& dependencies(const std::string& package, const Version& version) override;
  Candidate direct(const std::string& package, const std::string& url) override;

  void prefetch(const std::vector<std::string>& packages) override {
    std::vector<std::string> unseen;
    std::ranges::copy_if(packages, std::back_inserter(unseen),
                         [&](const std::string& name) { return !packages_.contains(name); });
    if (!unseen.empty()) client_.prefetch_pages(unseen);
  }

  void prefetch_metadata(const std::string& package, const Version& version) override {
    // Without its page the file is not known, and waiting for the page would block.
    const auto known = packages_.find(package);
    if (known == packages_.end()) return;
    const Package& entry = *known->second;
    const auto candidate = find(entry, version);
    if (!candidate || entry.dependencies[*candidate]) return;
    client_.prefetch_metadata(*entry.page, entry.told_by[*candidate], package);
  }

  std::vector<LeftOut> left_out(const std::string& package) override {
    const Package& entry = load(package);
    return entry.page == nullptr ? std::vector<LeftOut>() : left_out_of(*entry.page, fit_, entry.rules);
  }

  std::vector<IndexFile> files(const std::string& package, const Version& version) override;

  const DirectSource* direct_source(const std::string& package, const Version& version) const override {
    const auto found = directs_.find(package);
    if (found == directs_.end()) return nullptr;
    for (const auto& direct : found->second) {
      if (direct->version == version) return direct->source;
    }
    return nullptr;
  }

 private:
  Package& load(const std::string& package);
  void read_page(Package& entry);
  std::string why_none(const FileChoice::Rejected& rejected, const Package& entry) const;
  void warn_of_missing_times(const PackedPage& page);
  void renew(const std::string& package, Package& entry);
  Direct* find_direct(const std::string& package, const Version& version);
  static std::optional<size_t> find(const Package& entry, const Version& version);
  Dependencies read_dependencies(const std::string& package, const Version& version, Package& entry);
  Dependencies understood(const std::shared_ptr<const PackedMetadata>& metadata);
  template <typename Read>
  Dependencies guarded(bool only_sdist, const Read& read);
  std::unique_ptr<Direct> from_source(const std::string& package, const std::string& url);
  std::unique_ptr<Direct> from_http(const std::string& package, const std::string& url);
  void check_fit(const std::string& file_name, const std::string& url);
  std::vector<IndexFile> with_digests(std::vector<IndexFile> files);

  IndexClient& client_;
  TargetFit fit_;
  const ProviderOptions options_;
  std::unordered_map<std::string, std::unique_ptr<Package>> packages_;
  std::unordered_map<std::string, std::vector<std::unique_ptr<Direct>>> directs_;
  std::set<std::string, std::less<>> warned_;  // indexes
};

Package& IndexProviderImpl::load(const std::string& package) {
  const auto known = packages_.find(package);
  if (known != packages_.end()) return *known->second;
  auto entry = std::make_unique<Package>();
  entry->rules.wheels = !options_.no_binary_at_all && !options_.no_binary.contains(package);
  entry->rules.sdists = !options_.only_binary_at_all && !options_.only_binary.contains(package);
  entry->rules.cutoff_ms = options_.cutoff_ms;
  try {
    entry->page = client_.page(package);
  } catch (const Error&) {
    // What a direct reference brings need not be on any index, nor the index at hand.
    if (!directs_.contains(package)) throw;
  }
  if (entry->page == nullptr) {
    entry->versions.note = "not in the index";
  } else if (entry->page->status() == "quarantined") {
    entry->versions.note = "quarantined by the index";
    if (!entry->page->status_reason().empty()) {
      entry->versions.note += fmt::format(": {}", entry->page->status_reason());
    }
  } else {
    read_page(*entry);
  }
  return *packages_.emplace(package, std::move(entry)).first->second;
}

void IndexProviderImpl::read_page(Package& entry) {
  const PackedPage& page = *entry.page;
  // Only an index can be expected to tell.
  entry.rules.keep_without_time = page.index_url().empty();
  FileChoice choice(page, fit_, entry.rules);
  entry.versions.candidates.reserve(page.releases());
  entry.told_by.reserve(page.releases());
  for (uint32_t release = 0; release < page.releases(); ++release) {
    const FileChoice::Release chosen = choice.choose(release);
    using State = FileChoice::Release::State;
    if (chosen.state == State::hidden) entry.versions.hidden_by_cutoff.push_back(page.version(release));
    if (chosen.state != State::usable && chosen.state != State::yanked) continue;
    entry.versions.candidates.push_back({page.version(release), chosen.state == State::yanked, !chosen.told_by.wheel});
    entry.told_by.push_back({release, chosen.told_by.file});
  }
  entry.dependencies.resize(entry.told_by.size());
  if (choice.rejected().without_time > 0) warn_of_missing_times(page);
  if (entry.told_by.empty()) entry.versions.note = why_none(choice.rejected(), entry);
}

std::string IndexProviderImpl::why_none(const FileChoice::Rejected& rejected, const Package& entry) const {
  const Target& target = fit_.target();
  const PackedPage& page = *entry.page;
  if (page.files() == 0) {
    return page.unreadable_files() == 0 ? "no files in the index" : "no file in the index whose name tells a version";
  }
  if (!entry.versions.hidden_by_cutoff.empty()) {
    const std::string cutoff = format_utc(*options_.cutoff_ms);
    return rejected.without_time > 0
               ? fmt::format("of an unknown age: the index does not say when it was uploaded, the cutoff is {}", cutoff)
               : fmt::format("newer than the cutoff {} in every version", cutoff);
  }
  if (rejected.by_rule > 0)
    return entry.rules.wheels ? "no wheel, and sdists are not allowed" : "no sdist, and wheels are not allowed";
  if (rejected.pythons > 0 && rejected.wheels == 0) {
    return fmt::format("no version for python {} (needs {})", target.python_full_version, rejected.python);
  }
  return fmt::format("no wheel for {} and no sdist", target.label());
}

void IndexProviderImpl::warn_of_missing_times(const PackedPage& page) {
  if (options_.events == nullptr || !warned_.emplace(page.index_url()).second) return;
  warning(*options_.events, fmt::format("{} does not say when its files were uploaded: with a cutoff they are left out",
                                        page.index_url()));
}

// Candidates stay as they are: references to them are out. A version that has vanished meanwhile cannot be used.
void IndexProviderImpl::renew(const std::string& package, Package& entry) {
  auto fresh = client_.reload(package);
  if (!fresh) throw Error(ErrorKind::not_found, "vanished from its index", package);
  entry.page = std::move(fresh);
  FileChoice choice(*entry.page, fit_, entry.rules);
  for (size_t i = 0; i < entry.told_by.size(); ++i) entry.told_by[i] = {entry.page->releases(), entry.page->files()};
  for (uint32_t release = 0; release < entry.page->releases(); ++release) {
    const auto candidate = find(entry, entry.page->version(release));
    const FileChoice::Release chosen = choice.choose(release);
    if (candidate && chosen.state != FileChoice::Release::State::nothing) {
      entry.told_by[*candidate] = {release, chosen.told_by.file};
    }
  }
}

std::optional<size_t> IndexProviderImpl::find(const Package& entry, const Version& version) {
  const auto& candidates = entry.versions.candidates;
  const auto found = std::ranges::lower_bound(candidates, version, std::greater<>(), &Candidate::version);
  if (found == candidates.end() || found->version != version) return std::nullopt;
  return static_cast<size_t>(found - candidates.begin());
}

Direct* IndexProviderImpl::find_direct(const std::string& package, const Version& version) {
  if (directs_.empty()) return nullptr;
  const auto found = directs_.find(package);
  if (found == directs_.end()) return nullptr;
  for (const auto& direct : found->second) {
    if (direct->version == version) return direct.get();
  }
  return nullptr;
}

const Dependencies& IndexProviderImpl::dependencies(const std::string& package, const Version& version) {
  if (Direct* direct = find_direct(package, version)) {
    if (!direct->dependencies) {
      direct->dependencies = std::make_unique<Dependencies>(guarded(direct->page && !direct->page->facts(0).wheel, [&] {
        return direct->source ? PackedMetadata::make(direct->source->metadata, direct->source->url)
                              : client_.metadata(*direct->page, {0, 0}, package);
      }));
    }
    return *direct->dependencies;
  }
  Package& entry = load(package);
  const auto candidate = find(entry, version);
  if (!candidate) {
    static const Dependencies kUnknown = [] {
      Dependencies out;
      out.unusable = "not in the index";
      return out;
    }();
    return kUnknown;
  }
  std::unique_ptr<Dependencies>& known = entry.dependencies[*candidate];
  if (!known) known = std::make_unique<Dependencies>(read_dependencies(package, version, entry));
  return *known;
}

Dependencies IndexProviderImpl::read_dependencies(const std::string& package, const Version& version, Package& entry) {
  const size_t candidate = *find(entry, version);
  return guarded(entry.versions.candidates[candidate].sdist_only, [&] {
    auto metadata = client_.metadata(*entry.page, entry.told_by[candidate], package);
    if (metadata) return metadata;
    renew(package, entry);
    if (entry.told_by[candidate].release < entry.page->releases()) {
      metadata = client_.metadata(*entry.page, entry.told_by[candidate], package);
    }
    if (!metadata) throw Error(ErrorKind::bad_input, "its page changed while it was read", package);
    return metadata;
  });
}

template <typename Read>
Dependencies IndexProviderImpl::guarded(bool only_sdist, const Read& read) {
  Dependencies out;
  try {
    return understood(read());
  } catch (const Error& error) {
    // A wrong digest, a refusal or a dead network concern the user, not the choice of a version.
    if ((error.kind() == ErrorKind::failed || error.kind() == ErrorKind::no_solution) && only_sdist) {
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

Dependencies IndexProviderImpl::understood(const std::shared_ptr<const PackedMetadata>& metadata) {
  Dependencies out;
  if (!metadata->broken().empty()) {
    out.unusable = fmt::format("metadata is broken: {}", metadata->broken());
    return out;
  }
  // Indexes may leave the field out of their pages; the metadata has the last word.
  if (!fit_.python_fits(metadata->requires_python())) {
    out.unusable = fmt::format("requires python {}", metadata->requires_python());
    return out;
  }
  out.list = metadata->dependencies();
  out.provides_extra.assign(metadata->provides_extra().begin(), metadata->provides_extra().end());
  out.storage = metadata;
  return out;
}

std::vector<IndexFile> IndexProviderImpl::files(const std::string& package, const Version& version) {
  if (const Direct* direct = find_direct(package, version)) {
    return direct->page ? with_digests(direct->page->records(0).value_or(std::vector<IndexFile>()))
                        : std::vector<IndexFile>();
  }
  Package& entry = load(package);
  const auto candidate = find(entry, version);
  if (!candidate) return {};
  auto records = entry.page->records(entry.told_by[*candidate].release);
  if (!records) {
    renew(package, entry);
    if (entry.told_by[*candidate].release < entry.page->releases()) {
      records = entry.page->records(entry.told_by[*candidate].release);
    }
  }
  if (!records) throw Error(ErrorKind::failed, "its page changed while it was read", package, "run this again");
  const uint32_t release = entry.told_by[*candidate].release;
  std::vector<IndexFile> out;
  FileChoice choice(*entry.page, fit_, entry.rules);
  for (const RankedFile& file : choice.usable(release)) {
    out.push_back(std::move((*records)[file.file - entry.page->first_file(release)]));
  }
  return with_digests(std::move(out));
}

std::vector<IndexFile> IndexProviderImpl::with_digests(std::vector<IndexFile> files) {
  for (IndexFile& file : files) {
    if (!file.sha256.empty()) continue;
    file.sha256 = client_.file_sha256(file);
    if (!file.sha256.empty()) file.hashes["sha256"] = file.sha256;
  }
  return files;
}

Candidate IndexProviderImpl::direct(const std::string& package, const std::string& url) {
  auto& known = directs_[package];
  for (const auto& direct : known) {
    if (direct->url == url) return {direct->version};
  }
  auto made = options_.direct != nullptr ? from_source(package, url) : from_http(package, url);
  made->url = url;
  known.push_back(std::move(made));
  return {known.back()->version};
}

std::unique_ptr<Direct> IndexProviderImpl::from_source(const std::string& package, const std::string& url) {
  auto out = std::make_unique<Direct>();
  out->source = &options_.direct->resolve(url, false, package);
  const DirectSource& source = *out->source;
  out->version = Version::parse(source.version);
  if (source.kind == DirectSource::Kind::wheel) check_fit(source.file_name, url);
  if (source.kind != DirectSource::Kind::wheel && source.kind != DirectSource::Kind::archive) return out;
  IndexFile file;
  file.name = source.file_name;
  file.url = source.url;
  file.sha256 = source.sha256;
  if (!file.sha256.empty()) file.hashes["sha256"] = file.sha256;
  file.size_bytes = source.size_bytes;
  ProjectPage page;
  page.name = package;
  page.files.push_back(std::move(file));
  // An archive may be called anything; then it is known by its source alone.
  if (auto packed = PackedPage::make(page); packed->files() == 1) out->page = std::move(packed);
  return out;
}

std::unique_ptr<Direct> IndexProviderImpl::from_http(const std::string& package, const std::string& url) {
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
  check_fit(file.name, url);
  ProjectPage page;
  page.name = package;
  page.files.push_back(std::move(file));
  auto out = std::make_unique<Direct>();
  out->page = PackedPage::make(page);
  if (out->page->files() == 0) {
    throw Error(ErrorKind::bad_input, fmt::format("no wheel or sdist of `{}` by its file name", package), url);
  }
  out->version = out->page->version(0);
  return out;
}

void IndexProviderImpl::check_fit(const std::string& file_name, const std::string& url) {
  if (!file_name.ends_with(".whl")) return;
  ProjectPage page;
  page.files.emplace_back().name = file_name;
  const auto packed = PackedPage::make(page);
  if (packed->files() == 1 && fit_.rank(packed->tag_set(0)) < 0) {
    throw Error(ErrorKind::refused, "this wheel does not fit " + fit_.target().label(), url);
  }
}

}  // namespace

std::unique_ptr<IndexProvider> make_index_provider(IndexClient& client, const Target& target, ProviderOptions options) {
  return std::make_unique<IndexProviderImpl>(client, target, std::move(options));
}

}  // namespace dae::resolver
