#include "resolver/standards/tags.h"

#include <algorithm>

#include "base/error.h"
#include "base/strings.h"
#include "resolver/standards/tags_platform.h"

namespace dae::resolver {
namespace {

constexpr int64_t kMinPythonMinor = 8, kMaxPythonMinor = 99, kFirstFreeThreadedMinor = 13;
// Of all PyPy releases since 2020: the ABI is named after the interface, not after the release.
constexpr const char* kPypyAbi = "pp73";
constexpr const char* kPypyVersion = "7.3";

[[noreturn]] void refuse_python(std::string_view text) {
  throw Error(ErrorKind::bad_input, "unsupported python version `" + std::string(text.substr(0, 40)) + "`", "",
              "give major and minor, 3.8 or later, such as 3.11");
}

// The minor version of "3.<minor>".
int64_t python_minor(const Target& target) {
  const std::string_view text = target.python_version;
  const auto minor = text.starts_with("3.") ? parse_int(text.substr(2)) : std::nullopt;
  if (!minor || *minor < kMinPythonMinor || *minor > kMaxPythonMinor) refuse_python(text);
  return *minor;
}

bool is_pypy(const Target& target) {
  return target.implementation == "pypy";
}

}  // namespace

std::string Target::label() const {
  return (is_pypy(*this) ? "pypy " : "python ") + python_version + (free_threaded ? "t" : "") + " on " + platform;
}

void validate_target(const Target& target) {
  Platform::parse(target.platform);
  const int64_t minor = python_minor(target);
  if (target.implementation != "cpython" && !is_pypy(target)) {
    throw Error(ErrorKind::bad_input, "unsupported python implementation `" + target.implementation.substr(0, 40) + "`",
                "", "cpython and pypy can be resolved for");
  }
  if (target.free_threaded && (is_pypy(target) || minor < kFirstFreeThreadedMinor)) {
    throw Error(ErrorKind::bad_input, "there is no free-threaded " + target.label(), "",
                "CPython has a free-threaded build since 3.13");
  }
}

Target declared_target(std::string_view python, const std::string& platform) {
  Target out;
  std::string_view version = python;
  if (version.starts_with("pypy")) {
    out.implementation = "pypy";
    version.remove_prefix(4);
  }
  if (version.ends_with('t')) {
    out.free_threaded = true;
    version.remove_suffix(1);
  }
  const auto parsed = Version::try_parse(version);
  const size_t size = parsed ? parsed->release_size() : 0;
  if (size < 2 || size > 3 || parsed->text() != version || parsed->epoch() || parsed->is_local()) refuse_python(python);
  out.python_version = std::to_string(parsed->release_at(0)) + "." + std::to_string(parsed->release_at(1));
  out.python_full_version = size == 3 ? parsed->text() : out.python_version + ".0";
  out.platform = platform;
  validate_target(out);
  return out;
}

MarkerEnvironment Target::markers() const {
  const std::string full = python_full_version.empty() ? python_version + ".0" : python_full_version;
  MarkerEnvironment out;
  for (auto& [name, value] : Platform::parse(platform).markers()) out.values[std::move(name)] = std::move(value);
  out.values["python_version"] = python_version;
  out.values["python_full_version"] = full;
  out.values["implementation_name"] = implementation;
  out.values["implementation_version"] = is_pypy(*this) ? kPypyVersion : full;
  out.values["platform_python_implementation"] = is_pypy(*this) ? "PyPy" : "CPython";
  return out;
}

TagSet::TagSet(const Target& target) {
  validate_target(target);
  platforms_ = Platform::parse(target.platform).tags();
  for (const std::string& platform : platforms_) {
    platform_ranks_.emplace(platform, static_cast<int>(platform_ranks_.size()));
  }
  const int64_t minor = python_minor(target);
  const auto version = [](int64_t number) { return "3" + std::to_string(number); };
  const std::string interpreter = (is_pypy(target) ? "pp" : "cp") + version(minor);
  if (is_pypy(target)) {
    add(interpreter, "pypy" + version(minor) + "_" + kPypyAbi);
    add(interpreter, "none");
  } else {
    const std::string stable = target.free_threaded ? "abi3t" : "abi3";
    for (const std::string& abi : {interpreter + (target.free_threaded ? "t" : ""), stable, std::string("none")}) {
      add(interpreter, abi);
    }
    // The stable ABI of PEP 384 began with 3.2; built for an older minor it works on every later one.
    for (int64_t older = minor - 1; older >= 2; --older) add("cp" + version(older), stable);
  }
  std::vector<std::string> pythons = {"py" + version(minor), "py3"};
  for (int64_t older = minor - 1; older >= 0; --older) pythons.push_back("py" + version(older));
  for (const auto& python : pythons) add(python, "none");
  add_any(is_pypy(target) ? "pp3" : interpreter);
  for (const auto& python : pythons) add_any(python);
}

void TagSet::add(const std::string& python, const std::string& abi) {
  groups_[python + "-" + abi].first = size_;
  size_ += static_cast<int>(platforms_.size());
}

void TagSet::add_any(const std::string& python) {
  groups_[python + "-none"].any = size_++;
}

int TagSet::rank(std::string_view tag) const {
  const size_t dash = tag.rfind('-');
  if (dash == std::string_view::npos) return -1;
  const auto group = groups_.find(tag.substr(0, dash));
  if (group == groups_.end()) return -1;
  const std::string_view platform = tag.substr(dash + 1);
  if (platform == "any") return group->second.any;
  const auto found = group->second.first < 0 ? platform_ranks_.end() : platform_ranks_.find(platform);
  return found == platform_ranks_.end() ? -1 : group->second.first + found->second;
}

int TagSet::rank(const WheelName& wheel) const {
  int best = -1;
  for (const std::string& tag : wheel.tags) {
    const int found = rank(tag);
    if (found >= 0 && (best < 0 || found < best)) best = found;
  }
  return best;
}

std::vector<std::string> TagSet::tags() const {
  std::vector<std::string> out(static_cast<size_t>(size_));
  for (const auto& [name, group] : groups_) {
    if (group.any >= 0) out[static_cast<size_t>(group.any)] = name + "-any";
    if (group.first < 0) continue;
    for (size_t i = 0; i < platforms_.size(); ++i) {
      out[static_cast<size_t>(group.first) + i] = name + "-" + platforms_[i];
    }
  }
  return out;
}

}  // namespace dae::resolver
