#pragma once
// Who needs whom, as the lock tells it for one target: what `tree`, `why` and `outdated` walk.
#include <map>
#include <set>
#include <string>
#include <vector>

#include "resolver/lock/lock.h"
#include "resolver/lock/project.h"

namespace dae::cli {

struct DependencyGraph {
  struct Node {
    std::string name, version;
    std::vector<std::string> needs, needed_by;  // names of other nodes, sorted
  };
  struct Root {
    std::string name;         // of the node
    std::string requirement;  // as written
    std::string origin;       // "pyproject.toml:7"
    std::string scope;        // "", "extra:NAME", "group:NAME"
  };
  std::map<std::string, Node> nodes;
  std::vector<Root> roots;  // in the order of the file; of packages that are in the graph

  // Throws not_found naming the nearest name that is there.
  const Node& at(const std::string& name) const;
};

// Packages of every extra and group that hold on `target`.
DependencyGraph dependency_graph(const resolver::Lock& lock, const resolver::ProjectFile& project,
                                 const resolver::Target& target);

}  // namespace dae::cli
