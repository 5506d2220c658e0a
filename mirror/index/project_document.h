#pragma once
// All that an index says of a project at one time: immutable, and named by the sha256 of its canonical JSON. Two
// indexes, or two snapshots, that say the same name the same document. Format: share/doc/formats/project-document.md.
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/hash.h"
#include "resolver/standards/simple_page.h"

namespace dae::mirror {

struct ProjectDocument {
  resolver::ProjectPage page;                    // files with upstream's URLs; "" for what was uploaded here
  std::string display_name;                      // as its owner writes it; "" when that is not known
  std::map<std::string, int64_t> first_seen_ms;  // by file name: when this mirror saw it first
};

std::string write_document(const ProjectDocument& document);  // canonical JSON
// Throws Error bad_input, subject = `source`.
ProjectDocument parse_document(std::string_view text, std::string_view source);

}  // namespace dae::mirror
