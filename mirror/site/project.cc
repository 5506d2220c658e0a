#include <algorithm>

#include "base/log.h"
#include "base/strings.h"
#include "mirror/site/frame.h"
#include "mirror/site/install_lines.h"
#include "mirror/site/project_files.h"
#include "mirror/site/site.h"
#include "resolver/standards/names.h"

namespace dae::mirror {
namespace {

constexpr int64_t kReleasesPerPage = 20;
constexpr size_t kAppsShown = 100;

const IndexConfig* find_index(const MirrorConfig& config, const std::string& name) {
  const auto found = std::ranges::find(config.indexes, name, &IndexConfig::name);
  return found == config.indexes.end() ? nullptr : &*found;
}

Html status_note(const resolver::ProjectPage& page) {
  if (page.status.empty() || page.status == "active") return {};
  const bool bad = page.status == "quarantined";
  Html out(bad ? Html("<div class=\"note bad\">") : Html("<div class=\"note\">"));
  out.add("<strong class=\"badge ", bad ? std::string("bad") : std::string("warn"), "\">", page.status, "</strong>");
  if (!page.status_reason.empty()) out.add(" ", page.status_reason);
  return out.add("</div>\n");
}

Html barred_note(const ProjectView& view) {
  if (view.barred.empty()) return {};
  return Html("<div class=\"note bad\"><strong class=\"badge bad\">not served</strong> ", view.barred, "</div>\n");
}

Html overlays_over(const SiteService& site, const std::string& index, const ProjectView& view) {
  Html out;
  for (const IndexConfig& other : site.config.indexes) {
    if (std::ranges::find(other.overlay.members, index) == other.overlay.members.end()) continue;
    out.add(out.empty() ? Html() : Html(", "), "<a href=\"", view.root, "ui/", other.name, "/", view.document.page.name,
            "\">", other.name, "</a>");
  }
  return out;
}

Html facts(SiteService& site, const IndexConfig& index, const ProjectView& view, int64_t releases) {
  uint64_t bytes = 0;
  int64_t hidden = 0;
  for (const resolver::IndexFile& file : view.document.page.files) {
    bytes += file.size_bytes.value_or(0);
    if (!view.verdict(file).admitted) ++hidden;
  }
  Html out("<dl><div><dt>Index</dt><dd>", index.name, " (", index.mode, ")</dd></div><div><dt>Versions</dt><dd>",
           grouped(releases), "</dd></div><div><dt>Files</dt><dd>",
           grouped(static_cast<int64_t>(view.document.page.files.size())), ", ", format_bytes(bytes), "</dd></div>");
  if (hidden > 0) out.add("<div><dt>Hidden by policy</dt><dd>", counted(hidden, "file", "files"), "</dd></div>");
  const Html overlays = overlays_over(site, index.name, view);
  if (!overlays.empty()) out.add("<div><dt>Also through</dt><dd>", overlays, "</dd></div>");
  const auto row = site.pages.find(index.name, view.document.page.name);
  if (row && row->fetched_ms > 0) {
    out.add("<div><dt>Asked upstream</dt><dd>", time_of(row->fetched_ms), "</dd></div>");
  }
  if (row && row->serial > 0) out.add("<div><dt>Upstream serial</dt><dd>", row->serial, "</dd></div>");
  return out.add("</dl>\n");
}

Html versions(const std::vector<Release>& releases, const ProjectView& view, int64_t page) {
  const auto count = static_cast<int64_t>(releases.size());
  Html out("<h2>Versions</h2>\n");
  if (count == 0) out.add("<p class=\"soft\">It has no files.</p>\n");
  for (int64_t i = (page - 1) * kReleasesPerPage; i < std::min(count, page * kReleasesPerPage); ++i) {
    out.add(release_markup(releases[static_cast<size_t>(i)], view, i % kReleasesPerPage == 0));
  }
  return out.add(pager(page, (count + kReleasesPerPage - 1) / kReleasesPerPage));
}

Html apps(SiteService& site, const std::string& project, const std::string& root) {
  const auto uses = site.app_uses.get(site.catalog.generation(),
                                      [&] { return find_app_uses(site.catalog, site.registry, site.blobs); });
  Html out("<h2>Apps that have it</h2>\n");
  const auto found = uses->by_package.find(project);
  if (found == uses->by_package.end()) {
    out.add("<p class=\"soft\">None of the newest artifacts of ", counted(uses->artifacts, "app", "apps"), ".</p>\n");
  } else {
    out.add("<ul class=\"found\">\n");
    size_t shown = 0;
    for (const AppUse& use : found->second) {
      if (++shown > kAppsShown) break;
      out.add("<li><a href=\"", root, "ui/artifacts/", use.repository, "\">", use.repository, "</a> <span>", use.tag,
              "</span> <span class=\"soft\">has ", project, " ", use.version, "</span></li>\n");
    }
    out.add("</ul>\n");
    const auto more = static_cast<int64_t>(found->second.size()) - static_cast<int64_t>(kAppsShown);
    if (more > 0) out.add("<p class=\"soft\">And ", grouped(more), " more.</p>\n");
  }
  if (!uses->all) out.add("<p class=\"soft\">There are more apps than are looked at for this.</p>\n");
  return out;
}

ServerResponse unknown_project(const ServerRequest& request, const IndexConfig& index, const std::string& project) {
  Html advice;
  if (index.mode == "pull-through" && !index.frozen) {
    advice.add("<p>An index that pulls through knows a project once somebody has asked for it: <a href=\"",
               root_of(request), index.name, "/simple/", project, "/\">ask for it</a>.</p>\n");
  }
  return nothing_here(request, "The index " + index.name + " lists no project " + project + ".", advice);
}

}  // namespace

ServerResponse project_page(SiteService& site, const ServerRequest& request) {
  const IndexConfig* index = find_index(site.config, request.captures.at(0));
  if (index == nullptr) return nothing_here(request, "There is no such index.");
  const std::string& asked = request.captures.at(1);
  if (!resolver::is_valid_name(asked)) return nothing_here(request, "That is no name of a project.");
  const std::string project = resolver::normalize_name(asked);
  if (index->overlay.is_overlay()) return overlay_project_page(site, request, *index, project);
  const auto stored = site.pages.document(index->name, project);
  if (!stored) return unknown_project(request, *index, project);

  ProjectView view{.document = *stored,
                   .policy = site.policies.of(index->name, project).policy,
                   .barred = site.policies.overlays().bar(index->name, project),
                   .now_ms = site.policies.now_ms(),
                   .root = root_of(request)};
  view.document.page.name = project;
  site.pages.fill_in_what_was_learned(view.document.page);
  const std::vector<Release> releases =
      releases_of(view.document.page, [&](const resolver::IndexFile& file) { return view.verdict(file).admitted; });
  const std::string& title = view.document.display_name.empty() ? project : view.document.display_name;
  const Release* newest = default_release(releases);
  Html body("<h1>", title);
  if (newest != nullptr && !newest->version.empty()) body.add(" <span class=\"soft\">", newest->version, "</span>");
  body.add("</h1>\n", status_note(view.document.page), barred_note(view),
           facts(site, *index, view, static_cast<int64_t>(releases.size())),
           install_lines(origin_of(request), index->name, project), versions(releases, view, page_number(request)),
           "<p><a href=\"", view.root, index->name, "/simple/", project,
           "/\">All files as installers see them</a></p>\n", apps(site, project, view.root));
  return answer(request,
                {.title = title + " · " + index->name + " · dae mirror", .search = "", .body = std::move(body)});
}

}  // namespace dae::mirror
