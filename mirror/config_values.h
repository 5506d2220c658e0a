#pragma once
// Forms of values that several parts of mirror.yaml have.
#include <cstdint>

#include "base/value.h"

namespace dae::mirror {

// "64MiB", "200 MB", "4GiB", or plain bytes; more than 0.
uint64_t parse_size(const Reader& reader, const Value& value);

}  // namespace dae::mirror
