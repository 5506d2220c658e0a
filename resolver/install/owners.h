#pragma once
// Which distribution of an environment owns a file, by the RECORDs of all that stand in its site-packages (ours and
// others'). Read when first asked: an install without conflicts never needs it.
#include <map>
#include <set>
#include <string>
#include <vector>

#include "resolver/install/env_layout.h"
#include "resolver/install/record.h"

namespace dae::resolver {

// A path of RECORD (relative to site-packages) as a path relative to the environment's root; "" when it leaves it.
std::string root_relative(const EnvLayout& layout, const std::string& record_path);
std::string record_relative(const EnvLayout& layout, const std::string& root_path);
std::vector<RecordEntry> read_installed_record(const EnvLayout& layout, const std::string& dist_info);

class Owners {
 public:
  struct Claim {
    std::string dist_info;
    std::string hash;
  };
  explicit Owners(const EnvLayout& layout) : layout_(layout) {}
  // Claims on a file (relative to the root) by others than `dist_info`.
  std::vector<Claim> others(const std::string& root_path, const std::string& dist_info);
  void forget(const std::string& dist_info);  // it is being removed
  void expect(const std::string& dist_info);  // its RECORD will be there, but claims nothing until it is learnt
  void learn(const std::string& dist_info);   // its RECORD is there

 private:
  void read();
  void read_one(const std::string& dist_info);
  const EnvLayout& layout_;
  bool known_ = false;
  std::multimap<std::string, Claim> claims_;
  std::set<std::string> expected_;
};

// "Flask-3.1.2.dist-info" -> "flask": for messages and for who comes first.
std::string distribution_of(const std::string& dist_info);

}  // namespace dae::resolver
