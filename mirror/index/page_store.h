#pragma once
// What each index lists, now and at every revision before: documents and their history in the catalog, and what was
// learned about files by having held them. A revision of an index is what one transaction made of it.
#include <functional>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "mirror/catalog.h"
#include "mirror/index/project_document.h"
#include "mirror/index/upstream.h"

namespace dae::mirror {

struct ProjectRow {
  int64_t id = 0;
  bool present = false;  // false: upstream said 404, or it was removed
  std::string document;  // sha256; "" when it is not present
  int64_t serial = 0;    // upstream's (X-PyPI-Last-Serial); 0: not known
  std::string etag, last_modified;
  int64_t fetched_ms = 0, fresh_until_ms = 0;  // by this machine
  int64_t revision = 0;                        // changes with whatever the page says
};

struct FileRow {
  std::string index, project, url;
  std::optional<uint64_t> size_bytes;
  bool has_metadata = false;
  std::string metadata_sha256;        // announced
  std::string known_metadata_sha256;  // held by us
  std::shared_ptr<const ProjectDocument> document;
};

struct ProjectCount {
  std::string index;
  int64_t projects = 0, files = 0;
};

struct ProjectChange {
  std::string project;                      // normalised
  std::optional<ProjectDocument> document;  // nullopt: it is gone
  int64_t serial = 0;
};

// Thread-safe.
class PageStore {
 public:
  explicit PageStore(Catalog& catalog) : catalog_(catalog) {}

  std::optional<ProjectRow> find(const std::string& index, const std::string& project);
  // What an index lists of a project, or did at a revision; without what was learned.
  std::shared_ptr<const ProjectDocument> document(const std::string& index, const std::string& project);
  std::string document_name_at(const std::string& index, const std::string& project, int64_t revision);  // "" none
  std::shared_ptr<const ProjectDocument> document_at(const std::string& index, const std::string& project,
                                                     int64_t revision);
  std::shared_ptr<const ProjectDocument> document(const Digest& digest);  // throws Error not_found
  int64_t revision(const std::string& index);                             // 0: nothing yet
  // One transaction and, when anything changes, one new revision. A file without a first-seen time gets that of the
  // document before, else `now_ms`. `also` is done in the same transaction, after the changes; what it throws undoes
  // all.
  int64_t apply(const std::string& index, const std::vector<ProjectChange>& changes, int64_t now_ms,
                const std::string& reason, const std::function<void(Database&)>& also = {});

  // Replaces what was known; kind `unchanged` only moves the times.
  void store(const std::string& index, const std::string& project, const UpstreamPage& page, int64_t now_ms,
             int64_t fresh_until_ms);
  void postpone(int64_t project_id, int64_t fresh_until_ms);
  // With upstream's URLs. Sizes and metadata digests that were learned are filled in.
  resolver::ProjectPage load(const ProjectRow& row, const std::string& project);
  void fill_in_what_was_learned(resolver::ProjectPage& page);
  std::vector<std::string> names(const std::string& index);
  std::vector<std::string> names_at(const std::string& index, int64_t revision);
  // Since which revision an index lists what it does now of a project; 0: it lists nothing.
  int64_t listed_since(const std::string& index, const std::string& project);
  struct Names {
    std::vector<std::string> names;
    std::vector<int64_t> since;
  };
  Names names_since(const std::string& index);  // of all
  // Every index that lists this file now, by name, then those of which a snapshot does.
  std::vector<FileRow> find_file(const Digest& digest, const std::string& name);
  bool look_again() { return catalog_.look_again(); }  // as Catalog's
  void learn_size(const Digest& digest, uint64_t size_bytes);
  void learn_metadata(const Digest& digest, const Digest& metadata);
  // The blob with the attestations of a file that upstream had at this URL.
  std::optional<Digest> known_provenance(const Digest& file, const std::string& name, const std::string& url);
  void learn_provenance(const Digest& file, const std::string& name, const std::string& url, const Digest& provenance);
  std::vector<ProjectCount> counts();

 private:
  struct Prepared;
  Prepared prepare(Database& db, const std::string& index, const ProjectChange& change, int64_t now_ms);
  int64_t change(const std::string& index, const std::vector<ProjectChange>& changes, int64_t now_ms,
                 const std::string& reason, const std::function<void(Database&)>& also);
  std::shared_ptr<const ProjectDocument> document(Database& db, const std::string& sha256);
  std::shared_ptr<const ProjectDocument> held_document(const std::string& sha256);

  Catalog& catalog_;
  // Documents that were asked for lately: they never change.
  std::mutex recent_mutex_;
  using Recent = std::list<std::pair<std::string, std::shared_ptr<const ProjectDocument>>>;
  Recent recent_;
  std::unordered_map<std::string, Recent::iterator> by_digest_;
  size_t held_files_ = 0;
};

}  // namespace dae::mirror
