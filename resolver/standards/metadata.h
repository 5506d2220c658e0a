#pragma once
// Core metadata (specification "Core metadata", up to 2.6): the RFC 822-like METADATA and PKG-INFO files.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "resolver/standards/requirement.h"

namespace dae::resolver {

struct CoreMetadata {
  std::string metadata_version, name, version, summary, requires_python;
  std::vector<std::string> requires_dist;   // raw lines
  std::vector<std::string> provides_extra;  // normalised
  std::vector<std::string> dynamic;         // lower case field names (PEP 643)
};
// Throws Error bad_input (subject = `source`) when name or version is missing. Headers only; the body is ignored.
CoreMetadata parse_core_metadata(std::string_view text, std::string_view source);

}  // namespace dae::resolver
