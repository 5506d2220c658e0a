#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/strings.h"
#include "base/value.h"
#include "resolver/source/index.h"

namespace dae::resolver {
namespace {

// What pip itself would use for `pip install`: its own option parser lays its files and environment over its default.
// pip has no public API for this; the second way is for versions whose first way differs. `config list` is pip's
// documented command and covers whatever may come, except for the built-in default.
constexpr const char* kScript = R"python(
import json, os, sys
from pip._internal.models.index import PyPI
try:
    from pip._internal.commands import create_command
    options, _ = create_command("install").parse_args([])
    found = (options.index_url, options.extra_index_urls, options.cert, options.no_index)
except Exception:
    from pip._internal.configuration import Configuration
    configuration = Configuration(isolated=False)
    configuration.load()
    values = {}
    for key, value in configuration.items():
        section, _, name = key.partition(".")
        if section in ("global", "install", ":env:") and isinstance(value, str):
            values[name] = value
    found = (values.get("index-url", PyPI.simple_url), values.get("extra-index-url", "").split(),
             values.get("cert"), values.get("no-index", "") in ("1", "true", "yes", "on"))
files = []
try:
    from pip._internal.configuration import get_configuration_files
    for names in get_configuration_files().values():
        files.extend(names)
except Exception:
    pass
if os.environ.get("PIP_CONFIG_FILE"):
    files.append(os.environ["PIP_CONFIG_FILE"])
sys.stdout.write("\n" + json.dumps({
    "index_url": found[0] or "", "extra": list(found[1] or []), "cert": found[2] or "", "no_index": bool(found[3]),
    "default": PyPI.simple_url, "files": [os.path.abspath(name) for name in files]}) + "\n")
)python";

constexpr const char* kVariables[] = {"PIP_CERT",        "PIP_CONFIG_FILE", "PIP_EXTRA_INDEX_URL", "PIP_INDEX_URL",
                                      "PIP_NO_INDEX",    "PIP_ISOLATED",    "PIP_PYPI_URL",        "HOME",
                                      "XDG_CONFIG_DIRS", "XDG_CONFIG_HOME", "PYENV_VERSION",       "VIRTUAL_ENV"};

std::string stamp(const Path& path) {
  const auto info = file_info(path);
  return info ? fmt::format("{} {}", info->mtime_ns, info->size_bytes) : "-";
}

// Only a digest is kept: PIP_INDEX_URL may hold a password. The pages of the answer hold it no longer than pip's file.
std::string environment_key(const Path& python) {
  std::string text = python.string() + "\n" + stamp(python) + "\n";
  for (const char* name : kVariables) text += fmt::format("{}={}\n", name, env_var(name).value_or(""));
  return Digest::of(text).hex();
}

std::string with_slash(std::string url) {
  if (!url.ends_with('/')) url += '/';
  return url;
}

struct Probe {
  PipIndex index;
  std::vector<std::string> files;
};

std::optional<Probe> ask(ProcessRunner& runner, const Path& python, std::string& why) {
  ProcessSpec spec;
  spec.argv = {python.string(), "-c", kScript};
  spec.timeout_ms = 60'000;
  const ProcessResult result = runner.run(spec);
  const std::vector<std::string> lines = split_lines(trim(result.out));
  if (result.exit_code != 0 || lines.empty()) {
    const std::vector<std::string> errors = split_lines(trim(result.err));
    why = errors.empty() ? fmt::format("exit code {}", result.exit_code) : errors.back();
    return std::nullopt;
  }
  const Value answer = parse_json(lines.back(), "pip's answer").root;
  if (answer.get_bool("no_index")) {
    throw Error(ErrorKind::not_found, "pip is configured to use no index (`no-index`)", python.string(),
                "name an index, or unset PIP_NO_INDEX");
  }
  Probe out;
  out.index.index_url = with_slash(answer.at("index_url").as_string());
  for (const std::string& url : answer.get_strings("extra")) out.index.extra_index_urls.push_back(with_slash(url));
  out.index.ca_file = answer.get_string("cert");
  const bool own = out.index.index_url == with_slash(answer.get_string("default"));
  out.index.origin = own && out.index.extra_index_urls.empty() ? "pip's default" : "pip's configuration";
  out.files = answer.get_strings("files");
  parse_url(out.index.index_url);
  return out;
}

Path memory_file() {
  return cache_dir() / "pip-index.json";
}

// Credentials stay where the user put them: an answer that holds some is not remembered.
bool has_secret(const PipIndex& index) {
  const auto secret = [](const std::string& url) { return !parse_url(url).user_info.empty(); };
  return secret(index.index_url) || std::ranges::any_of(index.extra_index_urls, secret);
}

void remember(const Probe& probe, const std::string& key) {
  if (has_secret(probe.index)) return;
  Value files = Value::object();
  for (const std::string& file : probe.files) files.set(file, stamp(file));
  const Value memory = Value::object({{"format", 1},
                                      {"key", key},
                                      {"index_url", probe.index.index_url},
                                      {"extra", Value::strings(probe.index.extra_index_urls)},
                                      {"cert", probe.index.ca_file.string()},
                                      {"origin", probe.index.origin},
                                      {"files", std::move(files)}});
  make_dirs(memory_file().parent_path());
  write_file_atomic(memory_file(), pretty_json(memory), 0600, Durability::none);
}

std::optional<PipIndex> remembered(const std::string& key) {
  const auto text = read_file_if_exists(memory_file(), 1 << 20);
  if (!text) return std::nullopt;
  try {
    const Value memory = parse_json(*text, memory_file().string()).root;
    if (memory.get_integer("format") != 1 || memory.get_string("key") != key) return std::nullopt;
    for (const auto& [file, was] : memory.at("files").as_object()) {
      if (stamp(file) != was.as_string()) return std::nullopt;
    }
    return PipIndex{memory.at("index_url").as_string(), memory.get_strings("extra"), memory.get_string("cert"),
                    memory.get_string("origin")};
  } catch (const Error&) {
    return std::nullopt;  // a damaged memory is no memory
  }
}

}  // namespace

PipIndex pip_index(ProcessRunner& runner) {
  std::string seen, why;
  for (const char* name :
       {"python3", "python", "python3.14", "python3.13", "python3.12", "python3.11", "python3.10", "python3.9"}) {
    const auto python = find_program(name);
    if (!python) continue;
    const std::string key = environment_key(*python);
    if (auto index = remembered(key)) return *index;
    if (const auto probe = ask(runner, *python, why)) {
      remember(*probe, key);
      return probe->index;
    }
    seen += fmt::format("{}{} ({})", seen.empty() ? "" : ", ", python->string(), why);
  }
  throw Error(ErrorKind::not_found, "no pip that could tell which index to use", "",
              "install pip (`python3 -m ensurepip`), or name the index yourself")
      .because(seen.empty() ? "no python3 in PATH" : seen);
}

}  // namespace dae::resolver
