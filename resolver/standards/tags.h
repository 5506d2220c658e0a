#pragma once
// Wheel compatibility tags (PEP 425, 600 manylinux, 656 musllinux), best first.
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
  std::string python_version;       // "3.11"
  std::string python_full_version;  // "3.11.7"; declared targets: "3.11.0"
  std::string implementation = "cpython";
  std::string platform;  // "manylinux_2_36_x86_64", "musllinux_1_2_aarch64", "linux_x86_64"
  bool free_threaded = false;

  std::string label() const;  // "python 3.11 on manylinux_2_36_x86_64"
  MarkerEnvironment markers() const;
  bool operator==(const Target&) const = default;
};
// Throws Error bad_input on an unknown platform.
void validate_target(const Target& target);

class TagSet {
 public:
  explicit TagSet(const Target& target);
  // Rank of the best matching tag of a wheel (0 = best), or -1.
  int rank(const WheelName& wheel) const;
  const std::vector<std::string>& tags() const { return tags_; }

 private:
  std::vector<std::string> tags_;
  std::map<std::string, int, std::less<>> rank_;
};

}  // namespace dae::resolver
