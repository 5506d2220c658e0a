#include "cli/doctor_machine.h"

#include <fmt/format.h>
#include <unistd.h>

#include "base/error.h"
#include "base/http.h"
#include "cli/cache_folders.h"
#include "resolver/source/index_store.h"

namespace dae::cli {
namespace {

using Check = resolver::DoctorCheck;
using State = Check::State;

constexpr uint64_t kLowSpaceBytes = 500ull << 20;
constexpr int64_t kDayMs = 24 * 3600 * 1000, kSkewMs = 5 * 60 * 1000;

Check fine(std::string name, std::string text) {
  return {std::move(name), State::ok, std::move(text), {}, ""};
}
Check remark(std::string name, std::string text, std::string hint = "") {
  return {std::move(name), State::note, std::move(text), {}, std::move(hint)};
}
Check problem(std::string name, std::string text, std::string hint) {
  return {std::move(name), State::problem, std::move(text), {}, std::move(hint)};
}

bool same_file(const Path& a, const Path& b) {
  std::error_code error;
  return std::filesystem::equivalent(a, b, error);
}

Check check_binary() {
  const Path self = self_executable();
  const auto found = find_program("dae");
  if (!found) {
    return remark("dae", "not in PATH; this is " + self.string(), "add `" + self.parent_path().string() + "` to PATH");
  }
  if (same_file(*found, self)) return fine("dae", found->string());
  return problem("dae", fmt::format("PATH leads to {}, this is {}", found->string(), self.string()),
                 "put `" + self.parent_path().string() + "` first in PATH, or remove the other");
}

Check check_shell(const Path& env) {
  if (const auto home = env_var("PYTHONHOME")) {
    return problem("shell",
                   fmt::format("PYTHONHOME is `{}`: interpreters take their standard library from there", *home),
                   "run `unset PYTHONHOME`");
  }
  if (const auto path = env_var("PYTHONPATH")) {
    return remark("shell", fmt::format("PYTHONPATH is `{}`: modules there go before those of environments", *path),
                  "run `unset PYTHONPATH` when that is not wanted");
  }
  const auto active = env_var("VIRTUAL_ENV");
  if (!active) return fine("shell", "no environment is active");
  if (env.empty() || same_file(*active, env)) return fine("shell", "`" + *active + "` is active");
  return problem("shell", fmt::format("another environment is active: `{}`", *active),
                 fmt::format("run `deactivate`; this app's: `. {}`", (env / "bin/activate").string()));
}

Path nearest_existing(Path path) {
  while (!exists(path) && path != path.parent_path()) path = path.parent_path();
  return path;
}

Check check_cache(Context& context) {
  const Path dir = cache_dir();
  if (::access(nearest_existing(dir).c_str(), W_OK | X_OK) != 0) {
    return problem("cache", fmt::format("`{}` cannot be written", dir.string()),
                   "make it yours, or set DAE_CACHE_DIR to another place");
  }
  const CacheFolders cache(dir, resolver::cache_limit_bytes(), context.clock, *context.events);
  uint64_t total = 0;
  for (const CachePart& part : cache.parts()) total += part.bytes;
  const std::string text =
      fmt::format("{}: {} of {}", dir.string(), format_bytes(total), format_bytes(cache.limit_bytes()));
  if (total <= cache.limit_bytes()) return fine("cache", text);
  return remark("cache", text + ", more than its limit (DAE_CACHE_MAX)", "run `dae cache prune`");
}

Check check_space(const Path& env) {
  Check check = fine("disk", "");
  for (const Path& path : {cache_dir(), env}) {
    if (path.empty()) continue;
    std::error_code error;
    const auto space = std::filesystem::space(nearest_existing(path), error);
    if (error) continue;
    const std::string text = fmt::format("{} free for {}", format_bytes(space.available), path.string());
    check.text += (check.text.empty() ? "" : ", ") + text;
    if (space.available < kLowSpaceBytes) check.state = State::problem;
  }
  if (check.state == State::problem) check.hint = "make room; `dae cache prune` may help";
  return check;
}

// Certificates, caches and locks by date go wrong with a clock that does. This binary is not from the future.
Check check_clock(const Context& context) {
  const int64_t now_ms = context.clock.wall_ms();
  const auto self = file_info(self_executable());
  if (self && self->mtime_ns / 1'000'000 > now_ms + kDayMs) {
    return problem("clock", fmt::format("it is {} by it, before this program was made", format_utc(now_ms)),
                   "set the clock of this machine");
  }
  return fine("clock", format_utc(now_ms));
}

Check check_tools() {
  Check check = fine("tools", "");
  for (const auto& [name, what] :
       {std::pair{"git", "requirements from git repositories"},
        std::pair{"hg", "requirements from Mercurial repositories"}, std::pair{"bwrap", "shutting in builds"}}) {
    const auto found = find_program(name);
    if (found) {
      check.text += (check.text.empty() ? "" : ", ") + std::string(name);
    } else {
      check.details.push_back(fmt::format("no `{}`: needed for {}", name, what));
    }
  }
  if (check.text.empty()) check.text = "none of git, hg, bwrap";
  if (!check.details.empty()) check.state = State::note;
  return check;
}

Check check_index(Context& context, const resolver::ProjectFile* project) {
  try {
    const IndexChoice choice = choose_index(context, "", project);
    Check check = fine("index", choice.label);
    for (const resolver::IndexSource& index : choice.indexes) {
      HttpRequest request;
      request.url = index.url;
      request.timeout_ms = 15'000;
      request.retries = 0;
      request.method = "HEAD";
      const HttpResponse answer = context.transport_for_index(choice.ca_file).send(request);
      const int64_t theirs_ms = parse_http_date(answer.headers.get("Date"));
      const int64_t skew_ms = theirs_ms < 0 ? 0 : std::abs(theirs_ms - context.clock.wall_ms());
      if (skew_ms > kSkewMs) {
        return problem("index", fmt::format("its clock and ours are {} apart", format_duration(skew_ms)),
                       "set the clock of this machine");
      }
      check.details.push_back(
          fmt::format("{}: {}, {}", parse_url(index.url).text(), answer.status, format_duration(answer.duration_ms)));
      // Some answer no HEAD, and many want credentials for the list of all projects: they are there.
      if (answer.status >= 500)
        return problem("index", check.details.back(), "try again, or choose another with DAE_INDEX");
    }
    return check;
  } catch (const Error& error) {
    return problem("index", error.what(), error.hint().empty() ? "is the network up?" : error.hint());
  }
}

}  // namespace

std::vector<Check> examine_machine(Context& context, const Path& env, const resolver::ProjectFile* project,
                                   bool online) {
  std::vector<Check> out{check_binary(),   check_shell(env),     check_cache(context),
                         check_space(env), check_clock(context), check_tools()};
  if (online) out.push_back(check_index(context, project));
  return out;
}

}  // namespace dae::cli
