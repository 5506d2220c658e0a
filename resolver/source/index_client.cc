#include <fmt/format.h>

#include <atomic>
#include <memory>

#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"
#include "resolver/source/freshness.h"
#include "resolver/source/index.h"
#include "resolver/source/index_traits.h"
#include "resolver/source/metadata_ladder.h"
#include "resolver/source/once_map.h"
#include "resolver/source/page_cache.h"
#include "resolver/source/work_pool.h"
#include "resolver/standards/names.h"

namespace dae::resolver {
namespace {

// Requests that may wait for answers at once; HTTP/2 carries them over few connections.
constexpr size_t kWorkers = 32;
constexpr uint64_t kMaxFileBytes = 4ull << 30;
// The version is part of the folder's name: another version of this program leaves ours alone.
constexpr const char* kPagesDir = "pages-v1";
constexpr const char* kMetadataDir = "metadata-v1";

Path below(const Path& dir, const char* name) {
  return dir.empty() ? Path() : dir / name;
}

// An index as configured: where to ask, with its credentials, and how it is called, without.
struct Root {
  std::string url;
  std::string clean_url;
  std::string origin;
  std::string user_info;
};

Root make_root(std::string url) {
  if (!url.ends_with('/')) url += '/';
  const Url parts = parse_url(url);
  return {url, parts.text(), parts.origin(), parts.user_info};
}

class HttpIndexClient final : public IndexClient {
 public:
  HttpIndexClient(Transport& transport, IndexOptions options, EventSink& events)
      : transport_(transport),
        options_(std::move(options)),
        clock_(options_.clock != nullptr ? *options_.clock : system_clock_),
        cache_(below(options_.cache_dir, kPagesDir)),
        traits_(below(options_.cache_dir, "index-traits.json"), clock_),
        ladder_(transport, traits_, events, options_, [this](const std::string& url) { return authorised(url); }),
        pool_(kWorkers) {
    for (const IndexSource& index : options_.indexes) roots_.push_back(make_root(index.url));
  }

  std::optional<ProjectPage> page(const std::string& package) override {
    const std::string name = normalize_name(package);
    return *pages_.get(name, [&] { return find_page(name); });
  }

  std::shared_ptr<const ProjectPage> shared_page(const std::string& package) override {
    const std::string name = normalize_name(package);
    const auto found = pages_.get(name, [&] { return find_page(name); });
    return *found ? std::shared_ptr<const ProjectPage>(found, &**found) : nullptr;
  }

  std::string metadata_text(const IndexFile& file, const std::string& package) override {
    return *metadata_.get(metadata_key(file), [&] { return find_metadata(file, normalize_name(package)); });
  }

  std::string file_sha256(const IndexFile& file) override {
    if (!file.sha256.empty() || options_.offline) return file.sha256;
    return *digests_.get(file.url, [&] {
      Sha256 hash;
      HttpRequest request;
      request.url = authorised(file.url);
      request.body_limit_bytes = kMaxFileBytes;
      request.on_restart = [&] { hash = Sha256(); };
      request.on_body = [&](std::string_view bytes) { hash.update(bytes); };
      const HttpResponse answer = transport_.send(std::move(request));
      if (!answer.ok()) {
        throw Error(ErrorKind::network,
                    fmt::format("the index answered {} {}", answer.status, http_reason(answer.status)),
                    redact_url(file.url));
      }
      return hash.finish().hex();
    });
  }

  void prefetch_pages(const std::vector<std::string>& packages) override {
    for (const std::string& package : packages) {
      std::string name = normalize_name(package);
      if (!pages_.reserve(name)) continue;
      pool_.submit([this, name] { pages_.run_reserved(name, [&] { return find_page(name); }); });
    }
  }

  void prefetch_metadata(const IndexFile& file, const std::string& package) override {
    // An sdist may mean a large download or a build: never on a guess.
    if (!file.name.ends_with(".whl") || !metadata_.reserve(metadata_key(file))) return;
    pool_.submit([this, file, name = normalize_name(package)] {
      metadata_.run_reserved(metadata_key(file), [&] { return find_metadata(file, name); });
    });
  }

  IndexStats stats() const override {
    return {pages_from_cache_.load(), pages_fetched_.load(), metadata_from_cache_.load(), metadata_fetched_.load()};
  }

 private:
  static std::string metadata_key(const IndexFile& file) { return file.sha256.empty() ? file.url : file.sha256; }

  // Credentials of an index go along to files on the same host, and nowhere else.
  std::string authorised(const std::string& url) const {
    const Url parts = parse_url(url);
    for (const Root& root : roots_) {
      if (root.user_info.empty() || root.origin != parts.origin() || !parts.user_info.empty()) continue;
      return parts.scheme + "://" + root.user_info + "@" + url.substr(parts.scheme.size() + 3);
    }
    return url;
  }

  std::optional<ProjectPage> find_page(const std::string& name) {
    if (!is_valid_name(name)) return std::nullopt;
    bool asked_all = true;
    for (const Root& root : roots_) {
      std::optional<CachedPage> page = page_of(root, name);
      if (page && page->found) return std::move(page->page);
      asked_all = asked_all && page.has_value();
    }
    if (!asked_all) {
      throw Error(ErrorKind::refused, fmt::format("the page of `{}` is not in the cache", name), name,
                  "run once without `--offline`");
    }
    return std::nullopt;
  }

  // nullopt: offline and never seen.
  std::optional<CachedPage> page_of(const Root& root, const std::string& name) {
    const std::string clean_url = root.clean_url + name + "/";
    std::optional<CachedPage> cached = cache_.load(clean_url);
    if (options_.offline ||
        (cached && clock_.wall_ms() < cached->fresh_until_ms && cached->fetched_ms <= clock_.wall_ms())) {
      if (cached) ++pages_from_cache_;
      return cached;
    }
    HttpRequest request;
    request.url = root.url + name + "/";
    request.headers.add("Accept", kSimpleAccept);
    if (cached && cached->found) {
      if (!cached->etag.empty()) request.headers.add("If-None-Match", cached->etag);
      if (!cached->last_modified.empty()) request.headers.add("If-Modified-Since", cached->last_modified);
    }
    const HttpResponse answer = transport_.send(std::move(request));
    ++pages_fetched_;
    if (answer.status == 304 && cached) return revalidated(std::move(*cached), answer, clean_url);
    return fetched(answer, clean_url, name);
  }

  CachedPage revalidated(CachedPage cached, const HttpResponse& answer, const std::string& clean_url) {
    // A 304 need not repeat the validators; those we sent still hold (RFC 9111 section 4.3.4).
    Headers headers = answer.headers;
    if (!headers.has("etag") && !cached.etag.empty()) headers.add("ETag", cached.etag);
    if (!headers.has("last-modified") && !cached.last_modified.empty()) {
      headers.add("Last-Modified", cached.last_modified);
    }
    remember(cached, headers, clean_url, kHeuristicFreshMs);
    return cached;
  }

  CachedPage fetched(const HttpResponse& answer, const std::string& clean_url, const std::string& name) {
    CachedPage page;
    if (answer.status == 404 || answer.status == 410) {
      // Kept for work without a network only, unless the index says how long it holds: who has just published a
      // package will not be told for ten minutes that there is none.
      page.found = false;
      remember(page, answer.headers, clean_url, 0);
      return page;
    }
    if (answer.status == 401 || answer.status == 403) {
      throw Error(
          ErrorKind::refused, fmt::format("the index answered {} {}", answer.status, http_reason(answer.status)),
          redact_url(clean_url),
          "check the credentials of this index; the next one is not asked, it could serve a stranger's package");
    }
    if (!answer.ok()) {
      throw Error(ErrorKind::network,
                  fmt::format("the index answered {} {}", answer.status, http_reason(answer.status)),
                  redact_url(clean_url), "`--offline` works with the pages in the cache");
    }
    const std::string base = answer.effective_url.empty() ? clean_url : parse_url(answer.effective_url).text();
    page.page = parse_project_page(answer.body, answer.headers.get("content-type"), base, name);
    remember(page, answer.headers, clean_url, kHeuristicFreshMs);
    return page;
  }

  void remember(CachedPage& page, const Headers& headers, const std::string& clean_url, int64_t heuristic_ms) {
    page.fetched_ms = clock_.wall_ms();
    const Freshness freshness = freshness_of(headers, page.fetched_ms, heuristic_ms);
    page.etag = headers.get("etag");
    page.last_modified = headers.get("last-modified");
    page.fresh_until_ms = freshness.fresh_until_ms;
    if (freshness.may_store) cache_.store(clean_url, page);
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
    for (const bool built : {false, true}) {
      if (built && file.name.ends_with(".whl")) break;
      const Path path = metadata_file(file, built);
      if (path.empty()) continue;
      if (auto text = read_file_if_exists(path); text && !text->empty()) {
        ++metadata_from_cache_;
        return std::move(*text);
      }
    }
    if (options_.offline) {
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
  std::vector<Root> roots_;
  PageCache cache_;
  IndexTraits traits_;
  MetadataLadder ladder_;
  OnceMap<std::optional<ProjectPage>> pages_;
  OnceMap<std::string> metadata_, digests_;
  std::atomic<int> pages_from_cache_{0}, pages_fetched_{0}, metadata_from_cache_{0}, metadata_fetched_{0};
  WorkPool pool_;  // last: its threads use all of the above and end first
};

}  // namespace

std::unique_ptr<IndexClient> make_index_client(Transport& transport, IndexOptions options, EventSink& events) {
  return std::make_unique<HttpIndexClient>(transport, std::move(options), events);
}

}  // namespace dae::resolver
