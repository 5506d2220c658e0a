#pragma once
// Names: PEP 503 normalisation, wheel file names (PEP 427/491, build tags), sdist file names (PEP 625 and before).
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "resolver/standards/version.h"

namespace dae::resolver {

bool is_valid_name(std::string_view name);          // PEP 508 identifier
std::string normalize_name(std::string_view name);  // runs of -_. become '-', lower case

struct WheelName {
  std::string distribution;  // normalised
  Version version;
  std::string build;              // "" or "1abc"
  std::vector<std::string> tags;  // expanded "py3-none-any", compressed sets multiplied out
  // Breaks ties between wheels of one version and tag: the higher one is preferred, none is lowest.
  std::pair<int64_t, std::string> build_order() const;
};
std::optional<WheelName> parse_wheel_name(std::string_view file_name);

struct SdistName {
  std::string distribution;  // normalised
  Version version;
};
// Without a `project` as the specification says: .tar.gz and .zip, the version behind the last dash. With one
// (normalised) as pip reads the pages of an index: it settles names with dashes, and the archives from before PEP 527
// count too (.tar.bz2, .tgz, .tar.xz, …). Eggs and installers (.egg, .exe, .msi, .rpm) are nothing to us.
std::optional<SdistName> parse_sdist_name(std::string_view file_name, std::string_view project = "");

// True for the endings that wheels and sdists have, those from before PEP 527 included.
bool has_distribution_ending(std::string_view file_name);
// True when the name could be that of a file of `project` (normalised): "Foo_Bar-1.0…" of "foo-bar".
bool is_file_of_project(std::string_view file_name, std::string_view project);

// A base name that is safe to create: no '/', '\', NUL, control characters, "..", leading dot; at most 255 bytes.
bool is_safe_file_name(std::string_view name);

}  // namespace dae::resolver
