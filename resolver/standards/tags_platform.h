#pragma once
// The platforms a wheel can be made for: their names, what runs on them, and what markers see there. For tags.cc only.
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace dae::resolver {

struct Platform {
  enum class Family { bare_linux, glibc, musl, macos, windows };
  Family family = Family::bare_linux;
  int64_t major = 0, minor = 0;  // of the C library or of macOS
  std::string machine;           // as in tags: "x86_64", "arm64", "amd64"

  // "manylinux_2_36_x86_64", "macosx_14_0_arm64" …; throws Error bad_input.
  static Platform parse(const std::string& text);
  std::vector<std::string> tags() const;  // all that run there, best first
  std::vector<std::pair<std::string, std::string>> markers() const;
};

}  // namespace dae::resolver
