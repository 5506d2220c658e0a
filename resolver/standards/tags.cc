#include "resolver/standards/tags.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/strings.h"

namespace dae::resolver {
namespace {

constexpr std::array<std::string_view, 10> kArchitectures = {"x86_64",  "i686",  "aarch64", "armv7l",  "armv8l",
                                                             "ppc64le", "ppc64", "s390x",   "riscv64", "loongarch64"};
constexpr int64_t kMaxLibcMinor = 200, kMinPythonMinor = 8, kMaxPythonMinor = 99;

enum class Libc { none, glibc, musl };
struct Platform {
  Libc libc = Libc::none;
  int64_t major = 0, minor = 0;  // of the C library
  std::string architecture;
};

[[noreturn]] void refuse_platform(const std::string& platform) {
  std::string hint = "use manylinux_2_<minor>_<arch>, musllinux_1_<minor>_<arch> or linux_<arch>";
  if (platform.starts_with("macosx") || platform.starts_with("win")) hint = "only Linux targets can be resolved";
  if (platform.starts_with("manylinux1_")) hint = "write it as manylinux_2_5_<arch>";
  if (platform.starts_with("manylinux2010_")) hint = "write it as manylinux_2_12_<arch>";
  if (platform.starts_with("manylinux2014_")) hint = "write it as manylinux_2_17_<arch>";
  throw Error(ErrorKind::bad_input, "unsupported platform `" + platform.substr(0, 100) + "`", "", hint);
}

Platform parse_platform(const std::string& text) {
  Platform out;
  std::string_view rest = text;
  const auto number = [&]() -> int64_t {
    const size_t end = rest.find('_');
    if (end == std::string_view::npos || end == 0 || end > 3) refuse_platform(text);
    const auto value = parse_int(rest.substr(0, end));
    if (!value || *value < 0 || *value > kMaxLibcMinor) refuse_platform(text);
    rest.remove_prefix(end + 1);
    return *value;
  };
  if (rest.starts_with("manylinux_")) {
    out.libc = Libc::glibc;
  } else if (rest.starts_with("musllinux_")) {
    out.libc = Libc::musl;
  } else if (!rest.starts_with("linux_")) {
    refuse_platform(text);
  }
  rest.remove_prefix(rest.find('_') + 1);
  if (out.libc != Libc::none) {
    out.major = number();
    out.minor = number();
    if (out.major != (out.libc == Libc::glibc ? 2 : 1)) refuse_platform(text);
  }
  if (std::find(kArchitectures.begin(), kArchitectures.end(), rest) == kArchitectures.end()) refuse_platform(text);
  out.architecture = rest;
  return out;
}

// The minor version of "3.<minor>".
int64_t python_minor(const Target& target) {
  const std::string_view text = target.python_version;
  const auto minor = text.starts_with("3.") ? parse_int(text.substr(2)) : std::nullopt;
  if (!minor || *minor < kMinPythonMinor || *minor > kMaxPythonMinor) {
    throw Error(ErrorKind::bad_input, "unsupported python version `" + std::string(text.substr(0, 40)) + "`", "",
                "give major and minor, 3.8 or later, such as 3.11");
  }
  return *minor;
}

// PEP 600 and 656: a wheel for an older C library runs on a newer one. Native tags first, newest library first.
std::vector<std::string> platform_tags(const Platform& platform) {
  std::vector<std::string> architectures = {platform.architecture};
  if (platform.architecture == "armv8l") architectures.push_back("armv7l");
  std::vector<std::string> out;
  for (const auto& architecture : architectures) out.push_back("linux_" + architecture);
  const bool x86 = platform.architecture == "x86_64" || platform.architecture == "i686";
  // No manylinux platform is older: 2.5 is that of manylinux1 (x86 only), 2.17 that of manylinux2014.
  const int64_t oldest = platform.libc == Libc::glibc ? (x86 ? 5 : 17) : 0;
  if (platform.libc == Libc::none) return out;
  const std::string family = platform.libc == Libc::glibc ? "manylinux_" : "musllinux_";
  for (const auto& architecture : architectures) {
    for (int64_t minor = platform.minor; minor >= oldest; --minor) {
      out.push_back(family + std::to_string(platform.major) + "_" + std::to_string(minor) + "_" + architecture);
      if (platform.libc != Libc::glibc) continue;
      if (minor == 17) out.push_back("manylinux2014_" + architecture);
      if (minor == 12) out.push_back("manylinux2010_" + architecture);
      if (minor == 5) out.push_back("manylinux1_" + architecture);
    }
  }
  return out;
}

}  // namespace

std::string Target::label() const {
  return "python " + python_version + (free_threaded ? "t" : "") + " on " + platform;
}

void validate_target(const Target& target) {
  parse_platform(target.platform);
  python_minor(target);
  if (target.implementation != "cpython") {
    throw Error(ErrorKind::bad_input, "unsupported python implementation `" + target.implementation + "`", "",
                "only cpython can be resolved for");
  }
}

MarkerEnvironment Target::markers() const {
  const std::string full = python_full_version.empty() ? python_version + ".0" : python_full_version;
  MarkerEnvironment out;
  out.values = {{"os_name", "posix"},
                {"sys_platform", "linux"},
                {"platform_system", "Linux"},
                {"platform_machine", parse_platform(platform).architecture},
                {"platform_release", ""},  // of the kernel: nothing a lock may depend on
                {"platform_version", ""},
                {"python_version", python_version},
                {"python_full_version", full},
                {"implementation_name", "cpython"},
                {"implementation_version", full},
                {"platform_python_implementation", "CPython"}};
  return out;
}

TagSet::TagSet(const Target& target) {
  validate_target(target);
  const std::vector<std::string> platforms = platform_tags(parse_platform(target.platform));
  const int64_t minor = python_minor(target);
  const auto version = [](int64_t number) { return "3" + std::to_string(number); };
  const std::string interpreter = "cp" + version(minor);
  const std::string abi = interpreter + (target.free_threaded ? "t" : "");
  const std::string stable = target.free_threaded ? "abi3t" : "abi3";
  const auto add = [&](const std::string& python, const std::string& abi_tag, const std::string& platform) {
    tags_.push_back(python + "-" + abi_tag + "-" + platform);
  };
  const auto add_platforms = [&](const std::string& python, const std::string& abi_tag) {
    for (const auto& platform : platforms) add(python, abi_tag, platform);
  };

  for (const std::string& abi_tag : {abi, stable, std::string("none")}) add_platforms(interpreter, abi_tag);
  // The stable ABI of PEP 384 began with 3.2; built for an older minor it works on every later one.
  for (int64_t older = minor - 1; older >= 2; --older) add_platforms("cp" + version(older), stable);

  std::vector<std::string> pythons = {"py" + version(minor), "py3"};
  for (int64_t older = minor - 1; older >= 0; --older) pythons.push_back("py" + version(older));
  for (const auto& python : pythons) add_platforms(python, "none");
  add(interpreter, "none", "any");
  for (const auto& python : pythons) add(python, "none", "any");

  for (size_t i = 0; i < tags_.size(); ++i) rank_.emplace(tags_[i], static_cast<int>(i));
}

int TagSet::rank(const WheelName& wheel) const {
  int best = -1;
  for (const std::string& tag : wheel.tags) {
    const auto found = rank_.find(tag);
    if (found != rank_.end() && (best < 0 || found->second < best)) best = found->second;
  }
  return best;
}

}  // namespace dae::resolver
