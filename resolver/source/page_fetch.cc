#include "resolver/source/page_fetch.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/log.h"
#include "resolver/source/freshness.h"
#include "resolver/standards/names.h"

namespace dae::resolver {
namespace {

// A gateway that cannot reach the index is as good as an index that cannot be reached.
bool is_gateway_failure(int status) {
  return status == 502 || status == 503 || status == 504;
}

}  // namespace

PageFetcher::PageFetcher(Transport& transport, const IndexOptions& options, const Clock& clock,
                         CredentialStore& credentials, IndexStore& store, EventSink& events)
    : transport_(transport),
      options_(options),
      clock_(clock),
      credentials_(credentials),
      events_(events),
      cache_(store) {
  for (const std::string& name : options.refresh_packages) refreshed_.insert(normalize_name(name));
}

bool PageFetcher::is_fresh(int64_t fetched_ms, int64_t fresh_until_ms, const std::string& package) const {
  if (options_.offline) return true;
  if (options_.refresh || refreshed_.contains(package)) return false;
  return clock_.wall_ms() < fresh_until_ms && fetched_ms <= clock_.wall_ms();
}

std::optional<CachedPage> PageFetcher::get(const std::string& url, const std::string& package) {
  std::optional<CachedPage> cached = cache_.load(url);
  if (options_.offline || (cached && is_fresh(cached->fetched_ms, cached->fresh_until_ms, package))) {
    if (cached) ++from_cache_;
    return cached;
  }
  if (cached && may_stand_in(*cached, url, "")) return cached;
  HttpResponse answer;
  try {
    answer = ask(url, cached ? &*cached : nullptr, options_.refresh || refreshed_.contains(package));
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::network || !cached || !may_stand_in(*cached, url, error.message())) throw;
    return cached;
  }
  if (answer.status == 304 && cached) return renewed(std::move(*cached), answer, url);
  if (cached && is_gateway_failure(answer.status) &&
      may_stand_in(*cached, url, fmt::format("{} {}", answer.status, http_reason(answer.status)))) {
    return cached;
  }
  return read(answer, url, package);
}

bool PageFetcher::is_at_hand(const std::string& url, const std::string& package) {
  const auto lifetime = cache_.peek(url);
  return lifetime && is_fresh(lifetime->fetched_ms, lifetime->fresh_until_ms, package);
}

HttpResponse PageFetcher::ask(const std::string& url, const CachedPage* cached, bool end_to_end) {
  HttpRequest request;
  request.url = url;
  request.headers.add("Accept", kSimpleAccept);
  // Past the caches between us and the index (RFC 9111 section 5.2.1.1).
  if (end_to_end) request.headers.add("Cache-Control", "max-age=0");
  if (cached != nullptr && cached->found) {
    if (!cached->etag.empty()) request.headers.add("If-None-Match", cached->etag);
    if (!cached->last_modified.empty()) request.headers.add("If-Modified-Since", cached->last_modified);
  }
  credentials_.authorise(request);
  HttpResponse answer = transport_.send(std::move(request));
  ++fetched_;
  return answer;
}

// With an empty `why`: only when the server is known not to answer. A page that must be revalidated never stands in
// for what its index would say now (RFC 9111 section 5.2.2.2), nor does "there is no such project".
bool PageFetcher::may_stand_in(const CachedPage& page, const std::string& url, const std::string& why) {
  if (page.must_revalidate || !page.found) return false;
  const std::string origin = parse_url(url).origin();
  {
    const std::scoped_lock lock(mutex_);
    if (why.empty() && !unreachable_.contains(origin)) return false;
    ++from_cache_;
    if (why.empty() || !unreachable_.insert(origin).second) return true;
  }
  warning(events_, fmt::format("{}: {}; using the pages in the cache, from {} ago and other times", origin, why,
                               format_duration(std::max<int64_t>(0, clock_.wall_ms() - page.fetched_ms))));
  return true;
}

CachedPage PageFetcher::renewed(CachedPage cached, const HttpResponse& answer, const std::string& url) {
  // A 304 need not repeat the validators; those we sent still hold (RFC 9111 section 4.3.4).
  Headers headers = answer.headers;
  if (!headers.has("etag") && !cached.etag.empty()) headers.add("ETag", cached.etag);
  if (!headers.has("last-modified") && !cached.last_modified.empty()) {
    headers.add("Last-Modified", cached.last_modified);
  }
  const CachedPage before = cached;
  remember(cached, headers, url, kHeuristicFreshMs, &before);
  return cached;
}

ProjectPage PageFetcher::links(const std::string& url) {
  if (options_.offline) {
    throw Error(ErrorKind::refused, "pages of links are not kept, so they cannot be read offline", redact_url(url),
                "name a folder in `find-links`, or leave out `--offline`");
  }
  const HttpResponse answer = ask(parse_url(url).text(), nullptr, false);
  if (!answer.ok()) refuse(answer.status, url);
  return parse_project_page(answer.body, answer.headers.get("content-type"), parse_url(answer.effective_url).text(),
                            "");
}

// An answer that is neither a page nor "there is none".
void PageFetcher::refuse(int status, const std::string& url) {
  const std::string what = fmt::format("the index answered {} {}", status, http_reason(status));
  if (status == 401 || status == 403) {
    throw Error(ErrorKind::refused, what, redact_url(url), credentials_.hint(url))
        .because("no other index is asked instead: it could serve a stranger's package of that name");
  }
  throw Error(ErrorKind::network, what, redact_url(url), "`--offline` works with the pages in the cache");
}

CachedPage PageFetcher::read(const HttpResponse& answer, const std::string& url, const std::string& package) {
  CachedPage page;
  if (answer.status == 404 || answer.status == 410) {
    // Kept for work without a network only, unless the index says how long it holds: who has just published a
    // package will not be told for ten minutes that there is none.
    page.found = false;
    remember(page, answer.headers, url, 0);
    return page;
  }
  if (!answer.ok()) refuse(answer.status, url);
  const std::string base = answer.effective_url.empty() ? url : parse_url(answer.effective_url).text();
  const std::string_view root = std::string_view(url).substr(0, url.size() - package.size() - 1);
  page.page =
      PackedPage::make(parse_project_page(answer.body, answer.headers.get("content-type"), base, package), root);
  remember(page, answer.headers, url, kHeuristicFreshMs);
  return page;
}

void PageFetcher::remember(CachedPage& page, const Headers& headers, const std::string& url, int64_t heuristic_ms,
                           const CachedPage* before) {
  page.fetched_ms = clock_.wall_ms();
  const Freshness freshness = freshness_of(headers, page.fetched_ms, heuristic_ms);
  page.etag = headers.get("etag");
  page.last_modified = headers.get("last-modified");
  page.fresh_until_ms = freshness.fresh_until_ms;
  page.must_revalidate = freshness.must_revalidate;
  if (freshness.may_store) cache_.store(url, page, before);
}

}  // namespace dae::resolver
