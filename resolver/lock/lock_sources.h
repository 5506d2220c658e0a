#pragma once
// Direct references while locking: what the previous lock says of a repository stays until it is upgraded.
#include <map>
#include <set>
#include <string>

#include "resolver/lock/lock.h"
#include "resolver/solver/solver.h"
#include "resolver/source/direct.h"

namespace dae::resolver {

class LockedSources final : public DirectSources {
 public:
  // `previous` may be null. `upgrade`: normalised names, or "*". All must outlive this.
  LockedSources(DirectSources& inner, const Lock* previous, const std::set<std::string>& upgrade);

  // Requirements say which references are editable and which name they have; those without a name get the one of what
  // is there.
  void add_roots(std::vector<RootRequirement>& roots);
  // Not thread-safe.
  const DirectSource& resolve(const std::string& url, bool editable, const std::string& expected_name) override;

 private:
  bool upgraded(const std::string& name) const;
  std::string with_commit(const std::string& url, std::string& requested) const;
  void check_digest(const DirectSource& source) const;

  DirectSources& inner_;
  const Lock* previous_;
  const std::set<std::string>& upgrade_;
  std::set<std::string> editable_;
  std::map<std::string, DirectSource> made_;  // by URL as it is required
};

// The entry's source, as the specification has it. Files have a name, a digest and a size.
void fill_source(const DirectSource& source, LockedPackage& out);

}  // namespace dae::resolver
