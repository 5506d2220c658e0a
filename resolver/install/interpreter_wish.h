#pragma once
// How people write which Python they want: on the command line, in DAE_PYTHON and in .python-version.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fs.h"
#include "resolver/standards/specifier.h"

namespace dae::resolver {

struct PythonWish {
  std::string version;         // "3.11", "3.11.7", "3"; "" is any
  bool free_threaded = false;  // "3.13t"; else either kind will do
  SpecifierSet specifiers() const;
  // Some version may be both what is wished for and what is allowed.
  bool may_fit(const SpecifierSet& allowed) const;
};
// "3.11", "3.11.7", "3.13t", each also behind "python", "py", "cp", "cpython-"; "311" as in "cp311". Nullopt for all
// else.
std::optional<PythonWish> parse_python_wish(std::string_view text);

// .python-version, the format of pyenv: a version a line, the most wanted first; '#' begins a comment.
struct PythonVersionFile {
  Path path;
  std::vector<PythonWish> wishes;  // "system" is any
};
// Throws Error bad_input for other implementations and for names that are no versions.
PythonVersionFile parse_python_version_file(const Path& path, std::string_view text);
// In `dir` and its parents, up to the home directory or the root of a repository.
std::optional<PythonVersionFile> find_python_version_file(const Path& dir);

}  // namespace dae::resolver
