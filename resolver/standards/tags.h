#pragma once
// Wheel compatibility tags (PEP 425, 600 manylinux, 656 musllinux; macOS and Windows as declared targets), best first.
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "resolver/standards/marker.h"
#include "resolver/standards/names.h"

namespace dae::resolver {

// What a wheel has to fit: an interpreter and a platform. From a probe of the running interpreter
// (install/interpreter.h) or declared in app.yaml ("3.11", "manylinux_2_36_x86_64").
struct Target {
  std::string python_version;              // "3.11"
  std::string python_full_version;         // "3.11.7"; declared targets: "3.11.0"
  std::string implementation = "cpython";  // or "pypy"
  // "manylinux_2_36_x86_64", "musllinux_1_2_aarch64", "linux_x86_64", "macosx_14_0_arm64", "win_amd64"
  std::string platform;
  bool free_threaded = false;

  std::string label() const;  // "python 3.11 on manylinux_2_36_x86_64"
  MarkerEnvironment markers() const;
  bool operator==(const Target&) const = default;
};
// Throws Error bad_input on an unknown platform, python or implementation.
void validate_target(const Target& target);
// `python`: "3.11", "3.11.7", "3.13t" (free-threaded) or "pypy3.11". Throws as validate_target().
Target declared_target(std::string_view python, const std::string& platform);

// Tags are "<python>-<abi>-<platform>": each python and abi goes with all platforms in turn, or with "any".
class TagSet {
 public:
  explicit TagSet(const Target& target);
  // Rank of the best matching tag of a wheel (0 = best), or -1.
  int rank(const WheelName& wheel) const;
  int rank(std::string_view tag) const;  // of one, "py3-none-any"
  std::vector<std::string> tags() const;

 private:
  struct Group {
    int first = -1;  // rank with the first platform; -1: with none
    int any = -1;    // rank with "any"
  };
  void add(const std::string& python, const std::string& abi);
  void add_any(const std::string& python);

  int size_ = 0;
  std::vector<std::string> platforms_;
  std::map<std::string, int, std::less<>> platform_ranks_;
  std::map<std::string, Group, std::less<>> groups_;  // "cp311-abi3"
};

}  // namespace dae::resolver
