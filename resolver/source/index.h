#pragma once
// Where packages come from: which index, and the client that reads it.
// `upstream: pip` means the index pip itself would use: its configuration files and environment (PIP_INDEX_URL,
// pip.conf), else the default that the interpreter's own pip carries. No registry host is written in this program.
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/blob_store.h"
#include "base/clock.h"
#include "base/events.h"
#include "base/http_client.h"
#include "base/process.h"
#include "resolver/solver/solver.h"
#include "resolver/source/direct.h"
#include "resolver/source/packed_metadata.h"
#include "resolver/source/packed_page.h"
#include "resolver/standards/simple_page.h"

namespace dae::resolver {

struct PipIndex {
  std::string index_url;  // ends with '/'
  std::vector<std::string> extra_index_urls;
  Path ca_file;        // pip's `cert`, or empty
  std::string origin;  // "pip's configuration", "pip's default"
};
// Asks pip once and remembers (cache_dir()/pip-index.json, keyed by pip's environment variables and the mtimes of its
// configuration files). Throws Error not_found with a hint when there is no pip.
PipIndex pip_index(ProcessRunner& runner);

class CredentialStore;

// An index as it is configured.
struct IndexSource {
  IndexSource(std::string root, std::string called = "", bool only_pinned = false, std::string named_by = "")
      : name(std::move(called)), url(std::move(root)), pinned_only(only_pinned), origin(std::move(named_by)) {}
  std::string name;    // as messages and IndexOptions::index_of call it; ""
  std::string url;     // simple root; may hold credentials
  bool pinned_only;    // asked for the packages that `index_of` sends to it, no others
  std::string origin;  // who named it ("DAE_INDEX", "pyproject.toml"), for messages; ""
};

struct IndexOptions {
  std::vector<IndexSource> indexes;             // in order; the first that has the name wins
  std::map<std::string, std::string> index_of;  // package -> name of the only index that is asked for it
  std::vector<std::string> find_links;          // folders, archives and pages whose files come before an index's
  Path cache_dir;                               // pages and metadata; empty: nothing is kept
  bool offline = false;
  bool refresh = false;                       // ask again for every page, however fresh the one at hand is
  std::vector<std::string> refresh_packages;  // the same for these
  CredentialStore* credentials = nullptr;     // null: of the URLs, the environment and netrc; must outlive the client
  BlobStore* blobs = nullptr;                 // keeps sdists that were downloaded for their metadata; null: nobody does
  const Clock* clock = nullptr;               // null: the machine's; must outlive the client
  // METADATA of an sdist that does not state it statically, by building it (install/environment.h makes one). Without
  // it such an sdist is Error failed. Called from several threads.
  std::function<std::string(const IndexFile& file, const Path& sdist)> build_metadata;
  std::string build_tag;  // whose builds those are ("cpython-311"): they are kept under it; "": not kept
};

// A file of a page, by its numbers there.
struct PageFile {
  uint32_t release = 0, file = 0;
};
// The file whose metadata will be wanted first once the page is known; called on a worker thread.
using Favourite = std::function<std::optional<PageFile>(const PackedPage& page)>;

struct IndexStats {
  int pages_from_cache = 0, pages_fetched = 0, metadata_from_cache = 0, metadata_fetched = 0;
};

// Thread-safe; fetches concurrently. Pages are cached as HTTP says (Cache-Control, ETag, Last-Modified), metadata for
// ever by the file's digest. Metadata ladder: announced `.metadata` (hash checked), unannounced `.metadata`, tail of
// the zip by range, the whole wheel; an sdist's PKG-INFO where PEP 643 allows. What an index cannot do is remembered.
class IndexClient {
 public:
  virtual ~IndexClient() = default;
  // Null: no index has the name. What the cache holds costs microseconds, so there is no need to ask ahead.
  virtual std::shared_ptr<const PackedPage> page(const std::string& package) = 0;
  // The page once more, not from the cache: what page() gave turned out damaged.
  virtual std::shared_ptr<const PackedPage> reload(const std::string& package) { return page(package); }
  // Root of the index that serves the package, without credentials; "" when none does, or a find-links place alone.
  virtual std::string index_of(const std::string& package) { return (void)package, ""; }
  // Never null; metadata that cannot be understood says that it is broken.
  virtual std::shared_ptr<const PackedMetadata> metadata(const IndexFile& file, const std::string& package) = 0;
  // The same for a file of a page, which need not be unpacked when its metadata is in the cache. Null: the page is
  // damaged, see reload().
  virtual std::shared_ptr<const PackedMetadata> metadata(const PackedPage& page, PageFile file,
                                                         const std::string& package);
  // SHA-256 of the file's bytes in hex: what its index says, else found by downloading it (a lock needs one for each).
  virtual std::string file_sha256(const IndexFile& file) { return file.sha256; }
  virtual void prefetch_pages(const std::vector<std::string>& packages) = 0;
  // The same for one page; when it comes, the metadata of `favourite` is fetched at once.
  virtual void prefetch_page(const std::string& package, Favourite favourite) {
    (void)favourite;
    prefetch_pages({package});
  }
  virtual void prefetch_metadata(const IndexFile& file, const std::string& package) = 0;
  virtual void prefetch_metadata(const PackedPage& page, PageFile file, const std::string& package);
  virtual IndexStats stats() const = 0;
};
// The record of one file; nullopt when the page is damaged.
std::optional<IndexFile> file_of(const PackedPage& page, PageFile file);
std::unique_ptr<IndexClient> make_index_client(Transport& transport, IndexOptions options, EventSink& events);

struct ProviderOptions {
  // Nothing uploaded later. Files whose index gives no upload time are hidden then too, with a warning; those of
  // find-links, which never have one, are not.
  std::optional<int64_t> cutoff_ms;
  bool no_binary_at_all = false, only_binary_at_all = false;
  std::set<std::string> no_binary, only_binary;  // normalised names: no wheels of these, no sdists of those
  DirectSources* direct = nullptr;               // null: direct references to wheels and sdists by http only
  EventSink* events = nullptr;                   // for the warning; null: silent
};

// The Provider of the solver over an index client, for one target. Pages are shared between the providers of several
// targets. One thread at a time.
class IndexProvider : public Provider {
 public:
  // Files of a pinned version that the lock lists: all wheels usable on `target` plus the sdist, best wheel first.
  // Empty for a direct reference that is no file: see direct_source().
  virtual std::vector<IndexFile> files(const std::string& package, const Version& version) = 0;
  // What a direct reference stands for, when ProviderOptions::direct resolved it; null: it was not.
  virtual const DirectSource* direct_source(const std::string& package, const Version& version) const = 0;
};
std::unique_ptr<IndexProvider> make_index_provider(IndexClient& client, const Target& target,
                                                   ProviderOptions options = {});

}  // namespace dae::resolver
