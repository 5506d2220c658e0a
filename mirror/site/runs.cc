// What sync, verify and gc did, newest first.
#include "mirror/site/runs.h"

#include <algorithm>

#include "base/error.h"
#include "base/value.h"
#include "mirror/site/frame.h"

namespace dae::mirror {
namespace {

constexpr int64_t kRunsPerPage = 50;
constexpr size_t kCountsShown = 20;

struct ShownRun {
  std::string kind, index, result, counts;
  int64_t started_ms = 0, ended_ms = 0;  // ended 0: it has not
};

std::vector<ShownRun> read_runs(Catalog& catalog, const char* what, int64_t limit, int64_t offset) {
  return catalog.read([&](Database& db) {
    std::vector<ShownRun> out;
    Statement rows = db.prepare("SELECT kind, index_name, result, counts, started_ms, ifnull(ended_ms, 0) FROM runs " +
                                std::string(what) + " LIMIT ? OFFSET ?");
    rows.bind(1, limit).bind(2, offset);
    while (rows.step()) {
      out.push_back({rows.text(0), rows.text(1), rows.text(2), rows.text(3), rows.integer(4), rows.integer(5)});
    }
    return out;
  });
}

int64_t count_runs(Catalog& catalog) {
  return catalog.read([](Database& db) {
    Statement row = db.prepare("SELECT count(*) FROM runs");
    row.step();
    return row.integer(0);
  });
}

// {"added": 3, "removed": 0} as "added 3".
Html counts_of(const std::string& json) {
  Html out;
  try {
    const Value counts = parse_json(json, "runs.counts").root;
    size_t shown = 0;
    for (const auto& [name, value] : counts.as_object()) {
      if (!value.is_integer() || value.as_integer() == 0 || ++shown > kCountsShown) continue;
      if (!out.empty()) out.add(", ");
      std::string words = name;
      std::ranges::replace(words, '_', ' ');
      out.add(words, " ", grouped(value.as_integer()));
    }
  } catch (const Error&) {
    return Html(json.substr(0, 200));
  }
  return out;
}

Html result_of(const ShownRun& run) {
  if (run.ended_ms == 0) return Html("<span class=\"badge warn\">not ended</span>");
  if (run.result == "done") return Html("<span class=\"badge good\">done</span>");
  return Html("<span class=\"badge bad\">", run.result, "</span>");
}

Html table_of(const std::vector<ShownRun>& runs) {
  Html rows;
  for (const ShownRun& run : runs) {
    rows.add("<tr><th scope=\"row\">", run.kind, "</th><td>", run.index, "</td><td>", time_of(run.started_ms),
             "</td><td class=\"n\">", run.ended_ms == 0 ? "–" : format_duration(run.ended_ms - run.started_ms),
             "</td><td>", result_of(run), "</td><td>", counts_of(run.counts), "</td></tr>\n");
  }
  return Html(
      "<div class=\"scroll\" role=\"region\" aria-label=\"Runs\" tabindex=\"0\"><table>\n<thead><tr>"
      "<th scope=\"col\">Run</th><th scope=\"col\">Index</th><th scope=\"col\">Started</th>"
      "<th scope=\"col\" class=\"n\">Took</th><th scope=\"col\">Result</th><th scope=\"col\">Counts</th></tr></thead>\n"
      "<tbody>\n",
      rows, "</tbody></table></div>\n");
}

}  // namespace

Html last_run_table(SiteService& site) {
  const std::vector<ShownRun> runs =
      read_runs(site.catalog,
                "WHERE id IN (SELECT max(id) FROM runs GROUP BY kind, index_name) ORDER BY kind, index_name", 100, 0);
  if (runs.empty()) return Html("<p class=\"soft\">Neither sync, verify nor gc has run here.</p>\n");
  return Html(table_of(runs), "<p><a href=\"ui/runs\">All runs</a></p>\n");
}

ServerResponse runs_page(SiteService& site, const ServerRequest& request) {
  const int64_t count = count_runs(site.catalog), page = page_number(request);
  const int64_t pages = (count + kRunsPerPage - 1) / kRunsPerPage;
  const std::vector<ShownRun> runs =
      read_runs(site.catalog, "ORDER BY id DESC", kRunsPerPage, (page - 1) * kRunsPerPage);
  Html body("<h1>Runs</h1>\n");
  if (runs.empty()) {
    body.add(count == 0 ? Html("<p class=\"soft\">Neither sync, verify nor gc has run here.</p>\n")
                        : Html("<p>There are only ", pages, " pages of runs.</p>\n"));
  } else {
    body.add(table_of(runs), pager(page, pages));
  }
  return answer(request, {.title = "Runs · dae mirror", .search = "", .body = std::move(body)});
}

}  // namespace dae::mirror
