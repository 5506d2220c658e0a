#include "mirror/care/listings.h"

#include <algorithm>
#include <functional>
#include <tuple>

namespace dae::mirror {
namespace {

constexpr int64_t kAtOnce = 500;

using Found = std::map<Digest, std::vector<Lister>>;

void add_places(Database& db, const std::string& file_sha256, const Digest& digest, const Lister& kind, Found& found) {
  Statement rows = db.prepare("SELECT index_name, project, file FROM places WHERE sha256 = ?");
  rows.bind(1, file_sha256);
  while (rows.step()) {
    Lister& lister = found[digest].emplace_back(kind);
    lister.index = rows.text(0);
    lister.project = rows.text(1);
    lister.file = rows.text(2);
  }
}

void add_learned(Database& db, const std::set<Digest>& digests, Found& found) {
  Lister metadata, provenance;
  metadata.metadata = true;
  provenance.provenance = true;
  Statement rows = db.prepare(
      "SELECT sha256, metadata_sha256, 0 FROM known WHERE metadata_sha256 <> '' "
      "UNION ALL SELECT file, sha256, 1 FROM provenance");
  while (rows.step()) {
    const Digest learned = Digest::parse(rows.text(1));
    const Lister& kind = rows.integer(2) == 0 ? metadata : provenance;
    if (digests.contains(learned)) add_places(db, rows.text(0), learned, kind, found);
  }
}

void add_repositories(Database& db, const Digest& digest, Found& found) {
  Statement rows = db.prepare(
      "WITH names(name) AS (SELECT ?1 UNION SELECT digest FROM digests WHERE sha256 = ?1) "
      "SELECT repository FROM repository_blobs WHERE digest IN names UNION "
      "SELECT repository FROM manifests WHERE digest IN names ORDER BY repository");
  rows.bind(1, digest.hex());
  while (rows.step()) found[digest].emplace_back().repository = rows.text(0);
}

// Index, project, and whether it is so now.
std::vector<std::tuple<std::string, std::string, bool>> entries_of(Catalog& catalog, const std::string& document) {
  return catalog.read([&](Database& db) {
    std::vector<std::tuple<std::string, std::string, bool>> entries;
    Statement rows = db.prepare(
        "SELECT index_name, name, max(to_revision IS NULL) FROM entries WHERE document = ? GROUP BY index_name, name");
    rows.bind(1, document);
    while (rows.step()) entries.emplace_back(rows.text(0), rows.text(1), rows.integer(2) != 0);
    return entries;
  });
}

void add_from_documents(Catalog& catalog, PageStore& pages, const std::set<Digest>& missing, Found& found) {
  for_each_document(catalog, pages, [&](const std::string& sha256, const ProjectDocument& document) {
    for (const resolver::IndexFile& file : document.page.files) {
      for (const auto& [name, metadata] : {std::pair(file.sha256, false), std::pair(file.metadata_sha256, true)}) {
        if (!Digest::is_valid(name) || !missing.contains(Digest::parse(name))) continue;
        for (const auto& entry : entries_of(catalog, sha256)) {
          Lister& lister = found[Digest::parse(name)].emplace_back();
          lister.index = std::get<0>(entry);
          lister.project = std::get<1>(entry);
          lister.file = file.name;
          lister.metadata = metadata;
          lister.former = !std::get<2>(entry);
        }
      }
    }
  });
}

auto order(const Lister& lister) {
  return std::tie(lister.index, lister.project, lister.file, lister.metadata, lister.provenance, lister.former,
                  lister.repository);
}

void sort_and_unite(std::vector<Lister>& listers) {
  std::sort(listers.begin(), listers.end(), [](const Lister& a, const Lister& b) { return order(a) < order(b); });
  const auto same = [](const Lister& a, const Lister& b) { return order(a) == order(b); };
  listers.erase(std::unique(listers.begin(), listers.end(), same), listers.end());
}

// Pages of a table by its key, so that nothing is held open between.
template <typename Row>
void for_each_row(Catalog& catalog, const std::function<std::vector<Row>(Database&, const Row&)>& after,
                  const std::function<void(const Row&)>& visit) {
  Row last{};
  while (true) {
    const std::vector<Row> rows = catalog.read([&](Database& db) { return after(db, last); });
    if (rows.empty()) return;
    for (const Row& row : rows) visit(row);
    last = rows.back();
  }
}

// Nothing when it went meanwhile.
std::shared_ptr<const ProjectDocument> load(PageStore& pages, const std::string& sha256) {
  try {
    return pages.document(Digest::parse(sha256));
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::not_found) throw;
    return nullptr;
  }
}

}  // namespace

std::string Lister::text() const {
  if (!repository.empty()) return "repository " + repository;
  return index + ": " + project + "/" + file +
         (metadata     ? ".metadata"
          : provenance ? ".provenance"
                       : "") +
         (former ? " (formerly)" : "");
}

void for_each_document(Catalog& catalog, PageStore& pages,
                       const std::function<void(const std::string&, const ProjectDocument&)>& visit) {
  const auto after = [](Database& db, const std::string& last) {
    std::vector<std::string> names;
    Statement rows = db.prepare("SELECT sha256 FROM documents WHERE sha256 > ? ORDER BY sha256 LIMIT ?");
    rows.bind(1, last).bind(2, kAtOnce);
    while (rows.step()) names.push_back(rows.text(0));
    return names;
  };
  for_each_row<std::string>(catalog, after, [&](const std::string& sha256) {
    if (const auto document = load(pages, sha256)) visit(sha256, *document);
  });
}

void for_each_project(Catalog& catalog, PageStore& pages, const std::string& index,
                      const std::function<void(const std::string&, const ProjectDocument&)>& visit) {
  using Row = std::pair<std::string, std::string>;
  const auto after = [&](Database& db, const Row& last) {
    std::vector<Row> found;
    Statement rows = db.prepare(
        "SELECT name, document FROM projects WHERE index_name = ? AND name > ? AND document <> '' "
        "ORDER BY name LIMIT ?");
    rows.bind(1, index).bind(2, last.first).bind(3, kAtOnce);
    while (rows.step()) found.emplace_back(rows.text(0), rows.text(1));
    return found;
  };
  for_each_row<Row>(catalog, after, [&](const Row& row) {
    if (const auto document = load(pages, row.second)) visit(row.first, *document);
  });
}

Found find_listers(Catalog& catalog, PageStore& pages, const std::set<Digest>& digests) {
  Found found;
  if (digests.empty()) return found;
  catalog.read([&](Database& db) {
    for (const Digest& digest : digests) {
      add_places(db, digest.hex(), digest, {}, found);
      add_repositories(db, digest, found);
    }
    add_learned(db, digests, found);
  });
  std::set<Digest> missing;
  for (const Digest& digest : digests) {
    if (!found.contains(digest)) missing.insert(digest);
  }
  if (!missing.empty()) add_from_documents(catalog, pages, missing, found);
  for (auto& [digest, listers] : found) sort_and_unite(listers);
  return found;
}

}  // namespace dae::mirror
