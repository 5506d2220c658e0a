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
#include "resolver/source/index_store.h"
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
constexpr int64_t kFailedBuildMs = 24 * 3600 * 1000;
constexpr uint64_t kMaxFileBytes = 4ull << 30;

Path below(const Path& dir, const char* name) {
  return dir.empty() ? Path() : dir / name;
}

// An index as it is asked: always without credentials, which the requests get from the store.
struct Root {
  std::string name, url, named_by;
  bool pinned_only = false;
};

Root make_root(const IndexSource& index) {
  const Url parts = parse_url(index.url.ends_with('/') ? index.url : index.url + '/');
  return {index.name, parts.text(), index.origin, index.pinned_only};
}

// What is known of a package, and where it came from.
struct Located {
  std::shared_ptr<const PackedPage> page;
  std::string index;  // root; "" when it comes from find-links alone
};

class HttpIndexClient final : public IndexClient {
 public:
  HttpIndexClient(Transport& transport, IndexOptions options, EventSink& events)
      : transport_(transport),
        options_(std::move(options)),
        clock_(options_.clock != nullptr ? *options_.clock : system_clock_),
        credentials_(options_.credentials != nullptr ? *options_.credentials : own_credentials_),
        store_(options_.cache_dir, cache_limit_bytes(), clock_, events),
        fetcher_(transport, options_, clock_, credentials_, store_, events),
        find_links_(options_.find_links, [this](const std::string& url) { return fetcher_.links(url); }),
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

  std::shared_ptr<const PackedPage> page(const std::string& package) override { return locate(package)->page; }

  std::shared_ptr<const PackedPage> reload(const std::string& package) override {
    const std::string name = normalize_name(package);
    for (const Root& root : roots_) store_.remove(IndexStore::Kind::page, root.url + name + "/");
    pages_.forget(name);
    return page(name);
  }

  std::string index_of(const std::string& package) override { return locate(package)->index; }

  using IndexClient::metadata;
  std::shared_ptr<const PackedMetadata> metadata(const IndexFile& file, const std::string& package) override {
    return *metadata_.get(metadata_key(file), [&] { return find_metadata(file, normalize_name(package)); });
  }

  std::shared_ptr<const PackedMetadata> metadata(const PackedPage& page, PageFile file,
                                                 const std::string& package) override {
    const auto digest = page.digest(file.release, file.file);
    if (!digest) return nullptr;
    if (auto kept = cached_metadata(*digest, page.facts(file.file).wheel)) return kept;
    return IndexClient::metadata(page, file, package);
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
    if (is_at_hand(name)) return;
    const bool ours = pages_.reserve(name);
    if (!ours && !favourite) return;
    pool_.submit([this, ours, name = std::move(name), favourite = std::move(favourite)] {
      if (ours) pages_.run_reserved(name, [&] { return find_page(name); });
      if (favourite) fetch_favourite(name, favourite);
    });
  }

  void prefetch_metadata(const PackedPage& page, PageFile file, const std::string& package) override {
    const auto digest = page.digest(file.release, file.file);
    if (!page.facts(file.file).wheel || !digest) return;
    if (digest->empty() || !store_.peek(IndexStore::Kind::metadata, *digest)) {
      IndexClient::prefetch_metadata(page, file, package);
    }
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
    const auto chosen = favourite(*located->page);
    const auto file = chosen ? file_of(*located->page, *chosen) : std::nullopt;
    if (!file || !may_guess(*file) || !metadata_.reserve(metadata_key(*file))) return;
    metadata_.run_reserved(metadata_key(*file), [&] { return find_metadata(*file, name); });
  }

  // A page that the cache answers for is not worth a thread's while. Only asked of the index that comes first: whether
  // those behind it are asked its page has to tell.
  bool is_at_hand(const std::string& name) {
    if (!find_links_.empty() || !is_valid_name(name)) return false;
    const auto pinned = pinned_.find(name);
    if (pinned != pinned_.end()) return fetcher_.is_at_hand(pinned->second->url + name + "/", name);
    const auto first = std::ranges::find(roots_, false, &Root::pinned_only);
    return first != roots_.end() && fetcher_.is_at_hand(first->url + name + "/", name);
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
      std::optional<CachedPage> page = page_of(*root, name);
      if (page && page->found) return {std::move(page->page), root->url};
      asked_all = asked_all && page.has_value();
    }
    if (!asked_all) {
      throw Error(ErrorKind::refused, fmt::format("the page of `{}` is not in the cache", name), name,
                  "run once without `--offline`");
    }
    return {};
  }

  std::optional<CachedPage> page_of(const Root& root, const std::string& name) {
    try {
      return fetcher_.get(root.url + name + "/", name);
    } catch (const Error& error) {
      if (root.named_by.empty()) throw;
      const std::string where = fmt::format("this index is named by {}", root.named_by);
      throw Error(error).with_hint(error.hint().empty() ? where : error.hint() + "; " + where);
    }
  }

  // Files from find-links stand in front; an index's file of the same name is the same one.
  Located merged(const std::string& name, std::vector<IndexFile> links, const std::vector<const Root*>& roots) {
    Located out;
    try {
      out = ask(name, roots);
    } catch (const Error& error) {
      if (!options_.offline || error.kind() != ErrorKind::refused) throw;
    }
    ProjectPage page;
    if (out.page) page = out.page->unpacked().value_or(ProjectPage());
    page.name = name;
    std::set<std::string> seen;
    for (const IndexFile& file : links) seen.insert(file.name);
    for (IndexFile& file : page.files) {
      if (seen.insert(file.name).second) links.push_back(std::move(file));
    }
    page.files = std::move(links);
    out.page = PackedPage::make(page);
    return out;
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
  // What came of a build goes under the interpreter's tag too. "": not kept.
  std::string kept_as(std::string_view digest, bool built) const {
    if (digest.size() != 32 || (built && options_.build_tag.empty())) return "";
    return std::string(digest) + (built ? "-" + options_.build_tag : "");
  }

  std::shared_ptr<const PackedMetadata> cached_metadata(std::string_view digest, bool wheel) {
    for (const bool built : {false, true}) {
      const std::string key = built && wheel ? "" : kept_as(digest, built);
      auto entry = key.empty() ? std::nullopt : store_.find(IndexStore::Kind::metadata, key);
      if (!entry) continue;
      if (auto found = PackedMetadata::open(entry->hot, std::move(entry->owner))) {
        ++metadata_from_cache_;
        return found;
      }
    }
    return nullptr;
  }

  // A build that failed is not tried again for a day, nor asked of somebody without a network: a walk over old versions
  // would otherwise cost minutes each time.
  std::string failure_key(std::string_view digest) const {
    const std::string key = kept_as(digest, true);
    return key.empty() ? "" : key + "-failed";
  }

  MetadataLadder::Found climb(const IndexFile& file, const std::string& package, const std::string& digest) {
    try {
      return ladder_.climb(file, package);
    } catch (const Error& error) {
      const std::string key = error.kind() == ErrorKind::failed ? failure_key(digest) : "";
      if (!key.empty() && options_.build_metadata) {
        const int64_t now_ms = clock_.wall_ms();
        store_.put(IndexStore::Kind::metadata, key, "", "", error.message(), {now_ms, now_ms + kFailedBuildMs});
      }
      throw;
    }
  }

  std::shared_ptr<const PackedMetadata> find_metadata(const IndexFile& file, const std::string& package) {
    const std::string digest = Digest::is_valid(file.sha256) ? packed::from_hex(Digest::parse(file.sha256).hex()) : "";
    if (auto kept = cached_metadata(digest, file.name.ends_with(".whl"))) return kept;
    if (const std::string key = failure_key(digest); !key.empty() && !options_.refresh) {
      const auto failed = store_.find(IndexStore::Kind::metadata, key);
      if (failed && (options_.offline || clock_.wall_ms() < failed->lifetime.fresh_until_ms))
        throw Error(ErrorKind::failed, std::string(failed->note), file.name);
    }
    if (options_.offline && !file.url.starts_with("file://")) {
      throw Error(ErrorKind::refused, "its metadata is not in the cache", file.name, "run once without `--offline`");
    }
    const MetadataLadder::Found found = climb(file, package, digest);
    ++metadata_fetched_;
    auto out = PackedMetadata::make(found.text, file.name);
    if (const std::string key = kept_as(digest, found.built); !key.empty()) {
      store_.put(IndexStore::Kind::metadata, key, out->bytes(), "", "", {clock_.wall_ms(), 0});
    }
    return out;
  }

  Transport& transport_;
  const IndexOptions options_;
  const SystemClock system_clock_;
  const Clock& clock_;
  CredentialStore own_credentials_;
  CredentialStore& credentials_;
  IndexStore store_;
  PageFetcher fetcher_;
  FindLinks find_links_;
  IndexTraits traits_;
  MetadataLadder ladder_;
  std::vector<Root> roots_;
  std::map<std::string, const Root*> pinned_;  // into `roots_`
  OnceMap<Located> pages_;
  OnceMap<std::shared_ptr<const PackedMetadata>> metadata_;
  OnceMap<std::string> digests_;
  std::atomic<int> metadata_from_cache_{0}, metadata_fetched_{0};
  WorkPool pool_;  // last: its threads use all of the above and end first
};

}  // namespace

std::optional<IndexFile> file_of(const PackedPage& page, PageFile file) {
  auto records = page.records(file.release);
  const uint32_t at = file.file - page.first_file(file.release);
  return records && at < records->size() ? std::optional(std::move((*records)[at])) : std::nullopt;
}

std::shared_ptr<const PackedMetadata> IndexClient::metadata(const PackedPage& page, PageFile file,
                                                            const std::string& package) {
  const auto record = file_of(page, file);
  return record ? metadata(*record, package) : nullptr;
}

void IndexClient::prefetch_metadata(const PackedPage& page, PageFile file, const std::string& package) {
  if (const auto record = file_of(page, file)) prefetch_metadata(*record, package);
}

std::unique_ptr<IndexClient> make_index_client(Transport& transport, IndexOptions options, EventSink& events) {
  return std::make_unique<HttpIndexClient>(transport, std::move(options), events);
}

}  // namespace dae::resolver
