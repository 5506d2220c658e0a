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
  std::vector<std::string> provides_extra;  // normalised, each once; names that are none are passed over
  std::vector<std::string> dynamic;         // lower case field names (PEP 643)
  std::string license, license_expression;  // free text; SPDX (2.4)
  std::vector<std::string> license_files;   // 2.4
  std::vector<std::string> import_names, import_namespaces;  // 2.5, with their "; private"
  std::vector<std::string> classifiers, project_urls;        // raw lines
  std::string author, author_email, home_page;
  // A metadata version after 2.6: what it adds is not known here. Worth a warning, no error.
  bool newer_minor = false;

  // May the value of a field (lower case, "requires-dist") in an sdist be trusted without building it (PEP 643)?
  // Before 2.2 nothing may but name and version. A wheel's own metadata is final whatever this says.
  bool is_static(std::string_view field) const;
  // 2.6 (PEP 808): the values that are there stay, a build may only add to them.
  bool is_append_only(std::string_view field) const;
};
// Throws Error bad_input (subject = `source`) when name or version is missing, the name is none, or the major version
// is unknown. Headers only: the body is ignored. Bytes that are no UTF-8 are read as Latin-1.
CoreMetadata parse_core_metadata(std::string_view text, std::string_view source);

// The long description: the body, or the field `Description` of before 2.1.
std::string metadata_description(std::string_view text);

// Throws Error bad_input (subject = `file_name`) unless name and version are those of the wheel's or sdist's file name.
// `project`: normalised, settles the names of sdists.
void check_metadata_matches(const CoreMetadata& metadata, std::string_view file_name, std::string_view project);

}  // namespace dae::resolver
