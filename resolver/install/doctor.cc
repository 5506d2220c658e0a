#include "resolver/install/doctor.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <map>

#include "base/error.h"
#include "resolver/install/env_state.h"
#include "resolver/install/store_entry.h"
#include "resolver/install/verify.h"

namespace dae::resolver {
namespace {

using State = DoctorCheck::State;

constexpr size_t kMostDetails = 20;

DoctorCheck problem(std::string name, std::string text, std::string hint) {
  return {std::move(name), State::problem, std::move(text), {}, std::move(hint)};
}
DoctorCheck fine(std::string name, std::string text) {
  return {std::move(name), State::ok, std::move(text), {}, ""};
}
DoctorCheck remark(std::string name, std::string text) {
  return {std::move(name), State::note, std::move(text), {}, ""};
}

class Examination {
 public:
  Examination(ProcessRunner& runner, const DoctorQuestion& question, EventSink& events)
      : runner_(runner), ask_(question), root_(normal(question.env)), events_(events) {}

  std::vector<DoctorCheck> run() {
    if (!exists(root_ / "pyvenv.cfg") && list_dir(root_).empty()) {
      checks_.push_back(problem("environment", "there is none: `" + root_.string() + "`", "run `dae install`"));
      return std::move(checks_);
    }
    if (!read_state()) return std::move(checks_);
    check_place();
    check_installation();
    check_interpreter();
    try {
      check_packages();
    } catch (const Error& error) {
      checks_.push_back(problem("files", error.what(), "remove `" + root_.string() + "`, then run `dae install`"));
    }
    check_store();
    return std::move(checks_);
  }

 private:
  static Path normal(const Path& env) {
    const Path path = std::filesystem::absolute(env).lexically_normal();
    return path.filename().empty() ? path.parent_path() : path;
  }

  bool read_state() {
    try {
      state_ = read_env_state(root_);
    } catch (const Error& error) {
      checks_.push_back(
          problem("environment", error.what(), "remove `" + root_.string() + "`, then run `dae install`"));
      return false;
    }
    if (!exists(root_ / "pyvenv.cfg")) {
      checks_.push_back(problem("environment", "its pyvenv.cfg is gone", "run `dae install --repair`"));
    } else if (!state_) {
      checks_.push_back(remark("environment", "made by something else, and dae has installed nothing in it yet"));
    } else {
      checks_.push_back(fine("environment", fmt::format("{} packages in {}", state_->packages.size(), root_.string())));
    }
    return true;
  }

  void check_place() {
    if (!state_) return;
    if (state_->prefix == root_.string()) return checks_.push_back(fine("place", "it is where it was made"));
    checks_.push_back(problem("place",
                              fmt::format("it was made as `{}`, and its scripts hold that path", state_->prefix),
                              state_->made_here ? "run `dae install`: it is made anew"
                                                : "remove `" + root_.string() + "`, then run `dae install`"));
  }

  void check_installation() {
    if (!state_) return;
    if (state_->ready && state_->applying.empty()) {
      return checks_.push_back(fine("installation", "the last one ran to its end"));
    }
    DoctorCheck check = problem("installation", "the last one was interrupted, or one is running", "run `dae install`");
    for (const InstalledPackage& package : state_->applying) {
      check.details.push_back(package.name + " " + package.version);
    }
    checks_.push_back(std::move(check));
  }

  void check_interpreter() {
    const Path link = root_ / "bin/python";
    if (!exists(link)) {
      const auto target = read_link(link);
      checks_.push_back(problem("interpreter",
                                target ? fmt::format("`{}` is not there any more", *target) : "bin/python is gone",
                                "run `dae install`"));
      return;
    }
    try {
      inside_ = probe_interpreter(runner_, link);
    } catch (const Error& error) {
      checks_.push_back(
          problem("interpreter", error.what(), "mend that interpreter, or run `dae install` with another"));
      return;
    }
    const std::string now = fmt::format("Python {} ({})", inside_->version, inside_->real_executable.string());
    if (state_ && !same_interpreter(*state_, *inside_)) {
      checks_.push_back(problem("interpreter",
                                fmt::format("made for Python {}, is {} now", state_->python_version, now),
                                "run `dae install`"));
    } else if (ask_.python != nullptr && ask_.python->real_executable != inside_->real_executable) {
      checks_.push_back(
          remark("interpreter", fmt::format("{}; the next `dae install` chooses Python {} ({}) and makes it anew", now,
                                            ask_.python->version, ask_.python->real_executable.string())));
    } else {
      checks_.push_back(fine("interpreter", now));
    }
  }

  void check_packages() {
    const std::vector<StandingDistribution> standing = standing_distributions(root_);
    if (ask_.locked && state_) check_lock();
    if (inside_) checks_.push_back(check_dependencies(standing, inside_->target(), ask_.overridden));
    checks_.push_back(check_duplicates(standing));
    checks_.push_back(check_foreign(standing));
    check_files();
  }

  void check_lock() {
    std::map<std::string, InstalledPackage> installed;
    for (const InstalledPackage& package : state_->packages) installed.emplace(package.name, package);
    DoctorCheck check = fine("lock", "the environment is what pylock.toml says");
    std::map<std::string, const Selected*> most;
    for (const Selected& package : ask_.most) most.emplace(package.name, &package);
    for (const Selected& package : ask_.least) {
      if (!installed.contains(package.name))
        check.details.push_back("missing: " + package.name + " " + package.version);
    }
    for (const auto& [name, package] : installed) {
      const auto wanted = most.find(name);
      if (wanted == most.end()) {
        check.details.push_back("not in the lock: " + name + " " + package.version);
      } else if (!wanted->second->version.empty() && wanted->second->version != package.version) {
        check.details.push_back(fmt::format("{} {} instead of {}", name, package.version, wanted->second->version));
      } else if (wanted->second->is_wheel && wanted->second->file.sha256 != package.digest) {
        check.details.push_back(fmt::format("{} {} of another wheel", name, package.version));
      }
    }
    if (!check.details.empty()) {
      check.state = State::problem;
      check.text = fmt::format("the environment differs from pylock.toml in {} packages", check.details.size());
      check.hint = "run `dae install`";
    }
    checks_.push_back(std::move(check));
  }

  void check_files() {
    const VerifyReport report = verify_environment(root_, ask_.store, events_, {ask_.deep});
    DoctorCheck check =
        fine("files", fmt::format("{} files are there{}", report.files,
                                  ask_.deep ? " as they were installed" : "; `--deep` reads them, too"));
    bool unlisted = false;
    for (const VerifyFinding& finding : report.findings) {
      unlisted |= finding.kind == VerifyFinding::Kind::unlisted;
      check.details.push_back(fmt::format("{}: {}{}", finding_name(finding.kind), finding.path,
                                          finding.detail.empty() ? "" : " (" + finding.detail + ")"));
    }
    if (!report.sound()) {
      const bool damaged = !report.damaged.empty() || report.damaged_environment;
      // What somebody put there by hand is odd, but not broken.
      const bool only_unlisted =
          std::ranges::all_of(report.findings, [](const auto& f) { return f.kind == VerifyFinding::Kind::unlisted; });
      check.state = only_unlisted && !damaged ? State::note : State::problem;
      check.text = fmt::format("{} findings", report.findings.size());
      check.hint = damaged    ? "run `dae install --repair`"
                   : unlisted ? "remove what nobody needs"
                              : "what dae did not install is mended by whoever did";
    }
    if (check.details.size() > kMostDetails) {
      const size_t more = check.details.size() - kMostDetails;
      check.details.resize(kMostDetails);
      check.details.push_back(fmt::format("{} more: `dae install --verify` lists all", more));
    }
    checks_.push_back(std::move(check));
  }

  static std::optional<dev_t> device_of(const Path& path) {
    struct stat info = {};
    // The nearest that is there: it may be about to be made.
    for (Path at = path;; at = at.parent_path()) {
      if (::stat(at.c_str(), &info) == 0) return info.st_dev;
      if (at == at.parent_path()) return std::nullopt;
    }
  }

  void check_store() {
    const Path& store = ask_.store.unpacked;
    const std::string how = state_ ? state_->link_mode : "";
    if (how == link_mode_name(LinkMode::symlink)) {
      if (!exists(store)) {
        return checks_.push_back(
            problem("store", fmt::format("the environment is links into `{}`, which is not there", store.string()),
                    "run `dae install --repair`"));
      }
      if (!is_registered()) {
        return checks_.push_back(problem("store",
                                         "the environment is links into it, and it does not know: a collection "
                                         "would break them",
                                         "run `dae install --repair`"));
      }
    }
    const bool same = device_of(store) == device_of(root_);
    std::string text = same ? "on one file system with the environment: files are hard links"
                            : "on another file system than the environment: files are copied";
    if (!how.empty()) text += fmt::format("; the last installation used `{}`", how);
    DoctorCheck check = same ? fine("store", std::move(text)) : remark("store", std::move(text));
    if (!same) check.hint = "DAE_CACHE_DIR on the file system of the environments makes installing quicker";
    checks_.push_back(std::move(check));
  }

  bool is_registered() const {
    const Path roots = ask_.store.unpacked / kStoreRoots;
    return std::ranges::any_of(list_dir(roots), [&](const std::string& name) {
      return registered_environment(roots / name) == root_.string();
    });
  }

  ProcessRunner& runner_;
  const DoctorQuestion& ask_;
  const Path root_;
  EventSink& events_;
  std::optional<EnvState> state_;
  std::optional<Interpreter> inside_;
  std::vector<DoctorCheck> checks_;
};

}  // namespace

std::vector<DoctorCheck> examine_environment(ProcessRunner& runner, const DoctorQuestion& question, EventSink& events) {
  return Examination(runner, question, events).run();
}

}  // namespace dae::resolver
