#include "mirror/sync/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "base/clock.h"
#include "base/strings.h"
#include "base/table.h"

namespace dae::mirror::sync {
namespace {

constexpr size_t kShownProjects = 200;

std::string plural(size_t n, const char* one, const char* many) {
  return fmt::format("{} {}", n, n == 1 ? one : many);
}

Value to_value(const ProjectReport& project) {
  return Value::object({{"project", project.project},
                        {"what", project.what},
                        {"files", project.files},
                        {"bytes", project.bytes},
                        {"files_of_unknown_size", project.unknown_sizes},
                        {"files_gone", Value::strings(project.gone)}});
}

std::string render_projects(const SyncReport& report) {
  if (report.projects.empty()) return "";
  Table table({"", "PROJECT", "FILES", "SIZE", "GONE"}, {Align::left, Align::left, Align::right, Align::right});
  size_t shown = 0;
  for (const ProjectReport& project : report.projects) {
    if (++shown > kShownProjects) break;
    table.add({project.what, project.project, project.files == 0 ? "" : std::to_string(project.files),
               project.files == 0 ? "" : format_bytes(project.bytes) + (project.unknown_sizes > 0 ? " and more" : ""),
               project.gone.size() > 3 ? plural(project.gone.size(), "file", "files") : join(project.gone, " ")});
  }
  std::string out = table.render();
  const size_t all = report.new_projects + report.changed + report.removed;
  if (all > kShownProjects) out += fmt::format("and {} more\n", all - kShownProjects);
  return out + "\n";
}

}  // namespace

void SyncReport::add(ProjectReport project) {
  files += project.files;
  bytes += project.bytes;
  unknown_sizes += project.unknown_sizes;
  gone += project.gone.size();
  if (project.what == "new") ++new_projects;
  if (project.what == "changed") ++changed;
  if (project.what == "removed") ++removed;
  const bool is_listed = lists_projects && project.what != "unchanged" && projects.size() < kMostProjects;
  if (is_listed) projects.push_back(std::move(project));
}

void SyncReport::sort() {
  std::ranges::sort(projects, {}, &ProjectReport::project);
  std::ranges::sort(failures, {}, [](const Failure& failure) { return std::tie(failure.project, failure.file); });
}

Value counts_of(const SyncReport& report) {
  return Value::object({{"index", report.index},
                        {"upstream", report.upstream},
                        {"plan", report.plan},
                        {"by_serials", report.by_serials},
                        {"interrupted", report.interrupted},
                        {"listed", report.listed},
                        {"unchanged", report.unchanged},
                        {"new", report.new_projects},
                        {"changed", report.changed},
                        {"removed", report.removed},
                        {"files", report.files},
                        {"bytes", report.bytes},
                        {"files_of_unknown_size", report.unknown_sizes},
                        {"files_gone", report.gone},
                        {"files_left_out", report.left_out},
                        {"duration_ms", report.duration_ms}});
}

Value to_value(const SyncReport& report) {
  Value projects = Value::array(), failures = Value::array();
  for (const ProjectReport& project : report.projects) projects.push_back(to_value(project));
  for (const Failure& failure : report.failures) {
    failures.push_back(Value::object({{"project", failure.project}, {"file", failure.file}, {"why", failure.why}}));
  }
  Value out = counts_of(report);
  out.set("projects", std::move(projects));
  out.set("failures", std::move(failures));
  return out;
}

std::string render(const SyncReport& report) {
  std::string out = report.plan ? render_projects(report) : "";
  out += fmt::format("{}: {}{}\n", report.index, report.plan ? "would sync " : "", summary(report));
  for (const Failure& failure : report.failures) {
    out += fmt::format("failed: {}{}{}: {}\n", failure.project, failure.file.empty() ? "" : " ", failure.file,
                       failure.why);
  }
  return out;
}

std::string summary(const SyncReport& report) {
  std::string out = fmt::format("{} new, {} changed, {} removed, {} unchanged; {}, {}{}", report.new_projects,
                                report.changed, report.removed, report.unchanged, plural(report.files, "file", "files"),
                                format_bytes(report.bytes), report.unknown_sizes > 0 ? " and more" : "");
  if (report.gone > 0) out += "; " + plural(report.gone, "file", "files") + " gone";
  if (report.left_out > 0) out += fmt::format("; {} left out by the filter", plural(report.left_out, "file", "files"));
  if (!report.failures.empty()) out += fmt::format("; {} failed", report.failures.size());
  if (report.interrupted) out += "; interrupted";
  return out;
}

}  // namespace dae::mirror::sync
