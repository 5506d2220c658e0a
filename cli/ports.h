#pragma once
#include <cstdint>
#include <string>

namespace dae::cli {

// Throws Error refused, naming the port, when something listens on 127.0.0.1:port already.
void require_free_port(int64_t port, const std::string& hint);
// `preferred` when it is free, else one that the kernel chooses.
uint16_t free_port(uint16_t preferred);

}  // namespace dae::cli
