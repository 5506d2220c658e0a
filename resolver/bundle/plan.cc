#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/error.h"
#include "base/strings.h"
#include "resolver/bundle/bundle.h"
#include "resolver/standards/names.h"

namespace dae::resolver {
namespace {

void add_file(const Selected& what, std::map<std::string, Selected>& files) {
  if (!is_safe_file_name(what.file.name)) {
    throw Error(ErrorKind::bad_input, "the lock names a file that is not safe to make", what.file.name);
  }
  const auto [known, fresh] = files.emplace(what.file.name, what);
  if (fresh || known->second.file.sha256 == what.file.sha256) return;
  throw Error(ErrorKind::refused, "two files of the lock have this name and different contents", what.file.name,
              "bundle the targets that need them one by one with `--target`");
}

}  // namespace

BundlePlan plan_bundle(const Lock& lock, const std::vector<Target>& targets, const SelectOptions& which) {
  BundlePlan out;
  out.targets = targets;
  out.which = which;
  std::map<std::string, Selected> files;
  std::map<std::pair<std::string, std::string>, BundlePlan::Source> sources;
  for (size_t i = 0; i < targets.size(); ++i) {
    for (const Selected& what : select(lock, targets[i], which)) {
      if (!what.vcs && !what.directory) add_file(what, files);
      if (what.is_wheel) continue;
      BundlePlan::Source& source = sources[{normalize_name(what.name), source_identity(what)}];
      source.what = what;
      source.targets.push_back(i);
    }
  }
  for (auto& [name, what] : files) {
    out.size_bytes += what.file.size_bytes.value_or(0);
    out.files.push_back(std::move(what));
  }
  for (auto& [key, source] : sources) out.sources.push_back(std::move(source));
  return out;
}

}  // namespace dae::resolver
