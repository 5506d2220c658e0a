#pragma once
// What was built before: <cache>/built-wheels/<identity>-<cache tag>/<environment>/WHEEL, the metadata and the build
// requirements that only a back end could tell. Format: share/doc/formats/sources.md.
#include <optional>
#include <string>
#include <vector>

#include "resolver/install/interpreter.h"
#include "resolver/source/direct.h"

namespace dae::resolver {

class BuildCache {
 public:
  BuildCache(const Path& cache_dir, const SourceTree& tree, const Interpreter& python);

  // False: nothing names the tree's contents, so it is built each time.
  bool keeps() const { return keeps_; }
  const std::string& key() const { return key_; }
  Path lock_file() const;

  std::optional<Path> wheel(const std::string& environment) const;
  // Of whatever environment was used last.
  std::optional<Path> latest_wheel() const;
  // Moves the folder with the one wheel in it; what is there is replaced.
  Path keep_wheel(const Path& folder, const std::string& environment) const;

  std::optional<std::string> metadata() const;
  void keep_metadata(const std::string& text) const;
  std::optional<std::vector<std::string>> requirements() const;
  void keep_requirements(const std::vector<std::string>& requirements) const;

 private:
  bool keeps_ = true;
  std::string key_;
  Path wheels_, metadata_, requirements_;
};

// The tree somewhere a build may write: itself, or a copy below `work`.
SourceTree writable_tree(const SourceTree& tree, const Path& work);

}  // namespace dae::resolver
