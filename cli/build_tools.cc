#include "cli/build_tools.h"

#include <mutex>

#include "base/error.h"
#include "base/hash.h"
#include "base/strings.h"
#include "cli/pinning.h"
#include "cli/user_config.h"

namespace dae::cli {
namespace {

using resolver::BuildSettings;

constexpr int64_t kMaxTimeoutS = 7 * 24 * 3600;

BuildSettings::Sandbox sandbox_mode(const std::string& text) {
  if (text == "off") return BuildSettings::Sandbox::off;
  if (text == "require") return BuildSettings::Sandbox::require;
  if (text == "auto") return BuildSettings::Sandbox::automatic;
  throw Error(ErrorKind::usage, "`DAE_BUILD_SANDBOX` is `auto`, `require` or `off`", text);
}

// Why the build requirements do not go together; on one line, as it may become part of another explanation.
std::string told(const resolver::NoSolution& no) {
  std::vector<std::string> lines;
  for (const auto& line : no.lines) lines.push_back(line.origin + " " + line.text);
  return join(lines, "; ");
}

// Resolves build requirements as the project's own are resolved. The index is chosen once.
class Requirements {
 public:
  Requirements(Context& context, BuildScope scope, Transport& transport, BlobStore& blobs)
      : context_(context), scope_(std::move(scope)), transport_(transport), blobs_(blobs) {}

  std::vector<resolver::LockedPackage> resolve(resolver::SourceBuilder& builder, const resolver::BuildQuery& query) {
    std::call_once(prepared_, [&] { prepare(); });
    resolver::IndexOptions index = index_options(context_, *scope_.index);
    index.build_tag = build_tag(scope_.python, *context_.build_sandbox());
    // One client for each chain: what is asked for on the way to a wheel may lead back to it.
    index.build_metadata = resolver::sdist_metadata_builder(builder, query.chain);
    const auto client = resolver::make_index_client(transport_, index, *context_.events);
    resolver::DirectOptions options;
    options.base_dir = scope_.base_dir;
    options.cache_dir = cache_dir();
    options.offline = context_.globals.offline;
    options.build_metadata = resolver::source_metadata_builder(builder, query.chain);
    const auto direct = resolver::make_direct_sources(transport_, blobs_, *context_.runner, options, *context_.events);
    auto made = resolver::make_lock(request_for(query), *client, {direct.get(), context_.events.get()});
    if (const auto* no = std::get_if<resolver::NoSolution>(&made)) {
      throw Error(ErrorKind::no_solution, "its build requirements cannot be had together",
                  query.chain.empty() ? "" : query.chain.back(), "another version of it may ask for less")
          .because(told(*no));
    }
    return std::get<resolver::LockOutcome>(std::move(made)).lock.packages;
  }

 private:
  void prepare() {
    if (scope_.request && scope_.index) return;
    const resolver::ProjectFile project = resolver::read_project(scope_.base_dir);
    if (!scope_.request) {
      scope_.request = resolver::LockRequest();
      scope_.request->prereleases = project.settings.prereleases;
      scope_.request->no_binary = project.settings.no_binary;
      scope_.request->only_binary = project.settings.only_binary;
      if (scope_.lock) scope_.request->cutoff = scope_.lock->cutoff;
    }
    if (!scope_.index) scope_.index = choose_index(context_, "", &project);
  }

  resolver::LockRequest request_for(const resolver::BuildQuery& query) const {
    resolver::LockRequest out;
    out.prereleases = scope_.request->prereleases;
    out.no_binary = scope_.request->no_binary;
    out.only_binary = scope_.request->only_binary;
    out.cutoff = scope_.request->cutoff;
    out.targets = query.targets;
    for (const resolver::IndexSource& source : scope_.index->indexes) out.index_urls.push_back(source.url);
    const std::string origin = query.chain.empty() ? "build-system.requires" : query.chain.back();
    for (const std::string& text : query.requirements) {
      out.requirements.push_back({resolver::Requirement::parse(text), origin});
    }
    resolver::Lock previous;
    previous.packages = query.preferred;
    if (!query.preferred.empty()) out.previous = std::move(previous);
    return out;
  }

  Context& context_;
  BuildScope scope_;
  Transport& transport_;
  BlobStore& blobs_;
  std::once_flag prepared_;
};

}  // namespace

std::string build_tag(const resolver::Interpreter& python, const resolver::BuildSandbox& sandbox) {
  const BuildSettings& own = sandbox.settings();
  const BuildSettings usual;
  if (own.sandbox == usual.sandbox && own.timeout_ms == usual.timeout_ms && own.pass_env.empty())
    return python.cache_tag;
  return python.cache_tag + "-" +
         Digest::of(std::to_string(static_cast<int>(own.sandbox)) + " " + std::to_string(own.timeout_ms) + " " +
                    join(own.pass_env, " "))
             .short_hex();
}

BuildSettings build_settings() {
  const UserConfig config = read_user_config();
  BuildSettings out;
  out.sandbox = sandbox_mode(env_var("DAE_BUILD_SANDBOX").value_or(config.build_sandbox));
  out.pass_env = config.build_pass_env;
  if (config.build_timeout_ms > 0) out.timeout_ms = config.build_timeout_ms;
  if (const auto text = env_var("DAE_BUILD_TIMEOUT")) {
    const auto seconds = parse_int(*text);
    if (!seconds || *seconds < 1 || *seconds > kMaxTimeoutS) {
      throw Error(ErrorKind::usage, "`DAE_BUILD_TIMEOUT` is a number of seconds", *text);
    }
    out.timeout_ms = *seconds * 1000;
  }
  return out;
}

std::unique_ptr<resolver::SourceBuilder> make_source_builder(Context& context, BuildScope scope, Transport& transport,
                                                             BlobStore& blobs) {
  resolver::BuildSetup setup;
  setup.lock = scope.lock;
  if (scope.request) setup.upgrade = scope.request->upgrade;
  // While locking there is nothing yet that could be missed.
  setup.want_locked = !scope.request && (scope.want_locked || env_var("CI").has_value());
  setup.sandbox = context.build_sandbox();
  setup.base_dir = scope.base_dir;
  setup.unpacked = unpacked_dir();
  setup.offline = context.globals.offline;
  setup.credentials = [&context, dir = scope.base_dir]() -> resolver::CredentialStore& {
    return download_credentials(context, dir);
  };
  const resolver::Interpreter& python = scope.python;
  const auto requirements = std::make_shared<Requirements>(context, std::move(scope), transport, blobs);
  setup.resolve = [requirements](resolver::SourceBuilder& builder, const resolver::BuildQuery& query) {
    return requirements->resolve(builder, query);
  };
  return std::make_unique<resolver::SourceBuilder>(python, transport, blobs, cache_dir(), *context.runner,
                                                   *context.events, std::move(setup));
}

}  // namespace dae::cli
