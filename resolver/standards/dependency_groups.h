#pragma once
// [dependency-groups] of pyproject.toml ("Dependency Groups", formerly PEP 735). A group is looked at when it is asked
// for only: an error in another one does no harm.
#include <map>
#include <string>
#include <vector>

#include "base/value.h"
#include "resolver/standards/requirement.h"

namespace dae::resolver {

class DependencyGroups {
 public:
  struct Item {
    Requirement requirement;
    Position position;  // where it stands: for an included one, in its own group
  };
  // `table` outlives this object. Throws Error bad_input (file:line:column) when two names are one when normalised.
  explicit DependencyGroups(const Reader& table);
  bool has(const std::string& name) const { return groups_.contains(name); }
  std::vector<std::string> names() const;  // normalised, sorted
  // The requirements of a group (name normalised, and there), those of the groups it includes in their place. Nothing
  // is left out that comes twice. Throws Error bad_input: malformed items, unknown groups, and circles by their names.
  std::vector<Item> expand(const std::string& name) const;

 private:
  struct Walk {
    std::vector<std::string> open;  // groups that are being expanded, outermost first
    size_t steps = 0;
    std::vector<Item> out;
  };
  void expand(const std::string& name, Walk& walk) const;
  void check_limits(const Value& item, Walk& walk) const;
  std::string include_of(const Value& item, const std::string& name) const;
  Requirement requirement_of(const Value& item) const;
  const Reader table_;
  std::map<std::string, const Value*> groups_;
};

}  // namespace dae::resolver
