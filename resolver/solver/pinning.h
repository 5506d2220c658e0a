#pragma once
// From the engine's decisions to pins: walks from the roots, so that a pin is there because something needs it, and
// says what does.
#include <map>
#include <set>

#include "resolver/solver/universe.h"

namespace dae::resolver {

class Pinning {
 public:
  Pinning(const Engine& engine, const Universe& universe) : engine_(engine), universe_(universe) {}

  Resolution run();
  // After run: a direct reference that was chosen although neither the user nor anything in the answer names it.
  std::optional<Pin> unasked_reference(const Resolution& resolution) const;

 private:
  struct Node {  // a package, or one with an extra
    bool seen = false;
    VersionSet scopes;  // bits by number
  };
  struct Base {
    std::set<PackageId> extras, dependencies;
    std::set<std::string> required_by;
  };

  void visit(PackageId p, const VersionSet& scopes);
  void need(const Need& wanted, const VersionSet& scopes, const std::string& by);
  void follow(PackageId p);
  Pin pin(PackageId base, const Base& found) const;
  void warn_about_extras(PackageId base, const Base& found, Resolution& out) const;

  const Engine& engine_;
  const Universe& universe_;
  std::vector<std::string> scope_names_;  // sorted
  std::vector<Node> nodes_;               // by package
  std::map<PackageId, Base> bases_;
  std::set<std::string, std::less<>> asked_;
  std::vector<PackageId> todo_;
};

}  // namespace dae::resolver
