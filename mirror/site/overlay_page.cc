// What a virtual index makes of a project: which of its members serves it, and why the others do not.
#include <algorithm>

#include "mirror/site/frame.h"
#include "mirror/site/install_lines.h"
#include "mirror/site/site.h"

namespace dae::mirror {
namespace {

struct Member {
  std::string name, barred;
  int64_t files = 0;
  bool has_it = false;
};

Member look_at(SiteService& site, const std::string& name, const std::string& project) {
  Member member{.name = name, .barred = site.policies.overlays().bar(name, project)};
  if (const auto document = site.pages.document(name, project)) {
    member.has_it = true;
    member.files = static_cast<int64_t>(document->page.files.size());
  }
  return member;
}

bool may_be_asked(const SiteService& site, const std::string& name) {
  const auto found = std::ranges::find(site.config.indexes, name, &IndexConfig::name);
  return found != site.config.indexes.end() && found->mode == "pull-through" && !found->frozen;
}

Html role_of(const SiteService& site, const Member& member, const std::string& served_by, bool merged) {
  if (!member.barred.empty()) return Html("<span class=\"badge bad\">barred</span> ", member.barred);
  if (!member.has_it) {
    return Html(may_be_asked(site, member.name)
                    ? std::string("not known; its upstream is asked when nobody before has it")
                    : std::string("does not have it"));
  }
  if (merged || served_by == member.name) return Html("<span class=\"badge good\">serves it</span>");
  return Html("hidden behind ", served_by);
}

}  // namespace

ServerResponse overlay_project_page(SiteService& site, const ServerRequest& request, const IndexConfig& index,
                                    const std::string& project) {
  const std::string root = root_of(request);
  const bool merged = site.policies.overlays().merges(index.name, project);
  std::vector<Member> members;
  std::string served_by;
  for (const std::string& name : index.overlay.members) {
    members.push_back(look_at(site, name, project));
    if (served_by.empty() && members.back().has_it && members.back().barred.empty()) served_by = name;
  }
  if (std::ranges::none_of(members, &Member::has_it)) {
    return nothing_here(request, "No member of the overlay " + index.name + " lists a project " + project + ".");
  }
  Html rows;
  for (const Member& member : members) {
    rows.add("<tr><th scope=\"row\">");
    if (member.has_it) {
      rows.add("<a href=\"", root, "ui/", member.name, "/", project, "\">", member.name, "</a>");
    } else {
      rows.add(member.name);
    }
    rows.add("</th><td class=\"n\">", grouped(member.files), "</td><td>", role_of(site, member, served_by, merged),
             "</td></tr>\n");
  }
  Html body("<h1>", project, "</h1>\n<p>", index.name, " is an overlay: ",
            merged ? Html("the files of all its members together make this project's page.")
                   : Html("the first of its members that has a project serves all of it."),
            "</p>\n<div class=\"scroll\" role=\"region\" aria-label=\"Members\" tabindex=\"0\"><table>\n<thead><tr>"
            "<th scope=\"col\">Member</th><th scope=\"col\" class=\"n\">Files</th><th scope=\"col\">Part</th></tr>"
            "</thead>\n<tbody>\n",
            rows, "</tbody></table></div>\n", install_lines(origin_of(request), index.name, project));
  return answer(request,
                {.title = project + " · " + index.name + " · dae mirror", .search = "", .body = std::move(body)});
}

}  // namespace dae::mirror
