#include "resolver/install/build_job.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/strings.h"
#include "resolver/install/wheel_check.h"
#include "resolver/lock/build_pins.h"
#include "resolver/source/archive_source.h"
#include "resolver/standards/names.h"

namespace dae::resolver {
namespace {

constexpr uint64_t kMaxWheelBytes = 2ull << 30;
constexpr uint64_t kMaxMetadataBytes = 16 << 20;
constexpr size_t kMaxDepth = 10;

bool covers(const std::vector<std::string>& all, const std::vector<std::string>& some) {
  return std::ranges::includes(all, some);
}

std::string link_name(const BuildSubject& subject) {
  if (subject.name.empty()) return subject.tree.label;
  return subject.version.empty() ? subject.name : subject.name + " " + subject.version;
}

// "git-<commit>", "tree-<digest>", or the digest of an archive, perhaps with that of a folder in it behind.
std::string digest_in(const std::string& key) {
  const size_t dash = key.find('-');
  return dash < 12 ? key.substr(dash + 1) : key;
}

// Versions are made from what stands above a project in a work tree, or license files are taken from there.
std::optional<Path> work_tree_above(const Path& project) {
  for (Path at = std::filesystem::weakly_canonical(project); at.has_relative_path(); at = at.parent_path()) {
    if (exists(at / ".git") || exists(at / ".hg")) return at;
  }
  return std::nullopt;
}

}  // namespace

void BuildWarnings::once(EventSink& events, const std::string& text) {
  const std::lock_guard lock(mutex);
  if (said.insert(text).second) warning(events, text);
}

BuildJob::BuildJob(SourceBuilder& builder, BuildWarnings& warnings, const BuildSubject& subject)
    : builder_(builder),
      warnings_(warnings),
      subject_(subject),
      label_(subject.tree.label),
      cache_(builder.cache_dir(), subject.tree, builder.python()),
      chain_(subject.chain),
      log_(builder.cache_dir(), link_name(subject), digest_in(cache_.key())) {
  chain_.push_back(link_name(subject_));
}

void BuildJob::check_chain() const {
  const auto again = std::ranges::count(subject_.chain, chain_.back()) > 0;
  if (!again && chain_.size() <= kMaxDepth) return;
  throw Error(
      ErrorKind::no_solution,
      again ? "building it needs itself to be built first" : "its build requirements have to be built too deeply",
      label_, "a version with a wheel ends this: require another one in `build-system.requires`, or allow wheels")
      .because(join(chain_, " -> "));
}

void BuildJob::open() {
  if (work_) return;
  const Path root = std::filesystem::absolute(builder_.cache_dir()) / "built-wheels";
  work_.emplace(".building-", root);
  tree_ = writable_tree(subject_.tree, work_->path());
  tree_.root = std::filesystem::absolute(tree_.root).lexically_normal();
  system_ = read_build_system(tree_.project(), label_);
}

std::string BuildJob::hook(const char* of_wheel, const char* of_editable) const {
  return subject_.tree.editable ? of_editable : of_wheel;
}

bool BuildJob::is_locked_upgraded(const std::vector<LockedPackage>& pins) const {
  const auto& names = builder_.setup().upgrade;
  return std::ranges::any_of(names, [&](const std::string& name) {
    return name == "*" || std::ranges::count(pins, normalize_name(name), &LockedPackage::name) > 0;
  });
}

std::vector<std::pair<const LockedBuild*, std::vector<Selected>>> BuildJob::locked() const {
  std::vector<std::pair<const LockedBuild*, std::vector<Selected>>> out;
  const auto& lock = builder_.setup().lock;
  if (!lock || subject_.name.empty()) return out;
  const std::string name = build_name(subject_.name, subject_.tree.identity.empty() ? "" : subject_.version);
  std::vector<const LockedBuild*> found = builds_of(*lock, name);
  // Of a repository the lock names no version, though one may be known here.
  if (found.empty()) found = builds_of(*lock, subject_.name);
  for (const LockedBuild* build : found) {
    const auto pins = pins_of(*lock, *build);
    if (!pins || is_locked_upgraded(*pins)) continue;
    try {
      out.emplace_back(build, select_pins(*pins, builder_.python().target()));
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::refused) throw;  // made for other machines
    }
  }
  return out;
}

std::optional<Path> BuildJob::kept_wheel() {
  if (!cache_.keeps()) return std::nullopt;
  const auto all = locked();
  for (const auto& [build, pins] : all) {
    const auto key = environment_key(pins, builder_.python());
    if (!key) continue;
    if (auto wheel = cache_.wheel(*key)) return wheel;
  }
  return all.empty() ? cache_.latest_wheel() : std::nullopt;
}

BuildEnvironment BuildJob::environment_of(const std::vector<Selected>& pins) {
  return make_build_environment(pins, builder_, chain_);
}

std::optional<Value> BuildJob::call(const std::string& hook, const Path& out, const std::string& what,
                                    const BuildEnvironment& environment) {
  BuildPlace place;
  place.project = tree_.project();
  place.environment = environment.dir;
  place.work = work_->path();
  place.readable = {builder_.setup().unpacked.empty() ? builder_.cache_dir() / "unpacked" : builder_.setup().unpacked,
                    tree_.root};
  if (subject_.tree.identity.empty()) {
    place.writable.push_back(place.project);
    if (const auto top = work_tree_above(place.project)) place.readable.push_back(*top);
  } else {
    place.writable.push_back(tree_.root);
  }
  BuildBackend backend(system_, place, builder_.python(), label_, *builder_.setup().sandbox, builder_.runner(),
                       builder_.events(), log_);
  return backend.call(hook, out, what);
}

std::vector<std::string> BuildJob::asked_for(const BuildEnvironment& environment) {
  if (auto known = cache_.requirements()) return *known;
  const auto answer = call(hook("get_requires_for_build_wheel", "get_requires_for_build_editable"),
                           work_->path() / "requires", "its build requirements cannot be had", environment);
  std::vector<std::string> all = with_asked_for(answer);
  cache_.keep_requirements(all);
  return all;
}

std::vector<std::string> BuildJob::with_asked_for(const std::optional<Value>& answer) const {
  std::vector<std::string> all = system_.requirements;
  if (answer) {
    if (!answer->is_array()) throw Error(ErrorKind::failed, "its build requirements are broken", label_);
    for (const Value& item : answer->as_array()) all.push_back(item.is_string() ? item.as_string() : "");
  }
  return canonical_requirements(all, label_);
}

bool BuildJob::use_locked() {
  const auto all = locked();
  for (const auto& [build, pins] : all) {
    if (!covers(build->requirements, system_.requirements)) continue;
    const BuildEnvironment environment = environment_of(pins);
    if (!covers(build->requirements, asked_for(environment))) continue;
    environment_ = environment;
    requirements_ = build->requirements;
    return true;
  }
  if (!all.empty() && builder_.setup().want_locked) {
    warnings_.once(builder_.events(),
                   fmt::format("what `{}` is built with has changed since it was locked; run `dae lock "
                               "--upgrade-package {}`",
                               link_name(subject_), subject_.name));
  }
  return false;
}

void BuildJob::use_unlocked() {
  const std::vector<Target> here = {builder_.python().target()};
  const auto make = [&](const std::vector<std::string>& requirements) {
    return environment_of(select_pins(builder_.pins(requirements, chain_, here), here.front()));
  };
  if (auto known = cache_.requirements()) {
    requirements_ = *known;
    environment_ = make(requirements_);
    return;
  }
  BuildEnvironment first = make(system_.requirements);
  requirements_ = asked_for(first);
  environment_ = requirements_ == system_.requirements ? first : make(requirements_);
}

const BuildEnvironment& BuildJob::environment() {
  if (environment_) return *environment_;
  check_chain();
  open();
  if (use_locked()) return *environment_;
  use_unlocked();
  if (builder_.setup().want_locked && !requirements_.empty()) {
    warnings_.once(builder_.events(),
                   fmt::format("what `{}` is built with is not locked: run `dae lock`", link_name(subject_)));
  }
  return *environment_;
}

std::vector<std::string> BuildJob::requirements() {
  if (auto known = cache_.requirements()) return *known;
  environment();
  return requirements_;
}

void BuildJob::check_wheel_file(const Path& wheel) const {
  const std::string file_name = wheel.filename().string();
  const auto name = parse_wheel_name(file_name);
  const auto info = file_info(wheel);
  if (!name || !info || !info->is_file()) {
    throw Error(ErrorKind::failed, fmt::format("its build made no wheel, but `{}`", file_name), label_);
  }
  if (info->size_bytes > kMaxWheelBytes) throw Error(ErrorKind::failed, "its build made a wheel of over 2 GiB", label_);
  const bool other_name = !subject_.name.empty() && name->distribution != normalize_name(subject_.name);
  const auto version = Version::try_parse(subject_.version);
  // A local label may be added by a build; a source tree says its version itself.
  const bool other_version = !subject_.tree.identity.empty() && version && name->version != *version &&
                             name->version.without_local() != *version;
  if (other_name || other_version) {
    throw Error(ErrorKind::verification,
                fmt::format("its build made `{}`, not a wheel of `{}`", file_name,
                            other_name ? subject_.name : subject_.name + " " + subject_.version),
                label_);
  }
  try {
    verify_wheel(ZipFile::open(wheel, file_name), name->distribution, name->version.text(),
                 EnvLayout("/", builder_.python()));
  } catch (const Error& error) {
    throw Error(error.kind(), "its build made a broken wheel: " + error.message(), label_).because(error.cause());
  }
}

Path BuildJob::wheel() {
  if (auto kept = kept_wheel()) return *kept;
  const BuildEnvironment& used = environment();
  // Not held while requirements are built: two builds that need each other would wait for ever.
  const FileLock lock = FileLock::acquire(cache_.lock_file());
  if (auto built = cache_.wheel(used.key)) return *built;
  Activity activity(builder_.events(), "building", label_);
  const Path out = work_->path() / "out";
  const auto answer = call(hook("build_wheel", "build_editable"), out,
                           hook("building a wheel of it failed", "an editable wheel of it cannot be made"), used);
  if (!answer) {
    throw Error(ErrorKind::failed,
                subject_.tree.editable ? "its build backend makes no editable wheels (PEP 660)"
                                       : "its build backend makes no wheels",
                label_,
                subject_.tree.editable
                    ? "raise the version of the backend in `build-system.requires`, or require it without `-e`"
                    : "");
  }
  if (!answer->is_string() || !is_safe_file_name(answer->as_string())) {
    throw Error(ErrorKind::failed, "its build backend named no file", label_);
  }
  check_wheel_file(out / answer->as_string());
  const Path only = work_->path() / "made";
  make_dirs(only);
  rename_path(out / answer->as_string(), only / answer->as_string());
  activity.finish();
  return cache_.keep_wheel(only, used.key);
}

Path BuildJob::sdist(const Path& folder) {
  check_chain();
  open();
  const std::vector<Target> here = {builder_.python().target()};
  const auto make = [&](const std::vector<std::string>& requirements) {
    return environment_of(select_pins(builder_.pins(requirements, chain_, here), here.front()));
  };
  BuildEnvironment used = make(system_.requirements);
  const auto all = with_asked_for(call("get_requires_for_build_sdist", work_->path() / "requires",
                                       "what making an sdist of it takes cannot be had", used));
  if (all != system_.requirements) used = make(all);
  Activity activity(builder_.events(), "making an sdist", label_);
  const Path out = work_->path() / "sdist";
  const auto answer = call("build_sdist", out, "making an sdist of it failed", used);
  const std::string name = answer && answer->is_string() ? answer->as_string() : "";
  const auto info = is_safe_file_name(name) ? file_info(out / name) : std::nullopt;
  if (!parse_sdist_name(name) || !info || !info->is_file()) {
    throw Error(ErrorKind::failed, "its build backend made no sdist", label_);
  }
  make_dirs(folder);
  copy_file(out / name, folder / name);
  activity.finish();
  return folder / name;
}

std::string BuildJob::metadata() {
  if (auto kept = cache_.metadata()) return *kept;
  if (const auto built = kept_wheel()) return wheel_metadata(*built, label_);
  std::string text;
  const char* kWhat = "its metadata cannot be had";
  std::optional<Value> answer;
  const Path out = (environment(), work_->path() / "metadata");
  if (!subject_.tree.editable) {
    Activity activity(builder_.events(), "asking its build backend", label_);
    answer = call("prepare_metadata_for_build_wheel", out, kWhat, *environment_);
    activity.finish();
  }
  if (answer) {
    const std::string folder = answer->is_string() ? answer->as_string() : "";
    if (!is_safe_file_name(folder) || !folder.ends_with(".dist-info")) {
      throw Error(ErrorKind::failed, "its build backend named a folder that is no .dist-info", label_);
    }
    text = read_file(out / folder / "METADATA", kMaxMetadataBytes);
  } else {
    text = wheel_metadata(wheel(), label_);
  }
  cache_.keep_metadata(text);
  return text;
}

}  // namespace dae::resolver
