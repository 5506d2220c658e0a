#pragma once
// Cutoffs by upload time as people write them.
#include <cstdint>
#include <string>
#include <string_view>

namespace dae::resolver {

// RFC 3339 in UTC. `text`: a moment ("2026-01-31T12:00:00+02:00"), a day ("2026-01-31": to its end in UTC), or how long
// ago ("7 days", "12h", "2 weeks", "P7D", "PT36H"). Throws Error bad_input with the forms.
std::string cutoff_from(std::string_view text, int64_t now_ms);

}  // namespace dae::resolver
