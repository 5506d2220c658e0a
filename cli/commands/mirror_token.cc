// dae mirror token create, list, revoke: who may upload to a private index. Works on the storage, beside a mirror that
// runs or not.
#include <fmt/format.h>

#include <algorithm>

#include "base/table.h"
#include "cli/commands/commands.h"
#include "cli/context.h"
#include "cli/mirror_place.h"
#include "mirror/config_values.h"
#include "mirror/storage/storage.h"
#include "mirror/upload/tokens.h"
#include "resolver/standards/names.h"

namespace dae::cli {
namespace {

struct Options {
  MirrorPlace place;
  std::string index, expires, quota, note, id;
  int64_t quota_files = 0;
  std::vector<std::string> projects;
};

std::string who() {
  for (const char* name : {"SUDO_USER", "USER", "LOGNAME"}) {
    if (const auto user = env_var(name)) return *user;
  }
  return "somebody";
}

void check_index(const Options& options) {
  if (options.index.empty()) throw Error(ErrorKind::usage, "a token is for an index: `--index NAME`");
  if (options.place.config.empty()) return;  // the storage alone does not say which indexes there are
  const mirror::MirrorConfig config = options.place.read();
  const auto found = std::ranges::find(config.indexes, options.index, &mirror::IndexConfig::name);
  if (found == config.indexes.end()) {
    throw Error(ErrorKind::not_found, "mirror.yaml has no such index", options.index);
  }
  if (!found->uploads) {
    throw Error(ErrorKind::refused, "the index takes no uploads", options.index,
                "`mode: private` and `uploads: true` in mirror.yaml");
  }
}

mirror::TokenGrant grant_of(const Options& options, int64_t now_ms) {
  mirror::TokenGrant grant;
  grant.index = options.index;
  grant.note = options.note;
  for (const std::string& project : options.projects) {
    if (!resolver::is_valid_name(project)) throw Error(ErrorKind::usage, "no name of a project", project);
    grant.projects.push_back(resolver::normalize_name(project));
  }
  if (!options.expires.empty() && options.expires != "never") {
    grant.expires_ms = now_ms + parse_duration_ms(options.expires);
  }
  if (!options.quota.empty()) {
    const Document document{"--quota", Value::object().set("quota", options.quota)};
    Reader reader(document);
    grant.quota_bytes = mirror::parse_size(reader, reader.required("quota"));
  }
  if (options.quota_files < 0) throw Error(ErrorKind::usage, "`--quota-files` is a number of files a day");
  if (options.quota_files > 0) grant.quota_files = static_cast<uint64_t>(options.quota_files);
  return grant;
}

int run_create(const Options& options, Context& context) {
  check_index(options);
  const int64_t now_ms = context.clock.wall_ms();
  const mirror::TokenGrant grant = grant_of(options, now_ms);
  // Before a first `serve`, too.
  const auto storage = mirror::open_storage(options.place.read(), context.clock, {.create = true});
  mirror::Catalog& catalog = storage->catalog();
  const mirror::NewToken made = mirror::create_token(catalog, grant, who(), now_ms);
  if (context.globals.json) {
    context.print_json(Value::object({{"id", made.id}, {"token", made.secret}}));
  } else {
    context.print(made.secret + "\n");
  }
  context.say(fmt::format("token {} for index `{}`, {}: it is shown only now", made.id, grant.index,
                          grant.expires_ms ? "until " + format_utc(*grant.expires_ms) : "for ever"));
  return 0;
}

Value to_value(const mirror::Token& token) {
  const auto time = [](const std::optional<int64_t>& ms) { return ms ? Value(format_utc(*ms)) : Value(); };
  const auto amount = [](const std::optional<uint64_t>& number) { return number ? Value(*number) : Value(); };
  return Value::object({{"id", token.id},
                        {"index", token.grant.index},
                        {"projects", Value::strings(token.grant.projects)},
                        {"note", token.grant.note},
                        {"created", format_utc(token.created_ms)},
                        {"expires", time(token.grant.expires_ms)},
                        {"revoked", time(token.revoked_ms)},
                        {"last_used", time(token.last_used_ms)},
                        {"quota_bytes", amount(token.grant.quota_bytes)},
                        {"quota_files", amount(token.grant.quota_files)}});
}

std::string state_of(const mirror::Token& token, int64_t now_ms) {
  if (token.revoked_ms) return "revoked " + format_utc(*token.revoked_ms);
  if (!token.grant.expires_ms) return "for ever";
  return (*token.grant.expires_ms <= now_ms ? "over since " : "until ") + format_utc(*token.grant.expires_ms);
}

int run_list(const Options& options, Context& context) {
  const auto storage = mirror::open_storage(options.place.read(), context.clock);
  mirror::Catalog& catalog = storage->catalog();
  const auto tokens = mirror::list_tokens(catalog, options.index);
  if (context.globals.json) {
    Value all = Value::array();
    for (const mirror::Token& token : tokens) all.push_back(to_value(token));
    context.print_json(all);
    return 0;
  }
  Table table({"token", "index", "projects", "valid", "last used", "note"});
  for (const mirror::Token& token : tokens) {
    std::string projects;
    for (const std::string& project : token.grant.projects) projects += (projects.empty() ? "" : " ") + project;
    table.add({token.id, token.grant.index, projects.empty() ? "all" : projects,
               state_of(token, context.clock.wall_ms()), token.last_used_ms ? format_utc(*token.last_used_ms) : "never",
               token.grant.note});
  }
  if (table.empty()) {
    context.say("no tokens");
  } else {
    context.print(table.render());
  }
  return 0;
}

int run_revoke(const Options& options, Context& context) {
  const auto storage = mirror::open_storage(options.place.read(), context.clock);
  mirror::Catalog& catalog = storage->catalog();
  const bool revoked = mirror::revoke_token(catalog, options.id, who(), context.clock.wall_ms());
  context.say(fmt::format("token {} {}", options.id, revoked ? "revoked" : "was revoked before"));
  return 0;
}

}  // namespace

Command mirror_token_create_command() {
  return {
      "mirror token create", "make a token to upload with; it is shown once", "Services",
      [](CommandLine& line) -> Action {
        auto options = std::make_shared<Options>();
        options->expires = "90d";
        options->place.options(line);
        line.option("--index", options->index, "index it is for");
        line.list("--project", options->projects, "project it is for; repeatable, all of the index without");
        line.option("--expires", options->expires, "how long it is valid: `90d` (default), `12h`, `never`");
        line.option("--quota", options->quota, "bytes a day, like `10GiB`");
        line.option("--quota-files", options->quota_files, "files a day; 0: any number");
        line.option("--note", options->note, "who or what has it");
        line.details("The token is the password of user `__token__`, for twine, uv publish and `dae publish --wheel`.");
        return [options](Context& context) { return run_create(*options, context); };
      }};
}

Command mirror_token_list_command() {
  return {"mirror token list", "list tokens, the secrets of which nobody knows any more", "Services",
          [](CommandLine& line) -> Action {
            auto options = std::make_shared<Options>();
            options->place.options(line);
            line.option("--index", options->index, "of this index alone");
            return [options](Context& context) { return run_list(*options, context); };
          }};
}

Command mirror_token_revoke_command() {
  return {"mirror token revoke", "end a token now", "Services", [](CommandLine& line) -> Action {
            auto options = std::make_shared<Options>();
            options->place.options(line);
            line.positional("token", options->id, "its id, as `dae mirror token list` shows it", true);
            return [options](Context& context) { return run_revoke(*options, context); };
          }};
}

}  // namespace dae::cli
