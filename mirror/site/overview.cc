#include <map>

#include "base/log.h"
#include "base/strings.h"
#include "mirror/site/frame.h"
#include "mirror/site/runs.h"
#include "mirror/site/site.h"

namespace dae::mirror {
namespace {

constexpr size_t kRepositoriesShown = 20;

struct LastRevision {
  int64_t number = 0, made_ms = 0;
};

LastRevision last_revision(Catalog& catalog, const std::string& index) {
  return catalog.read([&](Database& db) {
    Statement row =
        db.prepare("SELECT revision, made_ms FROM revisions WHERE index_name = ? ORDER BY revision DESC LIMIT 1");
    row.bind(1, index);
    return row.step() ? LastRevision{row.integer(0), row.integer(1)} : LastRevision{};
  });
}

Html source_of(const IndexConfig& index) {
  if (index.overlay.is_overlay()) return Html("over ", join(index.overlay.members, ", "));
  if (index.mode == "private") return Html("uploads only");
  return Html(index.upstream == "pip" ? std::string("as pip is configured here") : redact_url(index.upstream));
}

Html index_table(SiteService& site) {
  const auto survey = site.surveys.get(site.catalog.generation(), [&] { return mirror::survey(site.catalog); });
  Html rows;
  for (const IndexConfig& index : site.config.indexes) {
    const auto names = survey->names.find(index.name);
    const auto files = survey->files.find(index.name);
    const LastRevision last = last_revision(site.catalog, index.name);
    rows.add("<tr><th scope=\"row\"><a href=\"ui/search?index=", index.name, "\">", index.name, "</a></th><td>",
             index.mode);
    if (index.frozen) rows.add(" <span class=\"badge\">frozen</span>");
    rows.add("</td><td>", source_of(index), "</td><td class=\"n\">",
             grouped(names == survey->names.end() ? 0 : names->second.size()), "</td><td class=\"n\">",
             grouped(files == survey->files.end() ? 0 : files->second), "</td><td>", time_of(last.made_ms),
             "</td></tr>\n");
  }
  return Html(
      "<div class=\"scroll\" role=\"region\" aria-label=\"Package indexes\" tabindex=\"0\"><table>\n<thead><tr>"
      "<th scope=\"col\">Index</th><th scope=\"col\">Mode</th><th scope=\"col\">Upstream</th>"
      "<th scope=\"col\" class=\"n\">Projects</th><th scope=\"col\" class=\"n\">Files</th>"
      "<th scope=\"col\">Last change</th></tr></thead>\n<tbody>\n",
      rows, "</tbody></table></div>\n");
}

Html repositories(SiteService& site) {
  const auto counts = site.repositories.get(site.catalog.generation(), [&] { return site.registry.counts(); });
  if (counts->empty()) return Html("<p class=\"soft\">No artifact has been pushed yet.</p>\n");
  Html rows;
  size_t shown = 0;
  for (const RepositoryCount& count : *counts) {
    if (++shown > kRepositoriesShown) break;
    rows.add("<tr><th scope=\"row\"><a href=\"ui/artifacts/", count.repository, "\">", count.repository,
             "</a></th><td class=\"n\">", grouped(count.manifests), "</td><td class=\"n\">", grouped(count.tags),
             "</td></tr>\n");
  }
  Html out(
      "<div class=\"scroll\" role=\"region\" aria-label=\"Repositories\" tabindex=\"0\"><table>\n<thead><tr>"
      "<th scope=\"col\">Repository</th><th scope=\"col\" class=\"n\">Manifests</th>"
      "<th scope=\"col\" class=\"n\">Tags</th></tr></thead>\n<tbody>\n",
      rows, "</tbody></table></div>\n");
  if (counts->size() > kRepositoriesShown) {
    out.add("<p><a href=\"ui/artifacts\">All ", grouped(static_cast<int64_t>(counts->size())),
            " repositories</a></p>\n");
  }
  return out;
}

}  // namespace

ServerResponse overview_page(SiteService& site, const ServerRequest& request) {
  Html body("<h1>dae mirror</h1>\n<h2>Package indexes</h2>\n", index_table(site), "<h2>Artifacts</h2>\n",
            repositories(site), "<h2>State</h2>\n", last_run_table(site));
  return answer(request, {.title = "dae mirror", .search = "", .body = std::move(body)});
}

}  // namespace dae::mirror
