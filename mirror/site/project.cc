#include <algorithm>

#include "base/log.h"
#include "base/strings.h"
#include "mirror/site/frame.h"
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

// What installers find at `origin`. A host that is neither this machine nor behind TLS has to be named once more to
// pip.
Html install_lines(const std::string& origin, const std::string& index, const std::string& project) {
  if (origin.empty()) return {};
  const std::string url = origin + "/" + index + "/simple/";
  std::string trusted;
  if (origin.starts_with("http://")) {
    const std::string host = parse_url(origin + "/").host;
    if (host != "localhost" && !host.starts_with("127.") && host != "[::1]") trusted = " --trusted-host " + host;
  }
  return Html(
      "<h2>Install</h2>\n<pre tabindex=\"0\" aria-label=\"Commands that install it\"><code>pip install --index-url ",
      url, trusted, " ", project, "\nuv pip install --index-url ", url, " ", project, "\ndae install --index ", url,
      " ", project, "</code></pre>\n");
}

Html status_note(const resolver::ProjectPage& page) {
  if (page.status.empty() || page.status == "active") return {};
  const bool bad = page.status == "quarantined";
  Html out(bad ? Html("<div class=\"note bad\">") : Html("<div class=\"note\">"));
  out.add("<strong class=\"badge ", bad ? std::string("bad") : std::string("warn"), "\">", page.status, "</strong>");
  if (!page.status_reason.empty()) out.add(" ", page.status_reason);
  return out.add("</div>\n");
}

Html facts(const IndexConfig& index, const std::optional<ProjectRow>& row, const ProjectDocument& document,
           size_t releases) {
  uint64_t bytes = 0;
  for (const resolver::IndexFile& file : document.page.files) bytes += file.size_bytes.value_or(0);
  Html out("<dl><div><dt>Index</dt><dd>", index.name, " (", index.mode, ")</dd></div><div><dt>Versions</dt><dd>",
           grouped(static_cast<int64_t>(releases)), "</dd></div><div><dt>Files</dt><dd>",
           grouped(static_cast<int64_t>(document.page.files.size())), ", ", format_bytes(bytes), "</dd></div>");
  if (row && row->fetched_ms > 0) {
    out.add("<div><dt>Asked upstream</dt><dd>", time_of(row->fetched_ms), "</dd></div>");
  }
  if (row && row->serial > 0) out.add("<div><dt>Upstream serial</dt><dd>", row->serial, "</dd></div>");
  return out.add("</dl>\n");
}

Html apps(SiteService& site, const std::string& project, const std::string& root) {
  const auto uses = site.app_uses.get(site.catalog.generation(),
                                      [&] { return find_app_uses(site.catalog, site.registry, site.blobs); });
  Html out("<h2>Apps that have it</h2>\n");
  const auto found = uses->by_package.find(project);
  if (found == uses->by_package.end()) {
    out.add("<p class=\"soft\">None of the newest artifacts of ", grouped(uses->artifacts), " apps.</p>\n");
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
  const auto stored = site.pages.document(index->name, project);
  if (!stored) return unknown_project(request, *index, project);
  ProjectDocument document = *stored;
  site.pages.fill_in_what_was_learned(document.page);

  const std::string root = root_of(request);
  const std::vector<Release> releases = releases_of(document.page);
  const int64_t page = page_number(request), count = static_cast<int64_t>(releases.size());
  const int64_t pages = (count + kReleasesPerPage - 1) / kReleasesPerPage;
  const std::string title = document.display_name.empty() ? project : document.display_name;
  const Release* newest = default_release(releases);
  Html body("<h1>", title);
  if (newest != nullptr && !newest->version.empty()) body.add(" <span class=\"soft\">", newest->version, "</span>");
  body.add("</h1>\n", status_note(document.page),
           facts(*index, site.pages.find(index->name, project), document, releases.size()),
           install_lines(origin_of(request), index->name, project), "<h2>Versions</h2>\n");
  if (count == 0) body.add("<p class=\"soft\">It has no files.</p>\n");
  for (int64_t i = (page - 1) * kReleasesPerPage; i < std::min(count, page * kReleasesPerPage); ++i) {
    body.add(release_markup(releases[static_cast<size_t>(i)], document, root, i == 0));
  }
  body.add(pager(page, pages), "<p><a href=\"", root, index->name, "/simple/", project,
           "/\">All files as installers see them</a></p>\n", apps(site, project, root));
  return answer(request,
                {.title = title + " · " + index->name + " · dae mirror", .search = "", .body = std::move(body)});
}

}  // namespace dae::mirror
