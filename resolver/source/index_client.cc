#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <set>

#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"
#include "resolver/source/credentials.h"
#include "resolver/source/find_links.h"
#include "resolver/source/index.h"
#include "resolver/source/index_traits.h"
#include "resolver/source/metadata_ladder.h"
#include "resolver/source/once_map.h"
#include "resolver/source/page_fetch.h"
#include "resolver/source/work_pool.h"
#include "resolver/standards/names.h"

namespace dae::resolver {
namespace {

// Requests that may wait for answers at once; HTTP/2 carries them over few connections.
constexpr size_t kWorkers = 50;
constexpr uint64_t kMaxFileBytes = 4ull << 30;
// The version is part of the folder's name: another version of this program leaves ours alone.
constexpr const char* kMetadataDir = "metadata-v1";

Path below(const Path& dir, const char* name) {
  return dir.empty() ? Path() : dir / name;
}

// An index as it is asked: always without credentials, which the requests get from the store.
struct Root {
  std::string name, url, origin;
  bool pinned_only = false;
};

Root make_root(const IndexSource& index) {
  const Url parts = parse_url(index.url.ends_with('/') ? index.url : index.url + '/');
  return {index.name, parts.text(), parts.origin(), index.pinned_only};
}

// What is known of a package, and where it came from.
struct Located {
  std::optional<ProjectPage> page;
  std::string index;  // root; "" when it comes from find-links alone
};

class HttpIndexClient final : public IndexClient {
 public:
  HttpIndexClient(Transport& transport, IndexOptions options, EventSink& events)
      : transport_(transport),
        options_(std::move(options)),
        clock_(options_.clock != nullptr ? *options_.clock : system_clock_),
        credentials_(options_.credentials != nullptr ? *options_.credentials : own_credentials_),
        fetcher_(transport, options_, clock_, credentials_, events),
        find_links_(options_.find_links, [this](const std::string& url) { return page_of_links(url); }),
        traits_(below(options_.cache_dir, "index-traits.json"), clock_),
        ladder_(transport, traits_, events, options_, credentials_),
        pool_(kWorkers) {
    for (const IndexSource& index : options_.indexes) {
      if (options_.credentials == nullptr) own_credentials_.add(index);
      roots_.push_back(make_root(index));
    }
    for (const auto& [package, index] : options_.index_of) {
      const auto named = std::ranges::find(roots_, index, &Root::name);
      if (named == roots_.end()) {
        throw Error(ErrorKind::usage,
                    fmt::format("`{}` is to come from the index `{}`, which is not configured", package, index), "",
                    "name the index beside its URL");
      }
      pinned_.emplace(normalize_name(package), &*named);
    }
  }

  std::optional<ProjectPage> page(const std::string& package) override { return locate(package)->page; }

  std::shared_ptr<const ProjectPage> shared_page(const std::string& package) override {
    const auto found = locate(package);
    return found->page ? std::shared_ptr<const ProjectPage>(found, &*found->page) : nullptr;
  }

  std::string index_of(const std::string& package) override { return locate(package)->index; }

  std::string metadata_text(const IndexFile& file, const std::string& package) override {
    return *metadata_.get(metadata_key(file), [&] { return find_metadata(file, normalize_name(package)); });
  }

  std::string file_sha256(const IndexFile& file) override {
    if (!file.sha256.empty()) return file.sha256;
    if (const auto path = path_of_file_url(file.url)) return sha256_file(*path).hex();
    if (options_.offline) return "";
    return *digests_.get(file.url, [&] { return digest_by_download(file); });
  }

  void prefetch_pages(const std::vector<std::string>& packages) override {
    for (const std::string& package : packages) prefetch_page(package, nullptr);
  }

  void prefetch_page(const std::string& package, Favourite favourite) override {
    std::string name = normalize_name(package);
    const bool ours = pages_.reserve(name);
    if (!ours && !favourite) return;
    pool_.submit([this, ours, name = std::move(name), favourite = std::move(favourite)] {
      if (ours) pages_.run_reserved(name, [&] { return find_page(name); });
      if (favourite) fetch_favourite(name, favourite);
    });
  }

  void prefetch_metadata(const IndexFile& file, const std::string& package) override {
    if (!may_guess(file) || !metadata_.reserve(metadata_key(file))) return;
    pool_.submit([this, file, name = normalize_name(package)] {
      metadata_.run_reserved(metadata_key(file), [&] { return find_metadata(file, name); });
    });
  }

  IndexStats stats() const override {
    return {fetcher_.from_cache(), fetcher_.fetched(), metadata_from_cache_.load(), metadata_fetched_.load()};
  }

 private:
  static std::string metadata_key(const IndexFile& file) { return file.sha256.empty() ? file.url : file.sha256; }

  // An sdist may mean a large download or a build: never on a guess.
  static bool may_guess(const IndexFile& file) { return file.name.ends_with(".whl"); }

  std::shared_ptr<const Located> locate(const std::string& package) {
    const std::string name = normalize_name(package);
    return pages_.get(name, [&] { return find_page(name); });
  }

  void fetch_favourite(const std::string& name, const Favourite& favourite) {
    const auto located = pages_.peek(name);
    if (!located || !located->page) return;
    const auto file = favourite(*located->page);
    if (!file || !may_guess(*file) || !metadata_.reserve(metadata_key(*file))) return;
    metadata_.run_reserved(metadata_key(*file), [&] { return find_metadata(*file, name); });
  }

  Located find_page(const std::string& name) {
    if (!is_valid_name(name)) return {};
    const auto pinned = pinned_.find(name);
    if (pinned != pinned_.end()) return ask(name, {pinned->second});
    std::vector<const Root*> roots;
    for (const Root& root : roots_) {
      if (!root.pinned_only) roots.push_back(&root);
    }
    std::vector<IndexFile> links = find_links_.files(name);
    if (links.empty()) return ask(name, roots);
    return merged(name, std::move(links), roots);
  }

  // The first that has it; those behind it are not asked at all.
  Located ask(const std::string& name, const std::vector<const Root*>& roots) {
    bool asked_all = true;
    for (const Root* root : roots) {
      std::optional<CachedPage> page = fetcher_.get(root->url + name + "/", name);
      if (page && page->found) return {std::move(page->page), root->url};
      asked_all = asked_all && page.has_value();
    }
    if (!asked_all) {
      throw Error(ErrorKind::refused, fmt::format("the page of `{}` is not in the cache", name), name,
                  "run once without `--offline`");
    }
    return {};
  }

  // Files from find-links stand in front; an index's file of the same name is the same one.
  Located merged(const std::string& name, std::vector<IndexFile> links, const std::vector<const Root*>& roots) {
    Located out;
    try {
      out = ask(name, roots);
    } catch (const Error& error) {
      if (!options_.offline || error.kind() != ErrorKind::refused) throw;
    }
    if (!out.page) out.page.emplace().name = name;
    std::set<std::string> seen;
    for (const IndexFile& file : links) seen.insert(file.name);
    for (IndexFile& file : out.page->files) {
      if (seen.insert(file.name).second) links.push_back(std::move(file));
    }
    out.page->files = std::move(links);
    return out;
  }

  std::optional<ProjectPage> page_of_links(const std::string& url) {
    std::optional<CachedPage> page = fetcher_.get(parse_url(url).text(), "");
    return page && page->found ? std::optional(std::move(page->page)) : std::nullopt;
  }

  std::string digest_by_download(const IndexFile& file) {
    Sha256 hash;
    HttpRequest request;
    request.url = file.url;
    request.body_limit_bytes = kMaxFileBytes;
    request.on_restart = [&] { hash = Sha256(); };
    request.on_body = [&](std::string_view bytes) { hash.update(bytes); };
    credentials_.authorise(request);
    const HttpResponse answer = transport_.send(std::move(request));
    if (!answer.ok()) {
      throw Error(ErrorKind::network,
                  fmt::format("the index answered {} {}", answer.status, http_reason(answer.status)),
                  redact_url(file.url));
    }
    return hash.finish().hex();
  }

  // Only under the digest of the file: then it holds for ever. A file without one is asked for anew in every run.
  // What came of a build goes under the interpreter's tag too.
  Path metadata_file(const IndexFile& file, bool built) const {
    if (options_.cache_dir.empty() || !Digest::is_valid(file.sha256)) return {};
    const std::string hex = Digest::parse(file.sha256).hex();
    if (built && options_.build_tag.empty()) return {};
    return options_.cache_dir / kMetadataDir / hex.substr(0, 2) / (built ? hex + "-" + options_.build_tag : hex);
  }

  std::string find_metadata(const IndexFile& file, const std::string& package) {
    const bool local = file.url.starts_with("file://");
    for (const bool built : {false, true}) {
      if (built && file.name.ends_with(".whl")) break;
      const Path path = metadata_file(file, built);
      if (path.empty()) continue;
      if (auto text = read_file_if_exists(path); text && !text->empty()) {
        ++metadata_from_cache_;
        return std::move(*text);
      }
    }
    if (options_.offline && !local) {
      throw Error(ErrorKind::refused, "its metadata is not in the cache", file.name, "run once without `--offline`");
    }
    MetadataLadder::Found found = ladder_.climb(file, package);
    ++metadata_fetched_;
    if (const Path path = metadata_file(file, found.built); !path.empty()) {
      make_dirs(path.parent_path());
      write_file_atomic(path, found.text, 0644, Durability::none);
    }
    return std::move(found.text);
  }

  Transport& transport_;
  const IndexOptions options_;
  const SystemClock system_clock_;
  const Clock& clock_;
  CredentialStore own_credentials_;
  CredentialStore& credentials_;
  PageFetcher fetcher_;
  FindLinks find_links_;
  IndexTraits traits_;
  MetadataLadder ladder_;
  std::vector<Root> roots_;
  std::map<std::string, const Root*> pinned_;  // into `roots_`
  OnceMap<Located> pages_;
  OnceMap<std::string> metadata_, digests_;
  std::atomic<int> metadata_from_cache_{0}, metadata_fetched_{0};
  WorkPool pool_;  // last: its threads use all of the above and end first
};

}  // namespace

std::unique_ptr<IndexClient> make_index_client(Transport& transport, IndexOptions options, EventSink& events) {
  return std::make_unique<HttpIndexClient>(transport, std::move(options), events);
}

}  // namespace dae::resolver
