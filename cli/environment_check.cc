#include "cli/environment_check.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "cli/build_tools.h"
#include "cli/user_config.h"
#include "resolver/install/env_state.h"
#include "resolver/install/unpacked_store.h"

namespace dae::cli {
namespace {

resolver::StorePaths store_paths() {
  return {unpacked_dir(), compiles_bytecode()};
}

std::string line_of(const resolver::VerifyFinding& finding) {
  std::string out = fmt::format("{}  {}", finding_name(finding.kind), finding.path);
  if (!finding.distribution.empty()) out += "  of " + finding.distribution;
  if (!finding.detail.empty()) out += "  (" + finding.detail + ")";
  return out + "\n";
}

Value to_json(const Path& env, const resolver::VerifyReport& report) {
  Value findings = Value::array();
  for (const resolver::VerifyFinding& finding : report.findings) {
    findings.push_back(Value::object({{"kind", finding_name(finding.kind)},
                                      {"distribution", finding.distribution},
                                      {"path", finding.path},
                                      {"detail", finding.detail},
                                      {"foreign", finding.foreign}}));
  }
  Value entries = Value::array();
  for (const Path& entry : report.damaged_entries) entries.push_back(entry.string());
  return Value::object({{"environment", env.string()},
                        {"distributions", static_cast<int64_t>(report.distributions)},
                        {"foreign", static_cast<int64_t>(report.foreign)},
                        {"files", static_cast<int64_t>(report.files)},
                        {"bytes", static_cast<int64_t>(report.bytes)},
                        {"findings", std::move(findings)},
                        {"unchecked", Value::strings(report.unchecked)},
                        {"damaged", Value::strings(report.damaged)},
                        {"damaged_store_entries", std::move(entries)}});
}

void tell(Context& context, const resolver::VerifyReport& report) {
  bool heading = false, unlisted = false, foreign = false;
  for (const resolver::VerifyFinding& finding : report.findings) {
    if (finding.foreign && !heading) context.print("of distributions that dae did not install:\n");
    heading |= finding.foreign;
    foreign |= finding.foreign;
    unlisted |= finding.kind == resolver::VerifyFinding::Kind::unlisted;
    context.print(line_of(finding));
  }
  context.say(fmt::format("{} files of {} distributions, {} read: {}", report.files,
                          report.distributions + report.foreign, format_bytes(report.bytes),
                          report.sound() ? "all as installed" : fmt::format("{} findings", report.findings.size())));
  if (!report.unchecked.empty()) {
    context.say(fmt::format("{} without a RECORD, not checked", report.unchecked.size()));
  }
  if (!report.damaged.empty() || report.damaged_environment) {
    context.say("hint: `dae install --repair` installs what is damaged anew");
  }
  if (unlisted) context.say("hint: what is unlisted was not installed by dae: remove it, if nobody needs it");
  if (foreign) context.say("hint: what dae did not install is mended by whoever did");
}

// An environment that is to be made anew as a whole needs no mending.
bool is_worth_mending(const resolver::EnvState& state, const Path& env, const resolver::Interpreter& python) {
  return state.ready && resolver::same_interpreter(state, python) && state.prefix == env.string();
}

}  // namespace

int verify_and_tell(Context& context, const Path& env) {
  const resolver::VerifyReport report = resolver::verify_environment(env, store_paths(), *context.events);
  if (context.globals.json) {
    context.print_json(to_json(env, report));
  } else {
    tell(context, report);
  }
  return report.sound() ? 0 : exit_code(ErrorKind::verification);
}

size_t repair_environment(Context& context, const builder::AppFile& app, const resolver::Lock& lock,
                          const resolver::Interpreter& python, Transport& transport,
                          const resolver::SelectOptions& which, bool locked) {
  const Path env = environment_path(app);
  const auto state = resolver::read_env_state(env);
  if (!state || !is_worth_mending(*state, env, python)) return 0;
  resolver::StorePaths store = store_paths();
  if (!state->link_mode.empty()) store.link_mode = resolver::parse_link_mode(state->link_mode);
  resolver::register_environment(store, env);
  const resolver::VerifyReport report = resolver::verify_environment(env, store, *context.events);
  if (report.damaged.empty() && !report.damaged_environment) return 0;
  std::vector<resolver::Selected> selected = resolver::select(lock, python.target(), which);
  std::erase_if(selected, [&](const auto& package) { return !report.damaged.contains(package.name); });
  auto blobs = open_blob_store(blobs_dir(), Durability::none);
  resolver::FetchOptions fetch = fetch_options(context, app.dir);
  std::unique_ptr<resolver::SourceBuilder> builder;
  if (std::ranges::any_of(selected, [](const auto& package) { return !package.is_wheel; })) {
    builder = make_source_builder(context, {python, app.dir, borrowed(lock), locked}, transport, *blobs);
    fetch.builder = builder.get();
  }
  // All wheels are at hand before the first damaged file goes.
  const std::vector<resolver::WheelToInstall> wheels = resolver::fetch_selected(
      selected, python, transport, *blobs, cache_dir(), *context.runner, *context.events, fetch);
  resolver::remove_damage(report, store);
  resolver::apply_install(resolver::repair_plan(report, wheels), env, python, *blobs, store, *context.events);
  return wheels.size();
}

}  // namespace dae::cli
