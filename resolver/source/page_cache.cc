#include "resolver/source/page_cache.h"

namespace dae::resolver {
namespace {

constexpr IndexStore::Kind kKind = IndexStore::Kind::page;

// Found, must be revalidated; then the validators, which hold no line breaks (RFC 9110 section 5.5).
std::string note_of(const CachedPage& page) {
  return std::string(page.found ? "+" : "-") + (page.must_revalidate ? "!" : " ") + page.etag + "\n" +
         page.last_modified;
}

}  // namespace

std::optional<CachedPage> PageCache::load(const std::string& url) {
  auto entry = store_.find(kKind, url);
  if (!entry || entry->note.size() < 3) return std::nullopt;
  const size_t line = entry->note.find('\n');
  if (line == std::string_view::npos || line < 2) return std::nullopt;
  CachedPage out;
  out.found = entry->note[0] == '+';
  out.must_revalidate = entry->note[1] == '!';
  out.etag = entry->note.substr(2, line - 2);
  out.last_modified = entry->note.substr(line + 1);
  out.fetched_ms = entry->lifetime.fetched_ms;
  out.fresh_until_ms = entry->lifetime.fresh_until_ms;
  if (!out.found) return out;
  out.page = PackedPage::open(entry->hot, entry->cold, std::move(entry->owner));
  return out.page ? std::optional(std::move(out)) : std::nullopt;
}

void PageCache::store(const std::string& url, const CachedPage& page, const CachedPage* before) {
  const IndexStore::Lifetime lifetime{page.fetched_ms, page.fresh_until_ms};
  const std::string note = note_of(page);
  if (before != nullptr && before->page == page.page && note_of(*before) == note) {
    store_.renew(kKind, url, lifetime);
  } else if (page.found) {
    store_.put(kKind, url, page.page->hot(), page.page->cold(), note, lifetime);
  } else {
    store_.put(kKind, url, "", "", note, lifetime);
  }
}

}  // namespace dae::resolver
