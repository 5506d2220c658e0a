#pragma once
// Which files of an app go into its source layer. Private to builder/.
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "builder/app_file.h"
#include "builder/git_repository.h"

namespace dae::builder {

// Leaves out .git, .venv, __pycache__ and their like, `build.exclude` and `protected_files`. `path`: relative to the
// app.
bool is_source_file(const AppFile& app, std::string_view path);
// Every source file below `root`, sorted; ignores git.
std::vector<std::string> walk_source(const AppFile& app, const Path& root);
// What git would commit (tracked and untracked-but-not-ignored files that exist), else walk_source; sorted.
std::vector<std::string> source_files(const AppFile& app);
// Where the app lies in the work tree: "" at its root, else "apps/bubbler".
std::string app_subdir(const GitRepository& repository, const AppFile& app);
// Of names, executable bits and contents: names a tree that is in no repository.
Digest source_digest(const Path& root, const std::vector<std::string>& files);

}  // namespace dae::builder
