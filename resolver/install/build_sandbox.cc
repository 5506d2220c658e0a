#include "resolver/install/build_sandbox.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/error.h"
#include "base/strings.h"

namespace dae::resolver {
namespace {

constexpr int64_t kProbeTimeoutMs = 10'000;

const std::vector<std::string> kNamespaces = {"--unshare-user",
                                              "--unshare-pid",
                                              "--unshare-ipc",
                                              "--unshare-uts",
                                              "--unshare-net",
                                              "--die-with-parent",
                                              "--new-session",
                                              "--ro-bind",
                                              "/",
                                              "/",
                                              "--dev",
                                              "/dev",
                                              "--proc",
                                              "/proc"};

bool is_below(const Path& path, const Path& folder) {
  const std::string own = path.string(), top = folder.string();
  return own == top || (own.starts_with(top) && (top.ends_with('/') || own[top.size()] == '/'));
}

Path normal(const Path& path) {
  std::error_code failed;
  const Path out = std::filesystem::weakly_canonical(path, failed);
  return failed ? std::filesystem::absolute(path).lexically_normal() : out;
}

// Sockets of daemons, keys, tokens, what other programs left in /tmp.
std::vector<Path> hidden_places() {
  std::vector<Path> out;
  std::vector<Path> all = {"/tmp", "/var/tmp", "/run", home_dir(), config_dir()};
  if (const auto runtime = env_var("XDG_RUNTIME_DIR")) all.emplace_back(*runtime);
  for (const Path& one : all) {
    const Path place = normal(one);
    const auto info = file_info(place);
    if (place == "/" || !info || !info->is_dir() || std::ranges::count(out, place) > 0) continue;
    out.push_back(place);
  }
  // A folder goes before what is in it, or hiding it would show the inner one again.
  std::ranges::sort(out);
  return out;
}

// Compilers and tools of the user's own may stand in the home folder.
std::vector<Path> tool_folders(const std::map<std::string, std::string>& env) {
  std::vector<Path> out;
  const auto path = env.find("PATH");
  for (const std::string& dir : split(path == env.end() ? "" : path->second, ':')) {
    if (dir.starts_with('/') && exists(dir)) out.push_back(normal(dir));
  }
  const auto rustup = env.find("RUSTUP_HOME");
  if (rustup != env.end() && exists(rustup->second)) out.push_back(normal(rustup->second));
  return out;
}

}  // namespace

bool BuildSandbox::active(ProcessRunner& runner, EventSink& events) {
  if (settings_.sandbox == BuildSettings::Sandbox::off) return false;
  std::call_once(tried_, [&] {
    const auto found = find_program("bwrap");
    if (!found) {
      why_not_ = "`bwrap` (bubblewrap) is not installed";
      if (settings_.sandbox == BuildSettings::Sandbox::automatic)
        warning(events, "builds are not isolated: " + why_not_);
      return;
    }
    ProcessSpec spec;
    spec.argv = {found->string()};
    spec.argv.insert(spec.argv.end(), kNamespaces.begin(), kNamespaces.end());
    spec.argv.insert(spec.argv.end(), {"--tmpfs", "/tmp", "--", "/bin/true"});
    spec.timeout_ms = kProbeTimeoutMs;
    const ProcessResult result = runner.run(spec);
    if (result.exit_code == 0) {
      program_ = found->string();
      return;
    }
    why_not_ = "`bwrap` does not work here (" + std::string(trim(result.err)).substr(0, 200) + ")";
    if (settings_.sandbox == BuildSettings::Sandbox::automatic) warning(events, "builds are not isolated: " + why_not_);
  });
  if (program_.empty() && settings_.sandbox == BuildSettings::Sandbox::require) {
    throw Error(ErrorKind::refused, "builds have to be isolated, and cannot be: " + why_not_, "",
                "install bubblewrap and allow user namespaces, or set `build.sandbox: auto`");
  }
  return !program_.empty();
}

ProcessSpec BuildSandbox::enclosed(ProcessSpec spec, const SandboxPlaces& places) const {
  std::vector<std::string> argv = {program_};
  argv.insert(argv.end(), kNamespaces.begin(), kNamespaces.end());
  const std::vector<Path> hidden = hidden_places();
  for (const Path& place : hidden) argv.insert(argv.end(), {"--tmpfs", place.string()});
  std::vector<Path> readable = tool_folders(spec.env);
  for (const Path& place : places.readable) {
    if (exists(place)) readable.push_back(normal(place));
  }
  std::ranges::sort(readable);
  readable.erase(std::unique(readable.begin(), readable.end()), readable.end());
  for (const Path& place : readable) {
    const bool is_hidden = std::ranges::any_of(hidden, [&](const Path& top) { return is_below(place, top); });
    // A whole hidden folder is never shown again: PATH may well name it.
    if (!is_hidden || std::ranges::count(hidden, place) > 0) continue;
    argv.insert(argv.end(), {"--ro-bind", place.string(), place.string()});
  }
  for (const Path& place : places.writable)
    argv.insert(argv.end(), {"--bind", normal(place).string(), normal(place).string()});
  if (!spec.cwd.empty()) argv.insert(argv.end(), {"--chdir", normal(spec.cwd).string()});
  argv.emplace_back("--");
  argv.insert(argv.end(), spec.argv.begin(), spec.argv.end());
  spec.argv = std::move(argv);
  spec.cwd = "/";
  return spec;
}

std::map<std::string, std::string> build_variables(const BuildSettings& settings) {
  static const std::set<std::string, std::less<>> kNames = {"PATH",
                                                            "LANG",
                                                            "LANGUAGE",
                                                            "TZ",
                                                            "CC",
                                                            "CXX",
                                                            "CPP",
                                                            "LD",
                                                            "AR",
                                                            "FC",
                                                            "F77",
                                                            "F90",
                                                            "RANLIB",
                                                            "STRIP",
                                                            "LIBRARY_PATH",
                                                            "LD_LIBRARY_PATH",
                                                            "CPATH",
                                                            "C_INCLUDE_PATH",
                                                            "CPLUS_INCLUDE_PATH",
                                                            "PKG_CONFIG",
                                                            "PKG_CONFIG_PATH",
                                                            "PKG_CONFIG_LIBDIR",
                                                            "SOURCE_DATE_EPOCH",
                                                            "MAX_JOBS",
                                                            "PBR_VERSION",
                                                            "JAVA_HOME",
                                                            "CUDA_HOME",
                                                            "RUSTUP_HOME",
                                                            "RUSTUP_TOOLCHAIN"};
  std::map<std::string, std::string> out;
  for (auto& [name, value] : all_env_vars()) {
    // "MYSQLCLIENT_CFLAGS", "RUSTFLAGS", "MAKEFLAGS", "ARCHFLAGS"
    const bool known = kNames.contains(name) || name.starts_with("LC_") || name.ends_with("FLAGS") ||
                       name.starts_with("CMAKE_") || name.starts_with("SETUPTOOLS_");
    if (known || std::ranges::count(settings.pass_env, name) > 0) out.emplace(name, value);
  }
  if (out["PATH"].empty()) out["PATH"] = "/usr/local/bin:/usr/bin:/bin";
  if (!out.contains("LANG") && !out.contains("LC_ALL")) out["LANG"] = "C.UTF-8";
  const Path rustup = home_dir() / ".rustup";
  if (!out.contains("RUSTUP_HOME") && exists(rustup)) out["RUSTUP_HOME"] = rustup.string();
  // The earliest time a zip can hold, where nobody set another: rebuilt wheels come out alike more often.
  out.emplace("SOURCE_DATE_EPOCH", "315532800");
  return out;
}

}  // namespace dae::resolver
