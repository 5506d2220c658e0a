#include "resolver/install/interpreter_memory.h"

#include <fmt/format.h>

#include <fcntl.h>
#include <unistd.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/value.h"

namespace dae::resolver {
namespace {

constexpr int kFormat = 3;

Path memory_file() {
  return cache_dir() / "interpreters.json";
}

std::string stamp(const Path& path) {
  std::error_code error;
  const Path real = std::filesystem::canonical(path, error);
  const auto info = error ? std::nullopt : file_info(real);
  return info ? fmt::format("{} {} {}\n", real.string(), info->mtime_ns, info->size_bytes) : "-\n";
}

// pyenv, asdf and mise choose the version by these when their launcher runs.
std::string launcher_steering(const Path& executable) {
  std::string text;
  for (const char* name : {"PYENV_VERSION", "PYENV_ROOT", "ASDF_PYTHON_VERSION", "MISE_PYTHON_VERSION"}) {
    text += fmt::format("{}={}\n", name, env_var(name).value_or(""));
  }
  std::error_code error;
  for (Path dir = std::filesystem::current_path(error); !error; dir = dir.parent_path()) {
    for (const char* name : {".python-version", ".tool-versions", "mise.toml"}) {
      if (exists(dir / name)) text += stamp(dir / name);
    }
    if (dir == dir.parent_path()) break;
  }
  return text + stamp(executable.parent_path().parent_path() / "version") + stamp(home_dir() / ".tool-versions");
}

Value to_value(const ProbeResult& result) {
  if (!result.interpreter) return Value::object({{"failure", result.failure}});
  const Interpreter& python = *result.interpreter;
  return Value::object({{"executable", python.executable.string()},
                        {"real_executable", python.real_executable.string()},
                        {"real_stamp", stamp(python.real_executable)},
                        {"version", python.version},
                        {"platform", python.platform},
                        {"libc", python.libc},
                        {"cache_tag", python.cache_tag},
                        {"soabi", python.soabi},
                        {"free_threaded", python.free_threaded},
                        {"site_packages", python.site_packages},
                        {"base_prefix", python.base_prefix},
                        {"externally_managed", python.externally_managed}});
}

std::optional<ProbeResult> from_value(const Value& value) {
  ProbeResult out;
  out.failure = value.get_string("failure");
  if (!out.failure.empty()) return out;
  Interpreter python;
  python.executable = value.get_string("executable");
  python.real_executable = value.get_string("real_executable");
  // The interpreter behind a link or a launcher may have been replaced in place.
  if (value.get_string("real_stamp") != stamp(python.real_executable)) return std::nullopt;
  python.version = value.get_string("version");
  python.platform = value.get_string("platform");
  python.libc = value.get_string("libc");
  python.cache_tag = value.get_string("cache_tag");
  python.soabi = value.get_string("soabi");
  python.free_threaded = value.get_bool("free_threaded");
  python.site_packages = value.get_string("site_packages");
  python.base_prefix = value.get_string("base_prefix");
  python.externally_managed = value.get_bool("externally_managed");
  out.interpreter = std::move(python);
  return out;
}

Value load() {
  const auto text = read_file_if_exists(memory_file(), 16 << 20);
  if (text) {
    try {
      Value memory = parse_json(*text, memory_file().string()).root;
      if (memory.get_integer("format") == kFormat && memory.find("probes") != nullptr) return memory;
    } catch (const Error&) {
      // A damaged memory is no memory: everything is probed again.
    }
  }
  return Value::object({{"format", kFormat}, {"probes", Value::object()}});
}

}  // namespace

bool is_launcher_script(const Path& executable) {
  const Fd fd(open(executable.c_str(), O_RDONLY | O_CLOEXEC));
  char head[2] = {};
  return fd.valid() && read(fd.get(), head, sizeof head) == 2 && head[0] == '#' && head[1] == '!';
}

std::string interpreter_key(const Path& executable) {
  if (!exists(executable)) return "";
  std::string text = executable.string() + "\n" + stamp(executable);
  // A venv's interpreter is a link to another's: what makes it a venv is the file beside it.
  text += stamp(executable.parent_path().parent_path() / "pyvenv.cfg");
  if (is_launcher_script(executable)) text += launcher_steering(executable);
  return Digest::of(text).hex();
}

std::optional<ProbeResult> recall_probe(const Path& executable, const std::string& key) {
  const Value memory = load();
  const Value* known = memory.at("probes").find(executable.string());
  if (known == nullptr || known->get_string("key") != key) return std::nullopt;
  return from_value(*known);
}

void remember_probe(const Path& executable, const std::string& key, const ProbeResult& result) {
  Value memory = load();
  Value probes = memory.at("probes");
  Value entry = to_value(result);
  entry.set("key", key);
  probes.set(executable.string(), std::move(entry));
  memory.set("probes", std::move(probes));
  try {
    make_dirs(memory_file().parent_path());
    write_file_atomic(memory_file(), pretty_json(memory), 0644, Durability::none);
  } catch (const Error&) {
    // A cache that cannot be written costs a probe the next time.
  }
}

}  // namespace dae::resolver
