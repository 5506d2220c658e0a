#include "cli/pinning.h"

#include <fmt/format.h>

#include <map>

#include "base/blob_store.h"
#include "base/error.h"
#include "base/strings.h"
#include "resolver/install/environment.h"
#include "resolver/lock/conflict_markers.h"
#include "resolver/lock/import_pins.h"

namespace dae::cli {
namespace {

resolver::PrereleaseMode prerelease_mode(const std::string& text, resolver::PrereleaseMode otherwise) {
  if (text == "allow") return resolver::PrereleaseMode::allow;
  if (text == "disallow") return resolver::PrereleaseMode::disallow;
  return text == "if-necessary" ? resolver::PrereleaseMode::if_necessary : otherwise;
}

resolver::Selection selection_mode(const std::string& text, resolver::Selection otherwise) {
  if (text == "lowest") return resolver::Selection::lowest;
  if (text == "lowest-direct") return resolver::Selection::lowest_direct;
  return text == "highest" ? resolver::Selection::highest : otherwise;
}

std::map<std::string, std::string> versions_by_name(const resolver::Lock& lock) {
  std::map<std::string, std::string> out;
  for (const auto& package : lock.packages) {
    std::string& versions = out[package.name];
    if (!versions.empty()) versions += ", ";
    versions += package.version;
  }
  return out;
}

resolver::DirectOptions direct_options(Context& context, const PinSubject& subject, resolver::SourceBuilder* builder) {
  resolver::DirectOptions options;
  options.base_dir = subject.lock.parent_path();
  options.cache_dir = cache_dir();
  options.offline = context.globals.offline;
  if (builder != nullptr) options.build_metadata = resolver::source_metadata_builder(*builder);
  return options;
}

}  // namespace

void declare_pin_options(CommandLine& line, PinOptions& options) {
  line.flag("-U,--upgrade", options.upgrade, "forget the earlier pins");
  line.list("-P,--upgrade-package", options.upgrade_packages, "forget the pin of one package");
  line.flag("--locked", options.locked, "fail when the lock would change");
  line.option("-p,--python", options.python, "interpreter: a path or a version such as 3.11");
  line.option("--index", options.index, "simple index to use (a URL, or `pip`)");
  line.option("--exclude-newer", options.exclude_newer,
              "ignore what was uploaded later: a date, RFC 3339, or relative as `7 days`");
  line.choice("--prereleases", options.prereleases, {"if-necessary", "allow", "disallow"},
              "when pre-releases are chosen");
  line.choice("--selection", options.selection, {"highest", "lowest", "lowest-direct"}, "which versions are preferred");
  line.list("--import", options.import_from,
            "take pins over from a lock of another tool (poetry.lock, uv.lock, Pipfile.lock, requirements)");
  line.flag("--refresh", options.refresh, "ask the index again about every page");
  line.list("--refresh-package", options.refresh_packages, "ask the index again about the page of one package");
}

PinSubject subject_of_app(const builder::AppFile& app, resolver::ProjectFile project,
                          const resolver::Interpreter& python) {
  PinSubject subject;
  subject.requires_python = app.config.python.empty() ? project.requires_python : app.config.python;
  subject.project = std::move(project);
  subject.lock = app.dir / "pylock.toml";
  for (const auto& [python_version, platform] : app.config.targets)
    subject.targets.push_back(resolver::declared_target(python_version, platform));
  if (subject.targets.empty()) subject.targets.push_back(python.target());
  return subject;
}

resolver::LockRequest lock_request(const PinSubject& subject, const PinOptions* options) {
  const resolver::ProjectFile& project = subject.project;
  resolver::LockRequest request;
  request.requirements = project.requirements;
  for (const auto& [name, roots] : project.extras) {
    request.extras.push_back(name);
    request.requirements.insert(request.requirements.end(), roots.begin(), roots.end());
  }
  for (const auto& [name, roots] : project.groups) {
    request.groups.push_back(name);
    request.requirements.insert(request.requirements.end(), roots.begin(), roots.end());
  }
  for (const std::string& name : project.settings.default_groups)
    if (project.groups.contains(name)) request.default_groups.push_back(name);
  request.constraints = project.constraints;
  request.overrides = project.overrides;
  request.requires_python = subject.requires_python;
  request.targets = subject.targets;
  request.prereleases = project.settings.prereleases;
  request.selection = project.settings.selection;
  request.exclude_newer = project.settings.exclude_newer;
  request.no_binary = project.settings.no_binary;
  request.only_binary = project.settings.only_binary;
  request.index_rules = resolver::index_rules(project.settings);
  if (options != nullptr) {
    request.prereleases = prerelease_mode(options->prereleases, request.prereleases);
    request.selection = selection_mode(options->selection, request.selection);
    if (!options->exclude_newer.empty()) request.exclude_newer = options->exclude_newer;
    request.upgrade = options->upgrade_packages;
    if (options->upgrade) request.upgrade.push_back("*");
  }
  return request;
}

IndexSession open_index(Context& context, const PinSubject& subject, const PinOptions& options,
                        const resolver::Interpreter* python, const resolver::LockRequest* request) {
  IndexSession session;
  session.choice = choose_index(context, options.index, &subject.project);
  resolver::IndexOptions index = index_options(context, session.choice);
  index.refresh = options.refresh;
  index.refresh_packages = options.refresh_packages;
  Transport& transport = context.transport_for_index(session.choice.ca_file);
  if (python != nullptr) {
    BuildScope scope{*python, subject.lock.parent_path(), nullptr};
    scope.request = request != nullptr ? *request : lock_request(subject, &options);
    if (scope.request->previous) scope.lock = std::make_shared<resolver::Lock>(*scope.request->previous);
    scope.index = session.choice;
    session.builder = make_source_builder(context, std::move(scope), transport, context.blobs());
    index.build_tag = build_tag(*python, *context.build_sandbox());
    index.build_metadata = resolver::sdist_metadata_builder(*session.builder);
  }
  session.client = resolver::make_index_client(transport, index, *context.events);
  return session;
}

namespace {

// A lock of before, or of a machine that had wheels: it answers, but does not say what is built with what here.
void complete_builds(Context& context, const PinSubject& subject, const PinOptions& options,
                     const resolver::Interpreter* python, const resolver::LockRequest& request, Pinned& pinned) {
  resolver::Lock& lock = std::get<resolver::LockOutcome>(pinned.outcome).lock;
  if (python == nullptr || resolver::builds_are_locked(lock, python->target())) return;
  const IndexSession index = open_index(context, subject, options, python, &request);
  resolver::lock_builds(lock, *index.builder);
  const std::string text = resolver::render_lock(lock);
  if (text == resolver::render_lock(*pinned.previous)) return;
  pinned.current = false;
  pinned.text = text;
  pinned.lock_changed = true;
  pinned.summary = fmt::format("{} packages as before; what they are built with is locked now", lock.packages.size());
}

}  // namespace

Pinned pin(Context& context, const PinSubject& subject, const PinOptions& options,
           const resolver::Interpreter* python) {
  Pinned pinned;
  bool mended = false;
  if (exists(subject.lock)) pinned.previous = resolver::read_previous_lock(subject.lock, &mended);
  resolver::LockRequest request = lock_request(subject, &options);
  if (!request.exclude_newer.empty())
    request.cutoff = resolver::cutoff_from(request.exclude_newer, context.clock.wall_ms());
  request.previous = pinned.previous;
  pinned.current = pinned.previous && request.upgrade.empty() && options.import_from.empty() && !options.refresh &&
                   options.refresh_packages.empty() &&
                   pinned.previous->input_digest == resolver::lock_input_digest(request);
  if (pinned.current) {
    resolver::LockOutcome outcome;
    outcome.lock = *pinned.previous;
    pinned.outcome = std::move(outcome);
    // Nothing is asked of it, but files of the lock may come from it.
    if (!options.index.empty()) pinned.ca_file = choose_index(context, options.index, &subject.project).ca_file;
    if (options.complete_builds && !options.locked) complete_builds(context, subject, options, python, request, pinned);
    return pinned;
  }
  if (options.locked)
    throw Error(ErrorKind::failed, "`pylock.toml` would change and `--locked` forbids it", subject.lock.string(),
                "run `dae lock` and commit the result");
  for (const std::string& text : subject.project.warnings) warning(*context.events, text);
  if (mended)
    note(*context.events,
         subject.lock.filename().string() + " has conflict markers: the pins of both sides are kept where they fit");
  for (const std::string& file : options.import_from)
    for (const auto& [name, version] : resolver::import_pins(std::filesystem::absolute(file)))
      request.imported.emplace(name, version);
  const int64_t started_ms = context.clock.monotonic_ms();
  IndexSession index = open_index(context, subject, options, python, &request);
  pinned.ca_file = index.choice.ca_file;
  for (const resolver::IndexSource& source : index.choice.indexes) request.index_urls.push_back(source.url);
  const auto blobs = open_blob_store(blobs_dir());
  const auto direct =
      resolver::make_direct_sources(context.transport(), *blobs, *context.runner,
                                    direct_options(context, subject, index.builder.get()), *context.events);
  pinned.outcome = resolver::make_lock(request, *index.client, {direct.get(), context.events.get()});
  if (pinned.no_solution() != nullptr) return pinned;
  if (index.builder && !options.no_builds) {
    resolver::lock_builds(std::get<resolver::LockOutcome>(pinned.outcome).lock, *index.builder);
  }
  const resolver::IndexStats stats = index.client->stats();
  pinned.summary = fmt::format("resolved {} packages for {}   {}  (index: {}, {} pages from cache, {} fetched)",
                               pinned.lock().packages.size(), request.targets.front().label(),
                               format_duration(context.clock.monotonic_ms() - started_ms), index.choice.label,
                               stats.pages_from_cache, stats.pages_fetched);
  pinned.text = resolver::render_lock(pinned.lock());
  pinned.lock_changed = !pinned.previous || pinned.text != read_file(subject.lock);
  return pinned;
}

std::vector<PinChange> pin_changes(const resolver::Lock* before, const resolver::Lock& after) {
  const auto old_pins = before != nullptr ? versions_by_name(*before) : std::map<std::string, std::string>{};
  const auto new_pins = versions_by_name(after);
  std::map<std::string, PinChange> changes;
  for (const auto& [name, versions] : old_pins) changes[name] = {name, versions, ""};
  for (const auto& [name, versions] : new_pins) {
    PinChange& change = changes[name];
    change.name = name;
    change.after = versions;
  }
  std::vector<PinChange> out;
  for (auto& [name, change] : changes)
    if (change.before != change.after) out.push_back(std::move(change));
  return out;
}

}  // namespace dae::cli
