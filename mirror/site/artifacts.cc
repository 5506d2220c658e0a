#include "base/error.h"
#include "base/value.h"
#include "mirror/site/frame.h"
#include "mirror/site/site.h"

namespace dae::mirror {
namespace {

constexpr int64_t kRepositoriesPerPage = 100;
constexpr int64_t kTagsPerPage = 25;
constexpr uint64_t kMostManifestBytes = 4ull << 20;
constexpr size_t kAnnotationsShown = 20;

int64_t pages_of(int64_t count, int64_t per_page) {
  return (count + per_page - 1) / per_page;
}

struct TagRow {
  std::string tag, media_type, artifact_type, annotations;
  ContentDigest digest;
  int64_t updated_ms = 0;
};

int64_t count_tags(Catalog& catalog, const std::string& repository) {
  return catalog.read([&](Database& db) {
    Statement row = db.prepare("SELECT count(*) FROM tags WHERE repository = ? AND NOT deleted");
    row.bind(1, repository);
    row.step();
    return row.integer(0);
  });
}

std::vector<TagRow> newest_tags(Catalog& catalog, const std::string& repository, int64_t offset) {
  return catalog.read([&](Database& db) {
    std::vector<TagRow> out;
    Statement rows = db.prepare(
        "SELECT t.tag, m.media_type, m.artifact_type, m.annotations, t.digest, t.updated_ms FROM tags t JOIN manifests "
        "m ON m.repository = t.repository AND m.digest = t.digest WHERE t.repository = ? AND NOT t.deleted "
        "ORDER BY t.updated_ms DESC, t.tag LIMIT ? OFFSET ?");
    rows.bind(1, repository).bind(2, kTagsPerPage).bind(3, offset);
    while (rows.step()) {
      out.push_back({rows.text(0), rows.text(1), rows.text(2), rows.text(3), ContentDigest::from_row(rows.text(4)),
                     rows.integer(5)});
    }
    return out;
  });
}

uint64_t size_in(const Value& descriptor) {
  const Value* size = descriptor.find("size");
  return size != nullptr && size->is_integer() && size->as_integer() > 0 ? static_cast<uint64_t>(size->as_integer())
                                                                         : 0;
}

// What a client that has nothing yet pulls: the manifest and all it names, but not what an index's manifests name.
// Nothing where the bytes are gone or are no JSON.
Html size_of(SiteService& site, const std::string& repository, const ContentDigest& digest) {
  const auto row = site.registry.manifest(repository, digest);
  if (!row || row->size_bytes > kMostManifestBytes) return Html("–");
  try {
    const Value manifest = parse_json(site.blobs.read(row->stored, kMostManifestBytes), "manifest").root;
    uint64_t total = row->size_bytes;
    if (const Value* config = manifest.find("config")) total += size_in(*config);
    size_t parts = 0;
    for (const char* list : {"layers", "manifests"}) {
      const Value* items = manifest.find(list);
      if (items == nullptr || !items->is_array()) continue;
      for (const Value& item : items->as_array()) total += size_in(item);
      parts += items->as_array().size();
    }
    return Html(format_bytes(total), " <span class=\"soft\">in ", counted(static_cast<int64_t>(parts), "part", "parts"),
                "</span>");
  } catch (const Error&) {
    return Html("–");
  }
}

Html annotations_markup(const std::string& json) {
  Html out;
  try {
    const Value annotations = parse_json(json, "annotations").root;
    size_t shown = 0;
    for (const auto& [key, value] : annotations.as_object()) {
      if (!value.is_string() || ++shown > kAnnotationsShown) continue;
      out.add("<div><dt>", key, "</dt><dd>", value.as_string().substr(0, 500), "</dd></div>");
    }
  } catch (const Error&) {
    return {};
  }
  return out;
}

Html tag_markup(SiteService& site, const std::string& repository, const TagRow& tag, const std::string& root) {
  Html out("<li><a href=\"", root, "v2/", repository, "/manifests/", tag.tag, "\"><b>", tag.tag, "</b></a>\n<dl>",
           "<div><dt>pushed</dt><dd>", time_of(tag.updated_ms), "</dd></div><div><dt>size</dt><dd>",
           size_of(site, repository, tag.digest), "</dd></div>");
  if (!tag.artifact_type.empty()) out.add("<div><dt>type</dt><dd>", tag.artifact_type, "</dd></div>");
  out.add("<div><dt>digest</dt><dd><code>", tag.digest.oci(), "</code></dd></div>",
          annotations_markup(tag.annotations));
  return out.add("</dl></li>\n");
}

}  // namespace

ServerResponse artifacts_page(SiteService& site, const ServerRequest& request) {
  const auto counts = site.repositories.get(site.catalog.generation(), [&] { return site.registry.counts(); });
  const auto count = static_cast<int64_t>(counts->size());
  const int64_t page = page_number(request);
  Html body("<h1>Artifacts</h1>\n");
  if (count == 0) body.add("<p class=\"soft\">No artifact has been pushed yet.</p>\n");
  body.add("<ul class=\"found\">\n");
  for (int64_t i = (page - 1) * kRepositoriesPerPage; i < std::min(count, page * kRepositoriesPerPage); ++i) {
    const RepositoryCount& repository = (*counts)[static_cast<size_t>(i)];
    body.add("<li><a href=\"artifacts/", repository.repository, "\">", repository.repository,
             "</a> <span class=\"soft\">", counted(repository.tags, "tag", "tags"), ", ",
             counted(repository.manifests, "manifest", "manifests"), "</span></li>\n");
  }
  body.add("</ul>\n", pager(page, pages_of(count, kRepositoriesPerPage)));
  return answer(request, {.title = "Artifacts · dae mirror", .search = "", .body = std::move(body)});
}

ServerResponse repository_page(SiteService& site, const ServerRequest& request) {
  const std::string& repository = request.captures.at(0);
  if (!site.registry.has_repository(repository)) return nothing_here(request, "There is no such repository.");
  const std::string root = root_of(request);
  const int64_t page = page_number(request), count = count_tags(site.catalog, repository);
  Html body("<h1>", repository, "</h1>\n<p>", counted(count, "tag", "tags"));
  if (is_immutable_repository(repository)) body.add(" <span class=\"badge\">tags never move</span>");
  body.add("</p>\n<ul class=\"files\">\n");
  for (const TagRow& tag : newest_tags(site.catalog, repository, (page - 1) * kTagsPerPage)) {
    body.add(tag_markup(site, repository, tag, root));
  }
  body.add("</ul>\n", pager(page, pages_of(count, kTagsPerPage)));
  return answer(request, {.title = repository + " · dae mirror", .search = "", .body = std::move(body)});
}

}  // namespace dae::mirror
