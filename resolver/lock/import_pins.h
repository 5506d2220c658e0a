#pragma once
// Pins of other tools, as preferences for a first lock: requirements files, poetry.lock, uv.lock, pdm.lock,
// Pipfile.lock and foreign pylock.toml.
#include <map>
#include <string>
#include <string_view>

#include "base/fs.h"
#include "resolver/standards/version.h"

namespace dae::resolver {

// By normalised name. What is no pin of a version on an index (ranges, repositories, folders, addresses) is passed
// over; of several versions of a package the highest is taken. The file's name decides the format, its contents where
// the name does not. Throws Error bad_input with file:line:column. -r and -c of requirements files are followed.
std::map<std::string, Version> import_pins(const Path& path);
// The same of a text; only requirements files that include others need `path` to be there.
std::map<std::string, Version> import_pins_from(const Path& path, std::string_view text);

}  // namespace dae::resolver
