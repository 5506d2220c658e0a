#pragma once
// The gzip content coding (RFC 1952) of bytes in memory. The same bytes give the same result: no time, no name in it.
#include <string>
#include <string_view>

namespace dae {

std::string gzip(std::string_view bytes);
// Of one member. Throws Error bad_input when it is none, or unpacks to more than `limit_bytes`.
std::string gunzip(std::string_view packed, size_t limit_bytes);

}  // namespace dae
