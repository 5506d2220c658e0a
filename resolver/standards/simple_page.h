#pragma once
// A project page of a package index: PEP 503 HTML and PEP 691 JSON in, both out (592 yank, 629 version, 658/714
// metadata, 700 size and upload-time, 740 provenance, 792 status), up to API 1.4. Hostile input: relative URLs are
// resolved, file names are checked. `versions` is told from the files; `tracks` and `alternate-locations` (PEP 708) are
// passed over: who an index claims to speak for is for the user's configuration to say.
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dae::resolver {

struct IndexFile {
  std::string name;                           // "flask-3.1.2-py3-none-any.whl"
  std::string url;                            // absolute, without fragment
  std::string sha256;                         // hex, or ""
  std::map<std::string, std::string> hashes;  // all of them, algorithm -> hex
  std::string requires_python;
  bool yanked = false;
  std::string yanked_reason;
  bool has_metadata = false;    // <url>.metadata is announced
  std::string metadata_sha256;  // "" when announced without a hash
  std::optional<uint64_t> size_bytes;
  std::string upload_time;  // RFC 3339, or ""
  std::string provenance;   // PEP 740: URL of the attestations, or ""
};

struct ProjectPage {
  std::string name;  // normalised
  std::vector<IndexFile> files;
  std::string status;  // PEP 792, "" = active
  std::string status_reason;
  std::string api_version = "1.0";
  bool newer_minor = false;  // the index speaks a later 1.x than 1.4: worth a warning (PEP 629), no error
};

inline constexpr const char* kSimpleJson = "application/vnd.pypi.simple.v1+json";
inline constexpr const char* kSimpleHtml = "application/vnd.pypi.simple.v1+html";
// What a client sends: JSON first.
inline constexpr const char* kSimpleAccept =
    "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1";

// Chooses by content type. Throws Error bad_input (subject = url) on an unknown type, major version or a body that is
// no index page. Files with unsafe names are dropped, and as pip does those whose names are not of `project` (unless
// that is "": a page of links to files of several projects).
ProjectPage parse_project_page(std::string_view body, std::string_view content_type, std::string_view page_url,
                               std::string_view project);
// Names on a root page.
std::vector<std::string> parse_project_list(std::string_view body, std::string_view content_type,
                                            std::string_view page_url);
// The same one by one, as written, with the number of each project's last change where the index tells it (JSON,
// `_last-serial`); 0: it does not.
using VisitProject = std::function<void(std::string_view name, int64_t serial)>;
void visit_project_list(std::string_view body, std::string_view content_type, std::string_view page_url,
                        const VisitProject& visit);

std::string render_project_json(const ProjectPage& page);  // urls as they stand in the files
std::string render_project_html(const ProjectPage& page);
// `serials`: none, or one for each name, as visit_project_list() reads them.
std::string render_list_json(const std::vector<std::string>& names, const std::vector<int64_t>& serials = {});
std::string render_list_html(const std::vector<std::string>& names);

}  // namespace dae::resolver
