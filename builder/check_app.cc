// What parses but cannot work. Each check looks at files only and runs nothing.
#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/process.h"
#include "base/strings.h"
#include "builder/app_file.h"
#include "builder/source_files.h"

namespace dae::builder {

namespace {

// sun_path of a Unix socket holds 107 characters and a NUL; share/doc/formats/artifact.md, "On a node".
constexpr size_t kSocketPathBytes = 107;

class Checker {
 public:
  explicit Checker(const AppFile& app) : app_(app) {}

  std::vector<Finding> run() {
    for (const mirror::Instance& instance : app_.config.instances) check_instance(instance);
    check_one_web();
    for (const auto& [prefix, directory] : app_.config.static_files) check_static(prefix, directory);
    for (const std::string& pattern : app_.protected_files) check_protected(pattern);
    check_dependencies();
    std::stable_sort(findings_.begin(), findings_.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<Finding> out;
    for (auto& [line, finding] : findings_) out.push_back(std::move(finding));
    return out;
  }

 private:
  void add(bool error, const std::string& key, std::string message, std::string hint = "") {
    const auto found = app_.positions.find(key);
    const Position position = found == app_.positions.end() ? Position{} : found->second;
    const std::string where =
        position.line == 0 ? app_.file : fmt::format("{}:{}:{}", app_.file, position.line, position.column);
    findings_.emplace_back(std::pair(position.line, position.column),
                           Finding{error, where, std::move(message), std::move(hint)});
  }

  bool here(const Path& relative) const { return exists(app_.dir / relative); }

  void check_instance(const mirror::Instance& instance) {
    const std::string key = "instances." + instance.name;
    if (!instance.command.empty()) {
      check_script(key + ".command", instance.command);
    } else if (!instance.wsgi.empty()) {
      check_wsgi(key + ".wsgi", instance.wsgi);
    }
    if (instance.type == "cron") {
      add(false, key, fmt::format("nodes do not run cron instances yet: `{}` will not start", instance.name));
    }
    const std::string socket =
        fmt::format("/run/dae/{}/{}.{}.{}.sock", app_.config.name, std::string(12, 'x'), instance.name, instance.count);
    if (instance.type == "web" && socket.size() > kSocketPathBytes) {
      add(true, key,
          fmt::format("its socket would have a path of {} characters, {} is the most", socket.size(), kSocketPathBytes),
          "shorten the name of the app or of the instance");
    }
  }

  // "package.module:callable" is package/module.py or package/module/__init__.py.
  void check_wsgi(const std::string& key, const std::string& wsgi) {
    const size_t colon = wsgi.find(':');
    const std::string module = wsgi.substr(0, colon), callable = split(wsgi.substr(colon + 1), '.').front();
    const std::string base = replace_all(module, ".", "/");
    const std::string file = here(base + ".py") ? base + ".py" : base + "/__init__.py";
    if (!here(file)) {
      // A package that is not here at all may come with a wheel.
      const std::string top = split(module, '.').front();
      const bool ours = top == module || here(top) || here(top + ".py");
      add(ours, key, fmt::format("there is no module `{}`: neither `{}.py` nor `{}/__init__.py`", module, base, base));
      return;
    }
    const std::string text = read_file(app_.dir / file, 16u << 20);
    if (text.find(callable) == std::string::npos && text.find("import *") == std::string::npos) {
      add(false, key, fmt::format("`{}` does not seem to define `{}`", file, callable));
    }
  }

  // `python x.py`: the one kind of command whose file is known to be in the app.
  void check_script(const std::string& key, const std::string& command) {
    const std::vector<std::string> argv = split_command(command);
    if (argv.size() < 2 || !(argv[0] == "python" || argv[0] == "python3")) return;
    const std::string& script = argv[1];
    if (!script.ends_with(".py") || script.starts_with('-') || script.starts_with('/') || here(script)) return;
    add(app_.build_steps.empty(), key, fmt::format("there is no file `{}`", script));
  }

  void check_one_web() {
    const mirror::Instance* first = nullptr;
    for (const mirror::Instance& instance : app_.config.instances) {
      if (instance.type != "web") continue;
      if (first) {
        add(true, "instances." + instance.name,
            fmt::format("the gateway leads to one web instance, and `{}` is that one", first->name),
            "make it an app of its own, or a `daemon`");
      } else {
        first = &instance;
      }
    }
  }

  void check_static(const std::string& prefix, const std::string& directory) {
    const std::string key = "static." + prefix;
    const auto info = file_info(app_.dir / directory);
    const bool made_later = !app_.build_steps.empty();
    if (!exists(app_.dir / directory)) {
      add(!made_later, key, fmt::format("there is no folder `{}`", directory),
          made_later ? "a build step must make it" : "");
    } else if (info && info->is_file()) {
      add(true, key, fmt::format("`{}` is a file, not a folder", directory));
    } else if (!is_source_file(app_, std::string(trim_slash(directory)) + "/x")) {
      add(true, key, fmt::format("`{}` is left out of the artifact", directory),
          "it matches `build.exclude` or `protected_files`");
    }
  }

  static std::string_view trim_slash(std::string_view text) {
    while (text.size() > 1 && text.ends_with('/')) text.remove_suffix(1);
    return text;
  }

  void check_protected(const std::string& pattern) {
    const bool plain = pattern.find_first_of("*?[") == std::string::npos;
    if (plain && !here(pattern)) {
      add(false, "protected_files", fmt::format("there is no file `{}` to protect", pattern));
    }
  }

  void check_dependencies() {
    if (!here("pyproject.toml") && !here("pip-req.txt")) {
      add(true, "", "neither `pyproject.toml` nor `pip-req.txt` names the dependencies", "add one, even an empty one");
    } else if (!here("pylock.toml")) {
      add(false, "", "there is no lock yet", "make it with `dae install`");
    }
  }

  const AppFile& app_;
  std::vector<std::pair<std::pair<uint32_t, uint32_t>, Finding>> findings_;
};

}  // namespace

std::vector<Finding> check_app(const AppFile& app) {
  return Checker(app).run();
}

}  // namespace dae::builder
