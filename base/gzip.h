#pragma once
// The gzip content coding (RFC 1952) of bytes in memory. The same bytes give the same result: no time, no name in it.
#include <string>
#include <string_view>

namespace dae {

std::string gzip(std::string_view bytes);

}  // namespace dae
