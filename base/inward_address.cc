#include "base/inward_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <string_view>

#include "base/strings.h"

namespace dae {
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

}  // namespace

bool is_inward_address(const sockaddr& address) {
  if (address.sa_family == AF_INET) {
    return is_inward_v4(ntohl(reinterpret_cast<const sockaddr_in*>(&address)->sin_addr.s_addr));
  }
  if (address.sa_family != AF_INET6) return true;
  return is_inward_v6(reinterpret_cast<const sockaddr_in6*>(&address)->sin6_addr);
}

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

}  // namespace dae
