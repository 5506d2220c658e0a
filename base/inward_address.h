#pragma once
// Addresses inside one's own network: loopback, link-local, private, shared, multicast. What strangers write must not
// steer requests there.
#include <sys/socket.h>

#include <string>

namespace dae {

bool is_inward_address(const sockaddr& address);  // IPv4, IPv6; any other family is inward
// Literal addresses and `localhost`; also the forms inet_aton knows ("127.1", "2130706433"), since the resolver does.
// Of any other name only its address tells.
bool is_inward_host(std::string host);

}  // namespace dae
