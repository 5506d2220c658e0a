#pragma once
// What stands in an environment where a wheel is about to go, and is nobody's: found before the first change. Later a
// file of the user's could not be told from what a killed run left.
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/dir.h"
#include "resolver/install/generated_files.h"
#include "resolver/install/owners.h"

namespace dae::resolver {

class Obstacles {
 public:
  // `leaving`: dist-info directories of what is removed before.
  Obstacles(const EnvLayout& layout, const StorePaths& store, Owners& owners, std::vector<std::string> leaving);
  // Throws Error refused. Costs a look at each top-level entry of the wheel where nothing of it is there.
  void check(const WheelToInstall& wheel, const StoredWheel& stored);

 private:
  void check_below(const StoredWheel& stored, const std::string& top);
  void check_file(const std::string& target, const std::string& dist_info, const std::string& hash);
  bool is_nobodys(const std::string& target, const std::string& dist_info);
  bool leads_into_store(const std::string& target) const;
  [[noreturn]] void refuse(const std::string& target) const;

  const EnvLayout& layout_;
  const std::string store_;
  Owners& owners_;
  const std::vector<std::string> leaving_;
  std::optional<std::set<std::string>> leaving_targets_;  // read when something stands in the way
  const Dir root_;
};

}  // namespace dae::resolver
