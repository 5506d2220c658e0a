// What of an upstream's page may be mirrored: its names and URLs are written by strangers.
#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <set>

#include "base/log.h"
#include "base/strings.h"
#include "mirror/index/upstream.h"
#include "resolver/standards/names.h"

namespace dae::mirror {
namespace {

bool is_inward_v4(uint32_t address) {
  const auto in = [&](uint32_t network, int bits) { return (address >> (32 - bits)) == (network >> (32 - bits)); };
  return in(0x00000000, 8) || in(0x0a000000, 8) || in(0x64400000, 10) || in(0x7f000000, 8) || in(0xa9fe0000, 16) ||
         in(0xac100000, 12) || in(0xc0a80000, 16) || in(0xe0000000, 3);
}

bool is_inward_v6(const in6_addr& address) {
  const uint8_t* bytes = address.s6_addr;
  if (IN6_IS_ADDR_V4MAPPED(&address)) {
    return is_inward_v4(static_cast<uint32_t>(bytes[12]) << 24 | static_cast<uint32_t>(bytes[13]) << 16 |
                        static_cast<uint32_t>(bytes[14]) << 8 | bytes[15]);
  }
  const bool unique_local = (bytes[0] & 0xfe) == 0xfc;
  const bool link_local = bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80;
  return unique_local || link_local || bytes[0] == 0xff || IN6_IS_ADDR_LOOPBACK(&address) ||
         IN6_IS_ADDR_UNSPECIFIED(&address);
}

// Literal addresses and `localhost`; also the forms inet_aton knows ("127.1", "2130706433"), since the resolver does.
bool is_inward_host(std::string host) {
  host = lower(host);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  while (!host.empty() && host.back() == '.') host.pop_back();
  const std::string_view local = ".localhost";
  if (host == "localhost" || (host.size() > local.size() && host.ends_with(local))) return true;
  in_addr v4{};
  if (inet_aton(host.c_str(), &v4) != 0) return is_inward_v4(ntohl(v4.s_addr));
  in6_addr v6{};
  return inet_pton(AF_INET6, host.c_str(), &v6) == 1 && is_inward_v6(v6);
}

bool is_url_allowed(const std::string& text, const std::string& index_host) {
  try {
    const Url url = parse_url(text);
    if (url.scheme != "http" && url.scheme != "https") return false;
    return iequals(url.host, index_host) || !is_inward_host(url.host);
  } catch (const Error&) {
    return false;
  }
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
