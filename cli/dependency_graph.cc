#include "cli/dependency_graph.h"

#include <algorithm>

#include "base/error.h"
#include "base/value.h"

namespace dae::cli {

const DependencyGraph::Node& DependencyGraph::at(const std::string& name) const {
  const std::string key = resolver::normalize_name(name);
  const auto found = nodes.find(key);
  if (found != nodes.end()) return found->second;
  std::vector<std::string> names;
  for (const auto& [known, node] : nodes) names.push_back(known);
  const std::string near = nearest_name(key, names);
  throw Error(ErrorKind::not_found, "`" + name + "` is not in the lock", "",
              near.empty() ? "`dae tree` lists what is" : "did you mean `" + near + "`?");
}

DependencyGraph dependency_graph(const resolver::Lock& lock, const resolver::ProjectFile& project,
                                 const resolver::Target& target) {
  DependencyGraph graph;
  std::map<std::string, std::string> versions;
  for (const auto& chosen : resolver::select(lock, target, {lock.extras, lock.dependency_groups, true}))
    versions[chosen.name] = chosen.version;
  for (const auto& package : lock.packages) {
    const auto chosen = versions.find(package.name);
    if (chosen == versions.end() || chosen->second != package.version) continue;
    DependencyGraph::Node& node = graph.nodes[package.name];
    node.name = package.name;
    node.version = package.version;
    for (const std::string& name : package.dependencies)
      if (versions.contains(name)) node.needs.push_back(name);
    std::sort(node.needs.begin(), node.needs.end());
  }
  for (const auto& [name, node] : graph.nodes)
    for (const std::string& needed : node.needs) graph.nodes[needed].needed_by.push_back(name);
  const auto add_roots = [&](const std::vector<resolver::RootRequirement>& roots) {
    for (const auto& root : roots)
      if (graph.nodes.contains(root.requirement.key))
        graph.roots.push_back({root.requirement.key, root.requirement.text(), root.origin, root.scope});
  };
  add_roots(project.requirements);
  for (const auto& [name, roots] : project.extras) add_roots(roots);
  for (const auto& [name, roots] : project.groups) add_roots(roots);
  return graph;
}

}  // namespace dae::cli
