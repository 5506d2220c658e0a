// dae audit: what is known against the packages of a lock or an environment.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/strings.h"
#include "cli/app_environment.h"
#include "cli/audit_view.h"
#include "cli/commands/commands.h"
#include "cli/pinning.h"
#include "cli/user_config.h"
#include "resolver/audit/feed.h"
#include "resolver/audit/feed_download.h"
#include "resolver/audit/installed.h"

namespace dae::cli {
namespace {

struct Options {
  PinOptions pin;
  std::string lock, level = "any", format;
  std::vector<std::string> feeds, ignores;
  bool environment = false, keep_going = false, suggest = false;
};

// Whom the packages belong to, as far as there is an app around them.
struct Subject {
  std::vector<resolver::AuditPackage> packages;
  std::vector<resolver::AuditIgnore> ignores;
  std::string label, text;
};

std::vector<std::string> words(const std::string& text) {
  std::vector<std::string> out;
  for (const std::string& word : split(replace_all(text, "\n", " "), ' '))
    if (!word.empty()) out.push_back(word);
  return out;
}

std::vector<std::string> feeds_of(const Options& options) {
  if (!options.feeds.empty()) return options.feeds;
  if (const auto feeds = env_var("DAE_AUDIT_FEED")) return words(*feeds);
  std::vector<std::string> feeds = read_user_config().audit_feeds;
  if (feeds.empty())
    throw Error(
        ErrorKind::usage, "no feed of advisories is named", "",
        "`--feed FILE|FOLDER|ZIP|URL`, DAE_AUDIT_FEED, or `audit: {feeds: […]}` in " + user_config_file().string());
  return feeds;
}

std::vector<resolver::AuditPackage> packages_of(const resolver::Lock& lock) {
  std::vector<resolver::AuditPackage> out;
  for (const auto& package : lock.packages) out.push_back({package.name, package.version});
  // What builds run with is code that runs, too.
  for (const auto& package : lock.build_packages)
    if (!package.version.empty()) out.push_back({package.name, package.version});
  return out;
}

// What the project next to the lock has decided; none when there is none.
std::vector<resolver::AuditIgnore> ignores_beside(const Path& dir) {
  if (!exists(dir / "pyproject.toml")) return {};
  try {
    return resolver::read_project(dir).settings.audit_ignores;
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::not_found) return {};
    throw;
  }
}

Path lock_to_check(const Options& options) {
  if (!options.lock.empty()) return std::filesystem::absolute(options.lock);
  const Path here = std::filesystem::current_path() / "pylock.toml";
  if (exists(here)) return here;
  const Path path = lock_path(builder::find_app_file(std::filesystem::current_path()));
  if (!exists(path))
    throw Error(ErrorKind::usage, "there is no pylock.toml", path.parent_path().string(), "run `dae install`");
  return path;
}

Subject subject_of(const Options& options) {
  Subject out;
  if (options.environment) {
    if (!options.lock.empty()) throw Error(ErrorKind::usage, "`--environment` checks .venv, not a lock", options.lock);
    const builder::AppFile app = builder::find_app_file(std::filesystem::current_path());
    out.packages = resolver::installed_packages(environment_path(app));
    out.ignores = ignores_beside(app.dir);
    out.label = environment_path(app).filename().string();
  } else {
    const Path path = lock_to_check(options);
    out.text = read_file(path);
    out.packages = packages_of(resolver::parse_lock(out.text, path.filename().string()));
    out.ignores = ignores_beside(path.parent_path());
    out.label = path.filename().string();
  }
  for (const std::string& id : options.ignores) out.ignores.push_back({id, "asked for", "", "--ignore"});
  return out;
}

// One feed: fetched if it has to be, read whole, or an Error.
AuditFeedShown read_one(const std::string& feed, const Options& options, Context& context, resolver::Audit& audit) {
  AuditFeedShown out{feed, 0, std::nullopt, {}};
  resolver::DownloadedFeed fetched{feed, feed, 0, false, [] {}};
  if (resolver::is_feed_url(feed)) {
    fetched = resolver::download_feed(feed, {context.transport(), context.blobs(), context.credentials(), context.clock,
                                             *context.events, cache_dir(), context.globals.offline});
    out.label = fetched.label;
    if (fetched.from_cache) out.age_ms = std::max<int64_t>(0, context.clock.wall_ms() - fetched.checked_ms);
  }
  const resolver::FeedReport report =
      resolver::read_feed(fetched.file, out.label, {audit.wanted(), options.keep_going},
                          [&](resolver::Advisory advisory) { audit.add(std::move(advisory)); });
  fetched.keep();
  out.records = report.of_python;
  for (const Error& error : report.skipped) out.skipped.push_back(error.what());
  return out;
}

// Lines of the project itself that exclude every fixed version.
std::vector<std::string> direct_holders(const resolver::ProjectFile& project, const resolver::Finding& finding) {
  std::vector<std::string> out;
  const auto look = [&](const std::vector<resolver::RootRequirement>& roots) {
    for (const auto& root : roots) {
      if (root.requirement.key != finding.package) continue;
      const auto allows = [&](const std::string& fix) {
        return root.requirement.specifiers.contains(resolver::Version::parse(fix));
      };
      if (std::ranges::none_of(finding.fixed_in, allows))
        out.push_back(fmt::format("{} ({})", root.origin, root.requirement.text()));
    }
  };
  look(project.requirements);
  look(project.constraints);
  for (const auto& [name, roots] : project.extras) look(roots);
  for (const auto& [name, roots] : project.groups) look(roots);
  return out;
}

// A dry run of `dae install -P NAME`, once for each package.
void suggest(const Options& options, Context& context, const resolver::Audit& audit, AuditReport& report) {
  const builder::AppFile app = builder::find_app_file(std::filesystem::current_path());
  const resolver::Interpreter python = interpreter_for(context, app, options.pin.python);
  const resolver::ProjectFile project = resolver::read_project(app.dir);
  const PinSubject subject = subject_of_app(app, project, python);
  std::map<std::string, std::string> tried;
  for (size_t i = 0; i < report.findings.size(); ++i) {
    const resolver::Finding& finding = report.findings[i];
    if (!report.counts(finding) || finding.malware || finding.fixed_in.empty()) continue;
    if (!tried.contains(finding.package)) {
      PinOptions pinning = options.pin;
      pinning.upgrade_packages = {finding.package};
      pinning.no_builds = true;
      const Pinned pinned = pin(context, subject, pinning, &python);
      std::string& version = tried[finding.package];
      if (pinned.no_solution() == nullptr)
        for (const auto& package : pinned.lock().packages)
          if (package.name == finding.package) version = package.version;
    }
    AuditSuggestion suggestion{tried[finding.package], false, {}};
    suggestion.fixes = !suggestion.version.empty() && !audit.still_holds(finding, suggestion.version);
    if (!suggestion.fixes) suggestion.held_by = direct_holders(project, finding);
    report.suggestions[i] = std::move(suggestion);
  }
}

void say_suggestions(Context& context, const AuditReport& report) {
  std::set<std::string> said;
  for (size_t i = 0; i < report.findings.size(); ++i) {
    const auto& suggestion = report.suggestions[i];
    const resolver::Finding& finding = report.findings[i];
    if (!suggestion) continue;
    std::string line;
    if (suggestion->fixes) {
      line = fmt::format("`dae install -P {}` takes {} {} to {}", finding.package, finding.package, finding.version,
                         suggestion->version);
    } else {
      line = fmt::format("`dae install -P {}` reaches no fixed version", finding.package);
      line += suggestion->held_by.empty() ? fmt::format(": it stays at {}", suggestion->version)
                                          : ": " + join(suggestion->held_by, ", ");
    }
    if (said.insert(line).second) context.say(line);
  }
}

std::vector<std::string> unused_ignores(const Subject& subject, const std::vector<resolver::Finding>& findings) {
  std::vector<std::string> out;
  for (const auto& ignore : subject.ignores) {
    const bool used = std::ranges::any_of(findings, [&](const resolver::Finding& finding) {
      const auto same = [&](const std::string& id) { return iequals(id, ignore.id); };
      return std::ranges::any_of(finding.ids, same) || std::ranges::any_of(finding.aliases, same);
    });
    if (!used) out.push_back(ignore.id);
  }
  return out;
}

void say_notes(Context& context, const AuditReport& report) {
  EventSink& events = *context.events;
  for (const AuditFeedShown& feed : report.feeds) {
    for (const std::string& text : feed.skipped) warning(events, "skipped: " + text);
    if (feed.age_ms)
      warning(events, fmt::format("{} was fetched {} ago and not asked again (`--offline`)", feed.label,
                                  format_duration(*feed.age_ms)));
  }
  for (const auto& package : report.unchecked)
    warning(events, fmt::format("`{}` has no version and was not checked", package.name));
  for (const resolver::Finding& finding : report.findings) {
    const std::string what = fmt::format("{} of {} {}", finding.ids.front(), finding.package, finding.version);
    if (finding.expired)
      warning(events, fmt::format("{} was ignored until {} and counts again: {} ({})", what, finding.expired->until,
                                  finding.expired->reason, finding.expired->origin));
    if (finding.ignored)
      note(events, fmt::format("ignored: {}{}: {} ({})", what,
                               finding.ignored->until.empty() ? "" : " until " + finding.ignored->until,
                               finding.ignored->reason, finding.ignored->origin));
    if (!finding.unreadable.empty())
      note(events, fmt::format("{}: `{}` is no version, so the range it ends counts as affected", what,
                               one_line(finding.unreadable.front(), 60)));
  }
  for (const std::string& id : report.unused_ignores) note(events, fmt::format("`{}` is ignored and not found", id));
}

std::string summary_line(const AuditReport& report) {
  size_t advisories = 0;
  for (const AuditFeedShown& feed : report.feeds) advisories += feed.records;
  const auto counting = std::ranges::count_if(report.findings, [&](const auto& f) { return report.counts(f); });
  const std::string against =
      fmt::format("{} packages of {} against {} advisories", report.checked, report.subject, advisories);
  if (counting == 0) return fmt::format("nothing is known against {}", against);
  return fmt::format("{} {} ({})", counting, counting == 1 ? "finding" : "findings", against);
}

int run(const Options& options, Context& context) {
  const std::vector<std::string> feeds = feeds_of(options);
  const Subject subject = subject_of(options);
  resolver::Audit audit(subject.packages);
  AuditReport report;
  report.subject = subject.label;
  report.text = subject.text;
  if (options.level != "any") report.level = resolver::severity_from_word(options.level);
  for (const std::string& feed : feeds) report.feeds.push_back(read_one(feed, options, context, audit));
  report.findings = audit.findings(subject.ignores, context.clock.wall_ms());
  report.suggestions.resize(report.findings.size());
  report.checked = audit.checked();
  report.withdrawn = audit.withdrawn();
  report.unchecked = audit.unchecked();
  report.unused_ignores = unused_ignores(subject, report.findings);
  if (options.suggest) suggest(options, context, audit, report);

  say_notes(context, report);
  if (options.format == "sarif") {
    context.print_json(audit_sarif(report));
  } else if (context.globals.json || options.format == "json") {
    context.print_json(audit_json(report));
  } else {
    context.print(audit_table(report));
    say_suggestions(context, report);
  }
  const bool malware = std::ranges::any_of(report.findings, &resolver::Finding::malware);
  context.say(summary_line(report));
  if (malware)
    context.say("malware runs when it is installed: take it out, and hold machines that had it for compromised");
  return report.failed() ? 1 : 0;
}

}  // namespace

Command audit_command() {
  return {"audit", "check the lock against feeds of security advisories", "App", [](CommandLine& line) -> Action {
            auto options = std::make_shared<Options>();
            line.positional("LOCK", options->lock, "lock file to check (default: that of the app)", false);
            line.list("--feed", options->feeds, "OSV feed: a document, a folder, a zip, or an address");
            line.flag("--environment", options->environment, "check what is in .venv instead");
            line.choice("--level", options->level, {"any", "low", "medium", "high", "critical"},
                        "findings below do not fail (malware and what nobody rated always do)");
            line.list("--ignore", options->ignores, "live with this advisory, by its id or an alias");
            line.flag("--keep-going", options->keep_going, "skip advisories that cannot be read, with a warning");
            line.flag("--suggest", options->suggest, "say whether an upgrade of the package would reach a fix");
            line.choice("--format", options->format, {"text", "json", "sarif"}, "what is printed");
            line.option("-p,--python", options->pin.python, "with --suggest: interpreter, a path or a version");
            line.option("--index", options->pin.index, "with --suggest: simple index to use (a URL, or `pip`)");
            line.details(
                "Exit code 1 when there are findings. Feeds that nobody names with --feed come from DAE_AUDIT_FEED\n"
                "(separated by blanks), else from `audit: {feeds: […]}` in config.yaml. What a project lives with,\n"
                "why and how long, stands in its pyproject.toml:\n\n"
                "  [tool.dae.audit]\n"
                "  ignore = [{id = \"CVE-2026-1234\", reason = \"not reachable\", until = \"2026-12-31\"}]\n\n"
                "  dae audit --feed advisories.zip --level high      in CI\n"
                "  dae audit --format sarif > audit.sarif            for a code scanner");
            return [options](Context& context) { return run(*options, context); };
          }};
}

}  // namespace dae::cli
