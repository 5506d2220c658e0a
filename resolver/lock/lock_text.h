#pragma once
// Pieces of a lock's text that the writer and the fast reader share.
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "resolver/lock/lock.h"

namespace dae::resolver {

// RFC 3339 in UTC, so that it may stand in TOML without quotes; without trailing zeros, as it is read back. "" when the
// text is no such time.
std::string_view lock_time(std::string_view text, std::string& buffer);
bool is_bare_toml_key(std::string_view key);

// Entries of the names that a lock has more than once, in its order.
using EntriesByName = std::map<std::string_view, std::vector<const LockedPackage*>>;
EntriesByName repeated_names(const std::vector<const LockedPackage*>& sorted);

// `dependencies = […]`, or nothing. An entry of a repeated name stands for each of them, told apart by version or,
// where versions do not tell, by source.
void append_dependencies(std::string& out, const LockedPackage& package, const EntriesByName& repeated);

// Wheel names in a lock are thousands, but their endings ("-py3-none-any.whl") few: only those are worth parsing.
// The ending when the name surely starts with this package and version; "" when it has to be parsed as a whole.
std::string_view wheel_ending(std::string_view file_name, std::string_view package, std::string_view version);

}  // namespace dae::resolver
