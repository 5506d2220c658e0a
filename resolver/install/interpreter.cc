#include "resolver/install/interpreter.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/strings.h"
#include "base/value.h"
#include "resolver/install/interpreter_memory.h"
#include "resolver/install/interpreter_probe.h"

namespace dae::resolver {
namespace {

std::string platform_name(const Value& answer) {
  std::string platform = answer.get_string("platform");
  std::ranges::replace_if(
      platform, [](char c) { return c == '-' || c == '.'; }, '_');
  // A 32-bit interpreter on a 64-bit kernel sees the kernel's name.
  if (answer.get_integer("bits") == 32 && platform == "linux_x86_64") return "linux_i686";
  if (answer.get_integer("bits") == 32 && platform == "linux_aarch64") return "linux_armv8l";
  return platform;
}

std::string tail_of(const ProcessResult& result) {
  const std::vector<std::string> lines = split_lines(trim(result.err));
  return lines.empty() || lines.back().empty() ? fmt::format("exit code {}", result.exit_code) : lines.back();
}

ProbeResult run_probe(ProcessRunner& runner, const Path& executable) {
  ProcessSpec spec;
  spec.argv = {executable.string(), "-I", "-c", kInterpreterProbe};
  // A venv or framework launcher would make the answer one about something else.
  spec.env = {{"__PYVENV_LAUNCHER__", ""}};
  spec.timeout_ms = 30'000;
  ProcessResult result;
  try {
    result = runner.run(spec);
  } catch (const Error& error) {
    return {std::nullopt, error.message()};
  }
  const std::vector<std::string> lines = split_lines(trim(result.out));
  if (result.exit_code != 0 || lines.back().empty()) return {std::nullopt, tail_of(result)};
  Interpreter python;
  try {
    const Value answer = parse_json(lines.back(), executable.string()).root;
    python.version = answer.at("version").as_string();
    const auto version = Version::try_parse(python.version);
    if (answer.get_string("implementation") != "cpython") return {std::nullopt, "it is not CPython"};
    if (!version || *version < Version::parse("3.8.dev0")) {
      return {std::nullopt, fmt::format("it is Python {}; 3.8 or newer is needed", python.version)};
    }
    python.executable = is_launcher_script(executable) ? Path(answer.at("executable").as_string()) : executable;
    python.real_executable = answer.at("real_executable").as_string();
    python.platform = platform_name(answer);
    python.libc = answer.get_string("libc");
    python.cache_tag = answer.at("cache_tag").as_string();
    python.soabi = answer.get_string("soabi");
    python.free_threaded = answer.get_bool("free_threaded");
  } catch (const Error& error) {
    return {std::nullopt, "its answer makes no sense: " + error.message()};
  }
  return {std::move(python), ""};
}

ProbeResult probe(ProcessRunner& runner, const Path& given) {
  const Path executable = std::filesystem::absolute(given).lexically_normal();
  const std::string key = interpreter_key(executable);
  if (key.empty()) return {std::nullopt, "there is no such file"};
  if (auto known = recall_probe(executable, key)) return *known;
  ProbeResult result = run_probe(runner, executable);
  remember_probe(executable, key, result);
  return result;
}

// Executables of one name in every directory of PATH, in its order.
std::vector<Path> in_path(const std::string& name) {
  std::vector<Path> out;
  for (const std::string& dir : split(env_var("PATH").value_or("/usr/local/bin:/usr/bin:/bin"), ':')) {
    if (dir.empty()) continue;
    if (const auto found = find_program(name, dir)) out.push_back(*found);
  }
  return out;
}

// "python3.12" -> 12
std::optional<int64_t> minor_of(std::string_view name) {
  constexpr std::string_view kPrefix = "python3.";
  return name.starts_with(kPrefix) ? parse_int(name.substr(kPrefix.size())) : std::nullopt;
}

// pythonX.Y of every directory of PATH, newest first; for one version in the order of PATH.
std::vector<Path> versioned_in_path() {
  std::vector<std::pair<int64_t, Path>> found;
  for (const std::string& dir : split(env_var("PATH").value_or("/usr/local/bin:/usr/bin:/bin"), ':')) {
    for (const std::string& name : dir.empty() ? std::vector<std::string>() : list_dir(dir)) {
      if (const auto minor = minor_of(name)) found.emplace_back(*minor, Path(dir) / name);
    }
  }
  std::ranges::stable_sort(found, [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<Path> out;
  for (auto& [minor, path] : found) out.push_back(std::move(path));
  return out;
}

// pyenv and its kin keep all versions in a folder beside the one with the launchers that stands in PATH.
std::vector<Path> beside_shims() {
  std::vector<std::pair<Version, Path>> found;
  for (const std::string& dir : split(env_var("PATH").value_or(""), ':')) {
    if (Path(dir).filename() != "shims") continue;
    for (const char* folder : {"versions", "installs/python"}) {
      const Path versions = Path(dir).parent_path() / folder;
      for (const std::string& name : list_dir(versions)) {
        const auto version = Version::try_parse(name);
        if (version && exists(versions / name / "bin/python3")) {
          found.emplace_back(*version, versions / name / "bin/python3");
        }
      }
    }
  }
  std::ranges::stable_sort(found, [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<Path> out;
  for (auto& [version, path] : found) out.push_back(std::move(path));
  return out;
}

class Search {
 public:
  Search(ProcessRunner& runner, SpecifierSet specifiers) : runner_(runner), specifiers_(std::move(specifiers)) {}

  std::optional<Interpreter> first_of(const std::vector<Path>& candidates) {
    for (const Path& candidate : candidates) {
      if (!tried_.insert(candidate).second) continue;
      ProbeResult result = probe(runner_, candidate);
      if (result.interpreter && specifiers_.contains(Version::parse(result.interpreter->version))) {
        return std::move(result.interpreter);
      }
      note(candidate, result);
    }
    return std::nullopt;
  }

  [[noreturn]] void give_up() const {
    const std::string text = specifiers_.text();
    throw Error(ErrorKind::not_found,
                text.empty() ? "no usable Python interpreter" : fmt::format("no Python interpreter fits `{}`", text),
                "", "install one, put it in PATH, or name it by its path")
        .because(!seen_.empty()       ? "seen: " + join(seen_, ", ")
                 : !failures_.empty() ? "seen: " + join(failures_, ", ")
                                      : "there is no python3 in PATH");
  }

 private:
  // Each version once, where it was found first: PATH often leads to one interpreter by several names. What does not
  // run at all (a version manager's shim for a version that is switched off) is told only when nothing else was seen.
  void note(const Path& candidate, const ProbeResult& result) {
    if (!result.interpreter) {
      failures_.push_back(fmt::format("{} ({})", candidate.string(), result.failure));
    } else if (versions_.insert(result.interpreter->version).second) {
      seen_.push_back(fmt::format("{} ({})", result.interpreter->version, candidate.string()));
    }
  }

  ProcessRunner& runner_;
  SpecifierSet specifiers_;
  std::set<Path> tried_;
  std::set<std::string> versions_;
  std::vector<std::string> seen_, failures_;
};

}  // namespace

std::string Interpreter::python_version() const {
  const std::vector<std::string> parts = split(version, '.');
  return parts.size() < 2 ? version : parts[0] + "." + parts[1];
}

Target Interpreter::target() const {
  Target out;
  out.python_full_version = version;
  out.python_version = python_version();
  out.free_threaded = free_threaded;
  out.platform = platform;
  // "glibc 2.36" on linux_x86_64 is manylinux_2_36_x86_64 (PEP 600), "musl 1.2.3" musllinux_1_2_… (PEP 656).
  const std::vector<std::string> words = split(libc, ' ');
  const std::vector<std::string> numbers = split(words.back(), '.');
  if (words.size() == 2 && numbers.size() >= 2 && platform.starts_with("linux_")) {
    out.platform = fmt::format("{}_{}_{}_{}", words[0] == "musl" ? "musllinux" : "manylinux", numbers[0], numbers[1],
                               platform.substr(6));
  }
  return out;
}

Interpreter probe_interpreter(ProcessRunner& runner, const Path& executable) {
  ProbeResult result = probe(runner, executable);
  if (result.interpreter) return std::move(*result.interpreter);
  throw Error(ErrorKind::bad_input, "no usable Python interpreter", executable.string(),
              "CPython 3.8 or newer is needed")
      .because(result.failure);
}

Interpreter find_interpreter(ProcessRunner& runner, const std::string& wanted, const SpecifierSet& specifiers) {
  if (wanted.find('/') != std::string::npos) {
    Interpreter python = probe_interpreter(runner, wanted);
    if (specifiers.contains(Version::parse(python.version))) return python;
    throw Error(ErrorKind::refused, fmt::format("Python {} does not fit `{}`", python.version, specifiers.text()),
                wanted);
  }
  std::string version = wanted;
  if (version.starts_with("python")) version.erase(0, 6);
  if (!version.empty() && !Version::try_parse(version)) {
    throw Error(ErrorKind::usage, fmt::format("`{}` is neither a path nor a Python version", wanted), "",
                "write it as `3.11` or as a path with a slash");
  }
  const bool exact = std::ranges::count(version, '.') >= 2;
  Search search(runner,
                version.empty() ? specifiers : specifiers & SpecifierSet::parse("==" + version + (exact ? "" : ".*")));
  // Each list is made when the one before held nothing: making them all costs more than the rest of a run with nothing
  // to do.
  const std::function<std::vector<Path>()> lists[] = {
      [] {
        const auto active = find_program("python3");
        return active ? std::vector<Path>{*active} : std::vector<Path>{};
      },
      versioned_in_path,
      [] { return in_path("python3"); },
      [] { return in_path("python"); },
      beside_shims,
  };
  for (const auto& candidates : lists) {
    if (auto python = search.first_of(candidates())) return *python;
  }
  search.give_up();
}

}  // namespace dae::resolver
