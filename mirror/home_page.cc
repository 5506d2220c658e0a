#include "mirror/home_page.h"

#include <fmt/format.h>

#include <map>

#include "base/log.h"
#include "base/strings.h"

namespace dae::mirror {
namespace {

constexpr const char* kHead = R"html(<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>dae mirror</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:48rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse}td,th{text-align:left;padding:.2rem 1.5rem .2rem 0}td.n{text-align:right}</style>
</head><body>
<h1>dae mirror</h1>
)html";

std::string index_rows(const MirrorConfig& config, PageStore& pages) {
  std::map<std::string, ProjectCount> counts;
  for (const ProjectCount& count : pages.counts()) counts[count.index] = count;
  std::string rows;
  for (const IndexConfig& index : config.indexes) {
    const ProjectCount& count = counts[index.name];
    rows += fmt::format(
        "<tr><td><a href=\"{0}/simple/\">{0}</a></td><td>{1}</td><td class=n>{2}</td><td class=n>{3}</td></tr>\n",
        html_escape(index.name), html_escape(redact_url(index.upstream)), count.projects, count.files);
  }
  return rows;
}

std::string repository_rows(RegistryStore& registry) {
  std::string rows;
  for (const RepositoryCount& count : registry.counts()) {
    rows +=
        fmt::format("<tr><td><a href=\"v2/{0}/tags/list\">{0}</a></td><td class=n>{1}</td><td class=n>{2}</td></tr>\n",
                    html_escape(count.repository), count.manifests, count.tags);
  }
  return rows.empty() ? "<tr><td colspan=3>none yet</td></tr>\n" : rows;
}

}  // namespace

std::string render_home_page(const MirrorConfig& config, PageStore& pages, RegistryStore& registry) {
  return kHead +
         ("<h2>Package indexes</h2>\n<table><tr><th>index<th>upstream<th>projects known<th>files listed</tr>\n" +
          index_rows(config, pages)) +
         "</table>\n<h2>Artifacts</h2>\n<table><tr><th>repository<th>manifests<th>tags</tr>\n" +
         repository_rows(registry) +
         "</table>\n<p><a href=\"healthz\">health</a> · <a href=\"metrics\">metrics</a></p>\n</body></html>\n";
}

}  // namespace dae::mirror
