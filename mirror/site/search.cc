// Names of all indexes: the very name first, then those that begin with what was asked for, then those that have it
// inside.
#include <algorithm>
#include <map>

#include "mirror/site/frame.h"
#include "mirror/site/site.h"
#include "resolver/standards/names.h"

namespace dae::mirror {
namespace {

constexpr int64_t kPerPage = 50;
constexpr size_t kLongestQuery = 100;

// One page out of the joined lists of all indexes.
struct Slice {
  int64_t skip = 0;
  int64_t room = kPerPage;
  std::vector<std::pair<std::string, std::string>> found;  // index, name
  void add(const std::string& index, std::string_view name) {
    if (skip > 0) {
      --skip;
    } else if (room > 0) {
      --room;
      found.emplace_back(index, name);
    }
  }
};

using Lists = std::map<std::string, const NameList*>;

// Of all indexes, or of the one that is named: of an overlay's members.
Lists lists_of(const Survey& survey, const std::string& only, const std::vector<std::string>& members) {
  Lists lists;
  for (const auto& [index, names] : survey.names) {
    if (only.empty() || std::ranges::find(members, index) != members.end()) lists.emplace(index, &names);
  }
  return lists;
}

// How many there are.
int64_t collect(const Lists& lists, const std::string& wanted, Slice& slice) {
  int64_t count = 0;
  for (const auto& [index, names] : lists) {
    if (wanted.empty() || !names->has(wanted)) continue;
    ++count;
    slice.add(index, wanted);
  }
  for (const auto& [index, names] : lists) {
    auto [first, last] = names->with_prefix(wanted);
    if (!wanted.empty() && first < last && names->at(first) == wanted) ++first;
    count += static_cast<int64_t>(last - first);
    const auto skipped = static_cast<size_t>(std::min<int64_t>(slice.skip, static_cast<int64_t>(last - first)));
    slice.skip -= static_cast<int64_t>(skipped);
    for (size_t i = first + skipped; i < last && slice.room > 0; ++i) slice.add(index, names->at(i));
  }
  for (const auto& [index, names] : lists) {
    for (const uint32_t position : names->with_inside(wanted)) {
      ++count;
      slice.add(index, names->at(position));
    }
  }
  return count;
}

// A name in whatever spelling; parts of names may begin and end with what no name does.
std::string normal_form(std::string_view query) {
  std::string out = resolver::normalize_name(query.substr(0, kLongestQuery));
  std::erase_if(out, [](char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; });
  return out;
}

}  // namespace

ServerResponse search_page(SiteService& site, const ServerRequest& request) {
  const std::string query = request.query_value("q").substr(0, kLongestQuery);
  const std::string wanted = normal_form(query);
  const int64_t page = page_number(request);
  const auto survey = site.surveys.get(site.catalog.generation(), [&] { return mirror::survey(site.catalog); });
  Slice slice{.skip = (page - 1) * kPerPage, .room = kPerPage, .found = {}};
  const std::string only = request.query_value("index");
  const int64_t count = collect(lists_of(*survey, only, site.policies.overlays().members(only)), wanted, slice);

  Html body("<h1>Packages</h1>\n");
  if (!only.empty()) {
    body.add("<p>Of the index ", only, " alone. <a href=\"?q=", percent_encode(query), "\">Of all indexes</a></p>\n");
  }
  body.add("<p role=\"status\">");
  if (count == 0) {
    body.add("No name here has “", query,
             "” in it.</p>\n<p class=\"soft\">An index that pulls through knows the projects "
             "that somebody asked for.</p>\n");
  } else if (wanted.empty()) {
    body.add(counted(count, "project", "projects"), "</p>\n");
  } else {
    body.add(counted(count, "name has “", "names have “"), query, "” in them</p>\n");
  }
  const std::string address = "q=" + percent_encode(query) + (only.empty() ? "" : "&index=" + percent_encode(only));
  if (count > 0 && slice.found.empty()) body.add("<p>There are fewer pages than that.</p>\n");
  if (!slice.found.empty()) {
    body.add("<ul class=\"found\">\n");
    for (const auto& [index, name] : slice.found) {
      body.add("<li><a href=\"", index, "/", name, "\">", name, "</a> <span class=\"soft\">in ", index,
               "</span></li>\n");
    }
    body.add("</ul>\n", pager(page, (count + kPerPage - 1) / kPerPage, address));
  }
  const std::string title = query.empty() ? "Packages · dae mirror" : query + " · dae mirror";
  return answer(request, {.title = title, .search = query, .body = std::move(body)});
}

}  // namespace dae::mirror
