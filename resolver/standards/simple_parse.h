#pragma once
// What the readers of index pages (HTML and JSON) share; for simple_*.cc only.
#include <string>
#include <string_view>
#include <vector>

#include "resolver/standards/simple_page.h"

namespace dae::resolver {

inline constexpr size_t kMaxPageBytes = size_t{256} << 20;
inline constexpr size_t kMaxPageFiles = 1'000'000;

// Fills the file's url and, when it has none, its name from the last part of the URL; `reference` may be relative.
// False when the file has to be dropped: an unsafe name, or a scheme nobody downloads from.
bool place_file(IndexFile& file, std::string_view base_url, std::string_view reference);
// Takes a digest when algorithm and value are well formed.
void add_hash(IndexFile& file, std::string_view algorithm, std::string_view hex);
// "sha256=ab…" (HTML); "true" and "" announce metadata without a hash; "false" announces nothing.
void announce_metadata(IndexFile& file, std::string_view value);
// The attestations' URL, when it is one that could be fetched.
void place_provenance(IndexFile& file, std::string_view base_url, std::string_view reference);
// PEP 629: throws on another major version than 1; true for a minor version that is not known here.
bool check_api_version(std::string_view version, std::string_view page_url);

void parse_project_html(std::string_view body, std::string_view page_url, ProjectPage& out);
void parse_project_json(std::string_view body, std::string_view page_url, ProjectPage& out);
std::vector<std::string> parse_list_html(std::string_view body, std::string_view page_url);
void visit_list_json(std::string_view body, std::string_view page_url, const VisitProject& visit);

}  // namespace dae::resolver
