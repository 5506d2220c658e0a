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
// `project` (normalised) settles names with dashes, as pip does. .tar.gz and .zip (others are ignored as pip does).
std::optional<SdistName> parse_sdist_name(std::string_view file_name, std::string_view project = "");

// A base name that is safe to create: no '/', '\', NUL, control characters, "..", leading dot; at most 255 bytes.
bool is_safe_file_name(std::string_view name);

}  // namespace dae::resolver
