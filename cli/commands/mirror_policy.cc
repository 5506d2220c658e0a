// dae mirror allow PROJECT==VERSION, dae mirror audit: versions let through the policy of an index by name, and who did
// so when and why. Works on the storage, beside a mirror that runs or not.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "base/error.h"
#include "base/table.h"
#include "cli/commands/commands.h"
#include "cli/context.h"
#include "cli/mirror_place.h"
#include "mirror/policy/allowances.h"
#include "mirror/storage/storage.h"

namespace dae::cli {
namespace {

struct Options {
  MirrorPlace place;
  std::string version, index, reason, until;
  std::vector<std::string> advisories;
  bool revoke = false;
  int64_t last = 50;
};

std::string who() {
  for (const char* name : {"SUDO_USER", "USER", "LOGNAME"}) {
    if (const auto user = env_var(name)) return *user;
  }
  return fmt::format("uid {}", ::getuid());
}

void check_index(const mirror::MirrorConfig& config, const std::string& name) {
  if (name.empty()) throw Error(ErrorKind::usage, "which index? `--index NAME`");
  const auto found = std::ranges::find(config.indexes, name, &mirror::IndexConfig::name);
  if (found == config.indexes.end()) {
    throw Error(ErrorKind::not_found, "this mirror has no such index", name, "is `--config` the one that it serves?");
  }
  if (found->overlay.is_overlay()) {
    throw Error(ErrorKind::usage, "an overlay has no policy of its own", name,
                "name the index below it that holds the version back");
  }
}

// "7d" from now, or a time.
int64_t end_of(const std::string& text, int64_t now_ms) {
  if (text.empty()) return mirror::kNever;
  int64_t end_ms = 0;
  try {
    end_ms = text.find('T') == std::string::npos ? now_ms + parse_duration_ms(text) : parse_utc(text);
  } catch (const Error&) {
    throw Error(ErrorKind::usage, "`--until` is a duration or a time", text, "`7d`, or `2026-12-31T00:00:00Z`");
  }
  if (end_ms <= now_ms) throw Error(ErrorKind::usage, "that time is over", text);
  return end_ms;
}

int run_allow(const Options& options, Context& context) {
  const mirror::MirrorConfig config = options.place.read();
  check_index(config, options.index);
  const int64_t now_ms = context.clock.wall_ms();
  mirror::AllowRequest request;
  request.index = options.index;
  std::tie(request.project, request.allowance.version) = mirror::parse_project_version(options.version);
  request.allowance.until_ms = end_of(options.until, now_ms);
  request.allowance.advisories = options.advisories;
  request.who = who();
  request.reason = options.reason;
  const auto storage = mirror::open_storage(config, context.clock, {.create = true});
  mirror::Catalog& catalog = storage->catalog();
  if (options.revoke) {
    mirror::revoke(catalog, request, now_ms);
  } else {
    mirror::allow(catalog, request, now_ms);
  }
  std::string said = fmt::format("{}=={} is {} in `{}`", request.project, request.allowance.version,
                                 options.revoke ? "no longer let through" : "let through", options.index);
  if (!options.revoke && request.allowance.until_ms != mirror::kNever) {
    said += " until " + format_utc(request.allowance.until_ms);
  }
  context.say(said);
  return 0;
}

int run_audit(const Options& options, Context& context) {
  if (options.last < 1) throw Error(ErrorKind::usage, "`--last` is at least 1");
  const auto storage = mirror::open_storage(options.place.read(), context.clock);
  mirror::Catalog& catalog = storage->catalog();
  Value list = Value::array();
  Table table({"WHEN", "WHO", "WHAT", "INDEX", "SUBJECT", "UNTIL", "REASON"});
  for (const mirror::AuditEntry& entry : mirror::read_audit(catalog, options.index, options.last)) {
    list.push_back(Value::object({{"at", format_utc(entry.at_ms)},
                                  {"who", entry.who},
                                  {"action", entry.action},
                                  {"index", entry.index},
                                  {"subject", entry.subject},
                                  {"reason", entry.reason},
                                  {"details", entry.details}}));
    std::string subject = entry.subject;
    for (const std::string& id : entry.details.get_strings("advisories")) subject += " " + id;
    table.add({format_utc(entry.at_ms), entry.who, entry.action, entry.index, subject,
               entry.details.get_string("until"), entry.reason});
  }
  if (context.globals.json) {
    context.print_json(list);
  } else if (table.empty()) {
    context.say("nobody did anything that is written down here");
  } else {
    context.print(table.render());
  }
  return 0;
}

}  // namespace

Command mirror_allow_command() {
  return {"mirror allow", "let one version through the cool-downs of an index", "Services",
          [](CommandLine& line) -> Action {
            auto options = std::make_shared<Options>();
            options->place.options(line);
            line.positional("version", options->version, "PROJECT==VERSION", true);
            line.option("--index", options->index, "index that holds it back");
            line.option("--reason", options->reason, "why; kept with your name, see `dae mirror audit`");
            line.option("--until", options->until, "how long: `7d`, or a time; for ever without");
            line.list("--advisory", options->advisories,
                      "let it through this advisory of the deny list, too; repeatable");
            line.flag("--revoke", options->revoke, "take it back");
            line.details(
                "A mirror that runs follows within two seconds. A version that an advisory denies stays denied unless "
                "the advisory is named: what was let through early and turns out to be malware is held back again.");
            return [options](Context& context) { return run_allow(*options, context); };
          }};
}

Command mirror_audit_command() {
  return {"mirror audit", "who let what through, when and why", "Services", [](CommandLine& line) -> Action {
            auto options = std::make_shared<Options>();
            options->place.options(line);
            line.option("--index", options->index, "of this index alone");
            line.option("--last", options->last, "how many; default 50");
            return [options](Context& context) { return run_audit(*options, context); };
          }};
}

}  // namespace dae::cli
