#include "resolver/install/interpreter.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/strings.h"
#include "base/value.h"
#include "resolver/install/interpreter_memory.h"
#include "resolver/install/interpreter_places.h"
#include "resolver/install/interpreter_probe.h"
#include "resolver/install/interpreter_wish.h"

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

// Goes into paths: nothing but a folder of packages below lib. Empty: what is usual.
std::string checked_site(const std::string& relative) {
  const bool usable = relative.starts_with("lib") && relative.ends_with("/site-packages") && relative.size() < 200 &&
                      Path(relative).lexically_normal() == Path(relative);
  // An environment's lib64 is a link to its lib.
  return !usable ? "" : relative.starts_with("lib64/") ? "lib" + relative.substr(5) : relative;
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
    python.base_prefix = answer.get_string("base_prefix");
    python.externally_managed = answer.get_bool("externally_managed");
    python.site_packages = checked_site(answer.get_string("site_packages"));
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

class Search {
 public:
  Search(ProcessRunner& runner, PythonWish wish, const SpecifierSet& specifiers)
      : runner_(runner), wish_(std::move(wish)), wanted_(wish_.specifiers()), specifiers_(specifiers) {}

  std::optional<Interpreter> first_of(const std::vector<Path>& candidates) {
    for (const Path& candidate : candidates) {
      if (!tried_.insert(candidate).second) continue;
      ProbeResult result = probe(runner_, candidate);
      const std::string reason = result.interpreter ? misfit(*result.interpreter) : result.failure;
      if (reason.empty()) return std::move(result.interpreter);
      note(candidate, result, reason);
    }
    return std::nullopt;
  }

  [[noreturn]] void give_up() const {
    std::string what;
    for (const std::string& text : {wish_text(), specifiers_.text()}) {
      if (!text.empty()) what += (what.empty() ? "`" : " and `") + text + "`";
    }
    const std::string version = wish_.version.empty() ? "3.12" : wish_text();
    throw Error(ErrorKind::not_found,
                what.empty() ? "no usable Python interpreter" : "no Python interpreter fits " + what, "",
                fmt::format("install one (`uv python install {0}`, `pyenv install {0}`, or your system's package), or "
                            "name one by its path with `--python`",
                            version))
        .because(!seen_.empty()       ? "seen:\n" + join(seen_, "\n")
                 : !failures_.empty() ? "seen:\n" + join(failures_, "\n")
                                      : "there is no python3 in PATH, and no version manager keeps one");
  }

 private:
  std::string wish_text() const { return wish_.version + (wish_.free_threaded ? "t" : ""); }

  std::string misfit(const Interpreter& python) const {
    const Version version = Version::parse(python.version);
    if (!wanted_.contains(version)) return fmt::format("it is not {}", wish_text());
    if (wish_.free_threaded && !python.free_threaded) return "it is not free-threaded";
    if (!specifiers_.contains(version)) return fmt::format("`{}` excludes it", specifiers_.text());
    return "";
  }

  // Each version once, where it was found first: PATH often leads to one interpreter by several names. What does not
  // run at all (a version manager's shim for a version that is switched off) is told only when nothing else was seen.
  void note(const Path& candidate, const ProbeResult& result, const std::string& reason) {
    if (!result.interpreter) {
      failures_.push_back(fmt::format("{}: {}", candidate.string(), reason));
    } else if (versions_.insert(result.interpreter->version).second) {
      seen_.push_back(fmt::format("{} ({}): {}", result.interpreter->version, candidate.string(), reason));
    }
  }

  ProcessRunner& runner_;
  const PythonWish wish_;
  const SpecifierSet wanted_, specifiers_;
  std::set<Path> tried_;
  std::set<std::string> versions_;
  std::vector<std::string> seen_, failures_;
};

Interpreter named_by_path(ProcessRunner& runner, const std::string& wanted, const SpecifierSet& specifiers) {
  Path path = wanted;
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    path /= exists(path / "bin/python3") ? "bin/python3" : "bin/python";
  }
  Interpreter python = probe_interpreter(runner, path);
  if (specifiers.contains(Version::parse(python.version))) return python;
  throw Error(ErrorKind::refused, fmt::format("Python {} does not fit `{}`", python.version, specifiers.text()),
              wanted);
}

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
  if (wanted.find('/') != std::string::npos) return named_by_path(runner, wanted, specifiers);
  const auto wish = wanted.empty() ? std::optional(PythonWish{}) : parse_python_wish(wanted);
  if (!wish) {
    throw Error(ErrorKind::usage, fmt::format("`{}` is neither a path nor a Python version", wanted), "",
                "write it as `3.11` or as a path with a slash");
  }
  Search search(runner, *wish, specifiers);
  // Each list is made when the one before held nothing: making them all costs more than the rest of a run with nothing
  // to do.
  const std::function<std::vector<Path>()> lists[] = {
      [] {
        const auto active = find_program("python3");
        return active ? std::vector<Path>{*active} : std::vector<Path>{};
      },
      versioned_pythons_in_path,
      [] { return pythons_in_path("python3"); },
      [] { return pythons_in_path("python"); },
      managed_pythons,
  };
  for (const auto& candidates : lists) {
    if (auto python = search.first_of(candidates())) return *python;
  }
  search.give_up();
}

}  // namespace dae::resolver
