// What of an upstream's page may be mirrored: its names and URLs are written by strangers.
#include <algorithm>
#include <set>

#include "base/inward_address.h"
#include "base/log.h"
#include "base/strings.h"
#include "mirror/index/upstream.h"
#include "resolver/standards/names.h"

namespace dae::mirror {
namespace {

bool is_url_allowed(const std::string& text, const std::string& index_host) {
  try {
    const Url url = parse_url(text);
    if (url.scheme != "http" && url.scheme != "https") return false;
    return iequals(url.host, index_host) || !is_inward_host(url.host);
  } catch (const Error&) {
    return false;
  }
}

void drop_unless_allowed(std::string* provenance, const std::string& index_host) {
  if (!provenance->empty() && !is_url_allowed(*provenance, index_host)) provenance->clear();
}

bool is_file_of(const std::string& name, const std::string& project) {
  if (!resolver::is_safe_file_name(name)) return false;
  if (const auto wheel = resolver::parse_wheel_name(name)) return wheel->distribution == project;
  const auto sdist = resolver::parse_sdist_name(name, project);
  return sdist && sdist->distribution == project;
}

}  // namespace

void admit_files(resolver::ProjectPage& page, const std::string& project, const std::string& index_url) {
  if (page.status == "quarantined") page.files.clear();  // PEP 792: such a project must not offer files
  const std::string index_host = parse_url(index_url).host;
  std::set<std::string> names;
  size_t without_digest = 0, refused = 0;
  std::erase_if(page.files, [&](const resolver::IndexFile& file) {
    if (!is_file_of(file.name, project)) return true;  // old formats and strays: nothing a client could install
    if (!Digest::is_valid(file.sha256)) return ++without_digest, true;
    if (!is_url_allowed(file.url, index_host)) return ++refused, true;
    return !names.insert(file.name).second;
  });
  for (resolver::IndexFile& file : page.files) drop_unless_allowed(&file.provenance, index_host);
  if (without_digest > 0) {
    log_warn("files without a sha256 left out of the page",
             {{"project", project}, {"files", std::to_string(without_digest)}});
  }
  if (refused > 0) {
    log_warn("files at addresses that must not be fetched left out of the page",
             {{"project", project}, {"files", std::to_string(refused)}});
  }
}

}  // namespace dae::mirror
