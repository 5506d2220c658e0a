// dae bundle: the lock and every file it selects, to carry to where there is no network.
#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/strings.h"
#include "base/table.h"
#include "cli/app_environment.h"
#include "cli/build_tools.h"
#include "cli/commands/commands.h"
#include "cli/pinning.h"
#include "resolver/bundle/bundle.h"

namespace dae::cli {
namespace {

struct Options {
  std::string output, python;
  std::vector<std::string> targets, extras, groups;
  bool all_targets = false, no_dev = false, no_build = false, force = false, dry_run = false;
};

void add_once(std::vector<resolver::Target>& targets, resolver::Target target) {
  if (std::ranges::find(targets, target) == targets.end()) targets.push_back(std::move(target));
}

// "here", a platform, or "PYTHON/PLATFORM": of the lock's targets those that are named so, else one that is declared
// so.
void add_named(const std::string& name, const resolver::Lock& lock, const resolver::Target& here,
               std::vector<resolver::Target>& out) {
  if (name == "here") return add_once(out, here);
  const size_t slash = name.find('/');
  const std::string python = slash == std::string::npos ? "" : name.substr(0, slash);
  const std::string platform = slash == std::string::npos ? name : name.substr(slash + 1);
  bool found = false;
  for (const resolver::Target& target : lock.targets) {
    if (target.platform != platform || (!python.empty() && target.python_version != python)) continue;
    add_once(out, target);
    found = true;
  }
  if (found) return;
  if (!python.empty()) return add_once(out, resolver::declared_target(python, platform));
  std::vector<std::string> pythons;
  for (const resolver::Target& target : lock.targets)
    if (std::ranges::find(pythons, target.python_version) == pythons.end()) pythons.push_back(target.python_version);
  if (pythons.empty()) pythons.push_back(here.python_version);
  for (const std::string& version : pythons) add_once(out, resolver::declared_target(version, platform));
}

bool is_served(const resolver::Lock& lock, const resolver::Target& target, const resolver::SelectOptions& which) {
  try {
    resolver::select(lock, target, which);
    return true;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::refused) throw;
    return false;
  }
}

std::vector<resolver::Target> targets_of(const Options& options, Context& context, const resolver::Lock& lock,
                                         const resolver::Target& here, const resolver::SelectOptions& which) {
  std::vector<resolver::Target> out;
  for (const std::string& name : options.targets) add_named(name, lock, here, out);
  if (!out.empty() && !options.all_targets) return out;
  for (const resolver::Target& target : lock.targets) add_once(out, target);
  if (options.all_targets && !out.empty()) return out;
  // A declared target of the same platform has this machine's files already, but perhaps not for its very python.
  if (out.empty() || is_served(lock, here, which)) {
    add_once(out, here);
  } else {
    note(*context.events, fmt::format("the lock was not made for this machine ({})", here.label()));
  }
  return out;
}

Path output_of(const Options& options, const builder::AppFile& app) {
  return options.output.empty() ? Path(app.config.name + "-bundle") : Path(options.output);
}

int dry_run(Context& context, const resolver::BundlePlan& plan) {
  Value files = Value::array(), built = Value::array();
  Table table({"file", "size"}, {Align::left, Align::right});
  for (const resolver::Selected& what : plan.files) {
    const auto size = what.file.size_bytes;
    table.add({what.file.name, size ? format_bytes(*size) : "?"});
    Value one = Value::object({{"name", what.file.name}, {"package", what.name}, {"version", what.version}});
    if (size) one.set("size", *size);
    files.push_back(std::move(one));
  }
  for (const auto& source : plan.sources) built.push_back(source.what.name);
  if (context.globals.json) {
    context.print_json(Value::object({{"targets", Value::strings(resolver::target_labels(plan.targets))},
                                      {"files", std::move(files)},
                                      {"to_build", std::move(built)},
                                      {"size", plan.size_bytes}}));
  } else {
    context.print(table.render());
    for (const auto& source : plan.sources) context.say(fmt::format("would build a wheel of {}", source.what.name));
    context.say(fmt::format("{} files, {}; nothing was fetched or written (dry run)", plan.files.size(),
                            format_bytes(plan.size_bytes)));
  }
  return 0;
}

resolver::BundleContents collect(const Options& options, Context& context, const builder::AppFile& app,
                                 const resolver::Lock& lock, const resolver::BundlePlan& plan,
                                 const resolver::Interpreter& python) {
  BlobStore& blobs = context.blobs();
  Transport& transport = context.transport_for_index({});
  std::unique_ptr<resolver::SourceBuilder> builder;
  const resolver::BundleFetch fetch = [&](const std::vector<resolver::Selected>& selected) {
    if (!builder && !std::ranges::all_of(selected, &resolver::Selected::is_wheel)) {
      builder = make_source_builder(context, {python, app.dir, borrowed(lock)}, transport, blobs);
    }
    resolver::FetchOptions fetching;
    fetching.offline = context.globals.offline;
    fetching.base_dir = app.dir;
    fetching.builder = builder.get();
    fetching.credentials = [&]() -> auto& {
      return download_credentials(context, app.dir);
    };
    return resolver::fetch_selected(selected, python, transport, blobs, cache_dir(), *context.runner, *context.events,
                                    fetching);
  };
  const resolver::BundleInput input{lock, read_file(lock_path(app)), std::string("dae ") + DAE_VERSION, python.target(),
                                    !options.no_build};
  return resolver::collect_bundle(plan, input, fetch, blobs);
}

void tell(Context& context, const resolver::BundleContents& contents, const Path& output) {
  for (const resolver::BundleFile& file : contents.manifest.files)
    if (!file.built_from.empty())
      note(*context.events, fmt::format("built {} here", file.path.substr(file.path.find('/') + 1)));
  for (const auto& gap : contents.gaps)
    warning(*context.events,
            gap.has_sdist ? fmt::format("`{}` has no wheel for {}: its sdist is in the bundle, to be built there",
                                        gap.package, gap.target)
                          : fmt::format("`{}` cannot be installed on {} from this bundle", gap.package, gap.target));
  if (context.globals.json) {
    Value files = Value::array(), gaps = Value::array();
    for (const resolver::BundleFile& file : contents.manifest.files) {
      Value one = Value::object({{"path", file.path}, {"size", file.size_bytes}, {"sha256", file.sha256}});
      if (!file.built_from.empty()) one.set("built_from", file.built_from);
      files.push_back(std::move(one));
    }
    for (const auto& gap : contents.gaps)
      gaps.push_back(Value::object({{"package", gap.package}, {"target", gap.target}, {"has_sdist", gap.has_sdist}}));
    context.print_json(Value::object({{"bundle", output.string()},
                                      {"targets", Value::strings(resolver::target_labels(contents.manifest.targets))},
                                      {"files", std::move(files)},
                                      {"gaps", std::move(gaps)},
                                      {"size", contents.size_bytes}}));
  }
  context.say(fmt::format("wrote {}: {} files, {}, for {}", output.string(), contents.manifest.files.size(),
                          format_bytes(contents.size_bytes),
                          join(resolver::target_labels(contents.manifest.targets), "; ")));
}

int run(const Options& options, Context& context) {
  const builder::AppFile app = builder::find_app_file(std::filesystem::current_path());
  const resolver::Interpreter python = interpreter_for(context, app, options.python);
  const resolver::Lock lock = require_lock(app, resolver::read_project(app.dir), python);
  const resolver::SelectOptions which{options.extras, options.groups, !options.no_dev};
  const resolver::BundlePlan plan =
      resolver::plan_bundle(lock, targets_of(options, context, lock, python.target(), which), which);
  if (options.dry_run) return dry_run(context, plan);
  const Path output = output_of(options, app);
  if (!options.force && file_info(std::filesystem::absolute(output)))
    throw Error(ErrorKind::refused, "there is something already", output.string(), "`--force` replaces it");
  const resolver::BundleContents contents = collect(options, context, app, lock, plan, python);
  if (resolver::is_bundle_archive_name(output)) {
    resolver::write_bundle_archive(contents, output, options.force, *context.events);
  } else {
    resolver::write_bundle_folder(contents, output, options.force, *context.events);
  }
  tell(context, contents, output);
  return 0;
}

}  // namespace

Command bundle_command() {
  return {"bundle", "write the lock and all its files to a folder or tar, for where there is no network", "App",
          [](CommandLine& line) -> Action {
            auto options = std::make_shared<Options>();
            line.option("-o,--output", options->output, "folder, or FILE.tar, FILE.tar.zst (default: <app>-bundle)");
            line.list("--target", options->targets,
                      "for this target alone: a platform, PYTHON/PLATFORM, or `here`; may be repeated");
            line.flag("--all-targets", options->all_targets, "the lock's targets too, beside those of --target");
            line.list("--extra", options->extras, "this optional dependency too");
            line.list("--group", options->groups, "this dependency group too");
            line.flag("--no-dev", options->no_dev, "leave the default dependency groups out");
            line.flag("--no-build", options->no_build, "no wheels of what has none: sdists as they are");
            line.option("-p,--python", options->python, "interpreter that builds: a path or a version such as 3.11");
            line.flag("--force", options->force, "replace a bundle that is there");
            line.flag("-n,--dry-run", options->dry_run, "list files and sizes, fetch nothing");
            line.details(
                "Without --target the bundle is for the targets the lock declares, and for this machine.\n"
                "`dae install --bundle PATH` installs from it; so do pip and uv, from its folder:\n\n"
                "  dae bundle -o bubbler.tar.zst\n"
                "  dae bundle --target musllinux_1_2_x86_64 --no-dev\n"
                "  pip install --no-index --find-links wheels --require-hashes -r requirements.txt");
            return [options](Context& context) { return run(*options, context); };
          }};
}

}  // namespace dae::cli
