// `dae mirror explain NAME`.
#include <fmt/format.h>

#include <set>

#include "base/error.h"
#include "base/table.h"
#include "mirror/index/page_store.h"
#include "mirror/policy/policies.h"
#include "mirror/storage/storage.h"
#include "mirror/sync/run.h"
#include "mirror/sync/settings.h"
#include "resolver/standards/names.h"

namespace dae::mirror::sync {

Explanation explain_project(const MirrorConfig& config, const IndexConfig& index, const std::string& project,
                            Transport& transport, ProcessRunner& runner, Clock& clock) {
  if (!index.sync) throw Error(ErrorKind::usage, "`" + index.name + "` is no index of mode `sync`: it takes all");
  if (!resolver::is_valid_name(project)) throw Error(ErrorKind::usage, "`" + project + "` is no name of a project");
  const Selector selector(complete_filter(*index.sync));
  Explanation out;
  out.index = index.name;
  out.project = resolver::normalize_name(project);
  std::set<std::pair<std::string, std::string>> listed;
  std::unique_ptr<Storage> storage;
  std::optional<Catalog> nothing;
  if (config.shared || exists(config.storage / "catalog.db")) {
    storage = open_storage(config, clock);
  } else {
    nothing.emplace(":memory:");
  }
  PageStore pages(storage ? storage->catalog() : *nothing);
  if (const auto document = pages.document(index.name, out.project)) {
    out.listed_here = true;
    for (const resolver::IndexFile& one : document->page.files) listed.emplace(one.name, one.sha256);
  }
  Metrics metrics;
  Upstream upstream(index, config, transport, runner, metrics);
  out.upstream = upstream.shown_url();
  const Ruling whole = selector.project(out.project);
  out.rule = whole.rule;
  out.detail = whole.detail;
  if (std::string barred = overlays_of(config.indexes, pages).bar(index.name, out.project); !barred.empty()) {
    out.rule = "claims";
    out.detail = std::move(barred);
    return out;  // not even to explain it is an upstream asked for such a name
  }
  const UpstreamPage page = upstream.page(out.project, "", "", true);
  out.listed_upstream = page.kind == UpstreamPage::Kind::page;
  out.status = page.page.status;
  resolver::ProjectPage named = page.page;
  named.name = out.project;
  const std::vector<Ruling> rulings = selector.files(named, clock.wall_ms());
  for (size_t i = 0; i < rulings.size(); ++i) {
    const resolver::IndexFile& file = named.files[i];
    out.files.push_back(
        {file.name, rulings[i].rule, rulings[i].detail,
         listed.contains({file.name, Digest::is_valid(file.sha256) ? Digest::parse(file.sha256).hex() : ""})});
  }
  return out;
}

Value to_value(const Explanation& explanation) {
  Value files = Value::array();
  for (const Explanation::File& file : explanation.files) {
    files.push_back(Value::object({{"file", file.name},
                                   {"kept", file.rule.empty()},
                                   {"rule", file.rule},
                                   {"detail", file.detail},
                                   {"listed_here", file.listed_here}}));
  }
  return Value::object({{"index", explanation.index},
                        {"project", explanation.project},
                        {"upstream", explanation.upstream},
                        {"listed_upstream", explanation.listed_upstream},
                        {"listed_here", explanation.listed_here},
                        {"status", explanation.status},
                        {"rule", explanation.rule},
                        {"detail", explanation.detail},
                        {"files", std::move(files)}});
}

std::string render(const Explanation& explanation) {
  if (explanation.rule == "claims") {
    return fmt::format("{}: not taken into `{}`: {}\n", explanation.project, explanation.index, explanation.detail);
  }
  if (!explanation.listed_upstream) {
    return fmt::format("{}: not listed by {}{}\n", explanation.project, explanation.upstream,
                       explanation.listed_here ? "; the next sync removes it here" : "");
  }
  Table table({"FILE", "", "WHY", "HERE"});
  size_t kept = 0;
  for (const Explanation::File& file : explanation.files) {
    kept += file.rule.empty() ? 1 : 0;
    table.add({file.name, file.rule.empty() ? "kept" : "left out",
               file.rule.empty() ? "" : fmt::format("`{}`: {}", file.rule, file.detail),
               file.listed_here ? "yes" : "no"});
  }
  const std::string status = explanation.status.empty() ? "" : "; upstream calls it " + explanation.status;
  const std::string whole =
      explanation.rule.empty() ? "" : fmt::format("; `{}`: {}", explanation.rule, explanation.detail);
  return (table.empty() ? "" : table.render() + "\n") + fmt::format("{}: {} of {} files kept in `{}`{}{}\n",
                                                                    explanation.project, kept, explanation.files.size(),
                                                                    explanation.index, whole, status);
}

}  // namespace dae::mirror::sync
