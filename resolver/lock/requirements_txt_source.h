#pragma once
// Lines that are no plain requirement: paths, addresses of files and repositories, and what may follow -e. The name of
// such a requirement is empty where nothing but its own metadata tells it.
#include <string>
#include <string_view>

#include "base/fs.h"
#include "resolver/standards/requirement.h"

namespace dae::resolver {

// Where relative paths are looked for: beside the app's own requirements file, else beside the file they stand in. What
// is written out is relative to the app. Without `app_dir` the disk is not looked at.
struct PathPlaces {
  Path app_dir, file_dir;
};

// "flask>=3", "name[extra] @ address ; marker", "./dir[extra]", "x-1.0-py3-none-any.whl", "https://…/x.zip",
// "git+https://…@rev#egg=name". Throws as fail_at() does.
Requirement requirement_of_line(std::string_view text, const PathPlaces& places);
// What follows -e: a directory, or a repository's address.
Requirement editable_requirement(std::string_view value, const PathPlaces& places);

// "./x" of "x": so that it is told from a name.
std::string local_reference(std::string_view path, const PathPlaces& places);

}  // namespace dae::resolver
