#include "resolver/standards/tags_platform.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/strings.h"

namespace dae::resolver {
namespace {

using Family = Platform::Family;

constexpr std::array<std::string_view, 10> kLinuxMachines = {"x86_64",  "i686",  "aarch64", "armv7l",  "armv8l",
                                                             "ppc64le", "ppc64", "s390x",   "riscv64", "loongarch64"};
constexpr int64_t kMaxLibcMinor = 200, kMaxMacosMajor = 99;
// Of macOS: 10.4 was the first on Intel; 10.16 is how 11 calls itself to programs built before it.
constexpr int64_t kOldestMacos10 = 4, kNewestMacos10 = 16;

[[noreturn]] void refuse(const std::string& platform) {
  std::string hint =
      "use manylinux_2_<minor>_<arch>, musllinux_1_<minor>_<arch>, linux_<arch>, macosx_<major>_<minor>_<arch>, "
      "win_amd64, win_arm64 or win32";
  if (platform.starts_with("macosx_") && platform.find("universal") != std::string::npos) {
    hint = "name the machine that it is to run on: macosx_<major>_<minor>_x86_64 or _arm64";
  }
  if (platform.starts_with("manylinux1_")) hint = "write it as manylinux_2_5_<arch>";
  if (platform.starts_with("manylinux2010_")) hint = "write it as manylinux_2_12_<arch>";
  if (platform.starts_with("manylinux2014_")) hint = "write it as manylinux_2_17_<arch>";
  throw Error(ErrorKind::bad_input, "unsupported platform `" + platform.substr(0, 100) + "`", "", hint);
}

bool is_supported(const Platform& platform) {
  const int64_t major = platform.major, minor = platform.minor;
  switch (platform.family) {
    case Family::glibc:
      if (major != 2 || minor > kMaxLibcMinor) return false;
      break;
    case Family::musl:
      if (major != 1 || minor > kMaxLibcMinor) return false;
      break;
    case Family::macos:
      if (platform.machine == "arm64") return major >= 11 && major <= kMaxMacosMajor;
      if (platform.machine != "x86_64") return false;
      return major == 10 ? minor >= kOldestMacos10 && minor <= kNewestMacos10 : major >= 11 && major <= kMaxMacosMajor;
    default:
      break;
  }
  return std::find(kLinuxMachines.begin(), kLinuxMachines.end(), platform.machine) != kLinuxMachines.end();
}

// PEP 600 and 656: a wheel for an older C library runs on a newer one. Native tags first, newest library first.
std::vector<std::string> linux_tags(const Platform& platform) {
  std::vector<std::string> machines = {platform.machine};
  if (platform.machine == "armv8l") machines.push_back("armv7l");
  std::vector<std::string> out;
  for (const auto& machine : machines) out.push_back("linux_" + machine);
  if (platform.family == Family::bare_linux) return out;
  const bool glibc = platform.family == Family::glibc;
  const bool x86 = platform.machine == "x86_64" || platform.machine == "i686";
  // No manylinux platform is older: 2.5 is that of manylinux1 (x86 only), 2.17 that of manylinux2014.
  const int64_t oldest = !glibc ? 0 : x86 ? 5 : 17;
  const std::string family = (glibc ? "manylinux_" : "musllinux_") + std::to_string(platform.major) + "_";
  for (const auto& machine : machines) {
    for (int64_t minor = platform.minor; minor >= oldest; --minor) {
      out.push_back(family + std::to_string(minor) + "_" + machine);
      if (!glibc) continue;
      if (minor == 17) out.push_back("manylinux2014_" + machine);
      if (minor == 12) out.push_back("manylinux2010_" + machine);
      if (minor == 5) out.push_back("manylinux1_" + machine);
    }
  }
  return out;
}

// Up to 10.15 each year brought a minor version, since 11 a major one. What was built for 10.x on Intel runs on 11 and
// later; on ARM only those universal2 builds that were labelled with the version of their Intel half.
std::vector<std::string> macos_tags(const Platform& platform) {
  std::vector<std::string> out;
  const auto add = [&](int64_t major, int64_t minor, std::initializer_list<const char*> formats) {
    for (const char* format : formats) {
      out.push_back("macosx_" + std::to_string(major) + "_" + std::to_string(minor) + "_" + format);
    }
  };
  const bool arm = platform.machine == "arm64";
  const auto add_native = [&](int64_t major, int64_t minor) {
    if (arm) {
      add(major, minor, {"arm64", "universal2"});
    } else {
      add(major, minor, {"x86_64", "intel", "fat64", "fat3", "universal2", "universal"});
    }
  };
  for (int64_t major = platform.major; major > 10; --major) add_native(major, 0);
  const int64_t newest = platform.major == 10 ? platform.minor : kNewestMacos10;
  for (int64_t minor = newest; minor >= kOldestMacos10; --minor) {
    if (arm) {
      add(10, minor, {"universal2"});
    } else {
      add_native(10, minor);
    }
  }
  return out;
}

}  // namespace

Platform Platform::parse(const std::string& text) {
  Platform out;
  if (text == "win_amd64" || text == "win_arm64" || text == "win32") {
    out.family = Family::windows;
    out.machine = text == "win32" ? "x86" : text.substr(4);
    return out;
  }
  static constexpr std::pair<std::string_view, Family> kPrefixes[] = {{"manylinux_", Family::glibc},
                                                                      {"musllinux_", Family::musl},
                                                                      {"macosx_", Family::macos},
                                                                      {"linux_", Family::bare_linux}};
  std::string_view rest = text;
  const auto* const prefix = std::find_if(std::begin(kPrefixes), std::end(kPrefixes),
                                          [&](const auto& known) { return rest.starts_with(known.first); });
  if (prefix == std::end(kPrefixes)) refuse(text);
  out.family = prefix->second;
  rest.remove_prefix(prefix->first.size());
  const auto number = [&]() -> int64_t {
    const size_t end = rest.find('_');
    if (end == std::string_view::npos || end == 0 || end > 3) refuse(text);
    const auto value = parse_int(rest.substr(0, end));
    if (!value || *value < 0) refuse(text);
    rest.remove_prefix(end + 1);
    return *value;
  };
  if (out.family != Family::bare_linux) {
    out.major = number();
    out.minor = number();
  }
  out.machine = rest;
  if (!is_supported(out)) refuse(text);
  return out;
}

std::vector<std::string> Platform::tags() const {
  if (family == Family::macos) return macos_tags(*this);
  if (family == Family::windows) return {machine == "x86" ? "win32" : "win_" + machine};
  return linux_tags(*this);
}

std::vector<std::pair<std::string, std::string>> Platform::markers() const {
  const bool windows = family == Family::windows, macos = family == Family::macos;
  // platform.machine() spells 64 bits in capitals on Windows.
  std::string spelt = machine;
  if (windows && machine != "x86") {
    std::transform(spelt.begin(), spelt.end(), spelt.begin(),
                   [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
  }
  return {{"os_name", windows ? "nt" : "posix"},
          {"sys_platform", windows ? "win32"
                           : macos ? "darwin"
                                   : "linux"},
          {"platform_system", windows ? "Windows"
                              : macos ? "Darwin"
                                      : "Linux"},
          {"platform_machine", spelt},
          {"platform_release", ""},  // of the kernel: nothing a lock may depend on
          {"platform_version", ""}};
}

}  // namespace dae::resolver
