#pragma once
// .gitmodules (gitmodules(5)): which repository belongs at which path. Read by ourselves: git's general reader would
// follow `include` out of a file that strangers wrote.
#include <map>
#include <string>
#include <string_view>

namespace dae::resolver::git {

// path -> url, of the sections that have both; the first of a path counts.
std::map<std::string, std::string> parse_gitmodules(std::string_view text);

// A submodule's address as git makes it: "./x" and "../x" are relative to the address of the repository that names
// it, "user@host:path" is ssh. `parent` may hold credentials, which relative addresses inherit.
std::string submodule_url(const std::string& parent, const std::string& url);

}  // namespace dae::resolver::git
