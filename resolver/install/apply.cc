#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/error.h"
#include "resolver/install/env_state.h"
#include "resolver/install/environment.h"
#include "resolver/install/obstacles.h"
#include "resolver/install/unpacked_store.h"
#include "resolver/install/venv.h"
#include "resolver/install/wheel_install.h"
#include "resolver/install/wheel_removal.h"

namespace dae::resolver {
namespace {

// One run. The order is what makes a kill harmless: the store is filled before the environment is touched; the state
// file names what is about to change before it changes, and says "done" last.
class Applying {
 public:
  Applying(const InstallPlan& plan, const Path& env, const Interpreter& python, BlobStore& blobs,
           const StorePaths& store, EventSink& events)
      : plan_(plan),
        python_(python),
        blobs_(blobs),
        store_(store),
        events_(events),
        layout_(env, python),
        owners_(layout_) {}

  LinkMode run() {
    const FileLock used = lock_store_for_use(store_);
    std::vector<StoredWheel> stored = ensure_unpacked(plan_.add, python_, blobs_, store_, events_);
    make_dirs(layout_.root);
    const FileLock lock = FileLock::acquire(layout_.lock_file(), [&](int pid) {
      note(events_, fmt::format("waiting for process {}, which changes this environment", pid));
    });
    prepare_environment();
    catch_up(stored);
    announce(stored);
    register_environment(store_, layout_.root);
    WheelLinker linker(layout_, store_, owners_, repair_);
    remove_old(linker);
    add_new(stored, linker);
    if (store_.durable) sync_file_system(layout_.root);
    state_.applying.clear();
    save(state_);
    return linker.mode();
  }

 private:
  void prepare_environment() {
    // Nobody else writes here while we hold the lock: what is temporary was left by a killed run.
    sweep_temporary_files(layout_.root);
    sweep_temporary_files(layout_.root / "bin");
    auto known = read_env_state(layout_.root);
    if (!known) {
      known = EnvState{};
      known->made_here = !is_foreign();
    } else if (!known->ready || known->prefix != layout_.root.string() || known->cache_tag != python_.cache_tag) {
      if (!known->made_here) refuse_foreign();
      known = EnvState{};
      known->made_here = true;
      begin(*known);
      clear();
    }
    state_ = std::move(*known);
    if (state_.ready && same_interpreter(state_, python_) && !plan_.make_environment) return;
    if (state_.made_here) {
      if (!state_.ready) begin(state_);
      make_venv(layout_, python_);
    }
    state_.ready = true;
    identify(state_);
  }

  void identify(EnvState& state) const {
    state.prefix = layout_.root.string();
    state.python = python_.real_executable.string();
    state.python_version = python_.version;
    state.cache_tag = python_.cache_tag;
  }

  // From here on a kill leaves an environment that says it is incomplete.
  void begin(EnvState& state) const {
    identify(state);
    save(state);
  }

  void save(const EnvState& state) const {
    write_env_state(layout_.root, state, store_.durable ? Durability::fsync : Durability::none);
  }

  // True for a venv that was here before us. Anything else that is not empty is none of our business.
  bool is_foreign() const {
    bool empty = true;
    for (const std::string& name : list_dir(layout_.root)) empty = empty && name == layout_.lock_file().filename();
    if (empty) return false;
    if (!exists(layout_.root / "pyvenv.cfg") || !exists(layout_.root / layout_.site_packages())) refuse_foreign();
    return true;
  }

  [[noreturn]] void refuse_foreign() const {
    throw Error(ErrorKind::refused,
                fmt::format("not an environment for Python {}, and not made by dae", layout_.python_version),
                layout_.root.string(), "remove it or choose another place");
  }

  void clear() const {
    for (const std::string& name : list_dir(layout_.root)) {
      if (name != layout_.lock_file().filename() && name != "dae-env.json") remove_all(layout_.root / name);
    }
  }

  // With what another process has done since the plan was made.
  void catch_up(std::vector<StoredWheel>& stored) {
    if (!plan_.wanted) return;
    std::set<std::string> there, names;
    for (const InstalledPackage& package : state_.packages) there.insert(package.digest);
    for (const WheelToInstall& wheel : plan_.add) there.insert(wheel.digest.hex());
    std::vector<WheelToInstall> lost;
    for (const WheelToInstall& wheel : *plan_.wanted) {
      names.insert(wheel.name);
      if (!there.contains(wheel.digest.hex())) lost.push_back(wheel);
    }
    for (const InstalledPackage& package : state_.packages) {
      if (!names.contains(package.name)) plan_.remove.emplace_back(package.name, package.version);
    }
    if (lost.empty()) return;
    for (StoredWheel& wheel : ensure_unpacked(lost, python_, blobs_, store_, events_)) {
      stored.push_back(std::move(wheel));
    }
    std::ranges::move(lost, std::back_inserter(plan_.add));
  }

  // Sorts out what to do by what is there now: the plan may be older than the lock.
  void announce(const std::vector<StoredWheel>& stored) {
    // Leavings of a run that was killed: of unknown completeness, so they all go.
    for (InstalledPackage& package : state_.applying) remove_.push_back({std::move(package), true});
    state_.applying.clear();
    repair_ = !remove_.empty();
    if (repair_) sweep_temporary_files(layout_.root / layout_.site_packages());
    const auto take_out = [&](const std::string& name) {
      const auto found = std::ranges::find(state_.packages, name, &InstalledPackage::name);
      if (found == state_.packages.end()) return;
      remove_.push_back({*found, false});
      state_.packages.erase(found);
    };
    for (const auto& [name, version] : plan_.remove) take_out(name);
    for (const InstalledPackage& package : plan_.foreign) {
      const bool ours = std::ranges::count(state_.packages, package.dist_info, &InstalledPackage::dist_info) != 0;
      const Path record = layout_.root / layout_.site_packages() / package.dist_info / "RECORD";
      if (!ours && exists(record)) remove_.push_back({package, false});
    }
    for (size_t i = 0; i < plan_.add.size(); ++i) {
      const WheelToInstall& wheel = plan_.add[i];
      const auto same = [&](const InstalledPackage& package) {
        return package.name == wheel.name && package.digest == wheel.digest.hex();
      };
      if (std::ranges::any_of(state_.packages, same)) continue;  // somebody else was faster
      take_out(wheel.name);
      add_.push_back(i);
    }
    std::vector<std::string> leaving;
    for (const Removal& removal : remove_) leaving.push_back(removal.package.dist_info);
    Obstacles obstacles(layout_, store_, owners_, std::move(leaving));
    for (const size_t i : add_) obstacles.check(plan_.add[i], stored[i]);
    for (const Removal& removal : remove_) state_.applying.push_back(removal.package);
    for (const size_t i : add_) state_.applying.push_back(installed(plan_.add[i], stored[i]));
    // An environment that leads into the store once needs it from then on, whatever its newer packages do. After a
    // removal, too, files may have to be linked for others.
    if (store_.link_mode == LinkMode::symlink && !(add_.empty() && remove_.empty())) {
      state_.link_mode = link_mode_name(LinkMode::symlink);
    }
    save(state_);
  }

  static InstalledPackage installed(const WheelToInstall& wheel, const StoredWheel& stored) {
    return {wheel.name, wheel.version, wheel.digest.hex(), stored.dist_info};
  }

  void remove_old(WheelLinker& linker) {
    std::ranges::sort(remove_, {}, [](const Removal& removal) { return removal.package.name; });
    WheelRemover remover(layout_, store_, owners_, repair_);
    std::vector<WheelRemover::Relink> relink;
    for (const Removal& removal : remove_) owners_.forget(removal.package.dist_info);
    for (const Removal& removal : remove_) {
      for (auto& item : remover.remove(removal.package, removal.unfinished)) relink.push_back(std::move(item));
    }
    for (const auto& item : relink) restore(item, linker);
    for (const Removal& removal : remove_) remover.remove_record(removal.package);
  }

  // A file that two distributions claim, and that had the contents of the one that went.
  void restore(const WheelRemover::Relink& item, WheelLinker& linker) {
    const auto owner = std::ranges::find(state_.packages, item.dist_info, &InstalledPackage::dist_info);
    if (owner == state_.packages.end()) return;  // not ours, or about to be installed anyway
    const WheelToInstall wheel{owner->name, owner->version, owner->name, Digest::parse(owner->digest), ""};
    const auto stored = find_unpacked(store_, owner->digest, store_tag(python_));
    if (stored && linker.restore(wheel, *stored, item.target)) return;
    warning(events_, fmt::format("`{}` has lost its `{}` to a package that was removed; install it anew", owner->name,
                                 item.target));
  }

  void add_new(const std::vector<StoredWheel>& stored, WheelLinker& linker) {
    Activity activity(events_, "installing", "", add_.size());
    std::vector<WheelLinker::Job> jobs;
    for (const size_t i : add_) {
      jobs.push_back({plan_.add[i], stored[i]});
      state_.packages.push_back(installed(plan_.add[i], stored[i]));
    }
    linker.install(jobs, [&](size_t done) { activity.progress(done, jobs.size()); });
    activity.finish();
    linker.report_conflicts(events_);
    tell_mode(linker.mode());
  }

  void tell_mode(LinkMode used) {
    if (used == LinkMode::automatic) return;
    if (state_.link_mode != link_mode_name(LinkMode::symlink)) state_.link_mode = link_mode_name(used);
    if (store_.link_mode == LinkMode::automatic || store_.link_mode == used) return;
    note(events_,
         fmt::format("link mode `{}` does not work from {} into {}: `{}` was used", link_mode_name(store_.link_mode),
                     store_.unpacked.string(), layout_.root.string(), link_mode_name(used)));
  }

  InstallPlan plan_;
  const Interpreter& python_;
  BlobStore& blobs_;
  const StorePaths& store_;
  EventSink& events_;
  const EnvLayout layout_;
  Owners owners_;
  EnvState state_;
  struct Removal {
    InstalledPackage package;
    bool unfinished = false;  // a killed run was at it
  };
  std::vector<Removal> remove_;
  std::vector<size_t> add_;
  bool repair_ = false;
};

}  // namespace

LinkMode apply_install(const InstallPlan& plan, const Path& env, const Interpreter& python, BlobStore& blobs,
                       const StorePaths& store, EventSink& events) {
  return Applying(plan, env, python, blobs, store, events).run();
}

}  // namespace dae::resolver
