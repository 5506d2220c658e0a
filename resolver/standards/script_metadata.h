#pragma once
// Metadata inside a script ("Inline script metadata", formerly PEP 723): the block between `# /// script` and `# ///`.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/value.h"
#include "resolver/standards/requirement.h"

namespace dae::resolver {

struct ScriptMetadata {
  struct Dependency {
    Requirement requirement;
    Position position;  // in the script
  };
  std::vector<Dependency> dependencies;
  std::string requires_python;  // or ""
  Value tool;                   // the [tool] table, null without one; positions are those of the script
};

// nullopt: there is no such block. Blocks of other types, and ones that do not end, are passed over.
// Throws Error bad_input (`file`:line:column) when there are two of them, or on what is no valid metadata.
std::optional<ScriptMetadata> read_script_metadata(std::string_view text, const std::string& file);

}  // namespace dae::resolver
