#pragma once
// Something stands where a file shall go: whose is it, and who gives way?
#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "base/events.h"
#include "resolver/install/owners.h"

namespace dae::resolver {

class Conflicts {
 public:
  // `repair`: files without an owner may be leavings of a killed run and are replaced; else they are refused.
  Conflicts(const EnvLayout& layout, Owners& owners, bool repair) : layout_(layout), owners_(owners), repair_(repair) {}

  enum class Verdict { keep, replace };
  // `target` is relative to the root; `hash` (RECORD's form) and `size_bytes` are of the file that shall go there.
  // Equal contents are shared; of different ones that of the later name stays. Throws Error refused for files of
  // nobody.
  Verdict settle(const std::string& target, const std::string& hash, uint64_t size_bytes, const std::string& dist_info);
  // One warning for each two wheels with different files of one name.
  void report(EventSink& events) const;

 private:
  struct Clash {
    uint64_t files = 0;
    std::string first;
    std::string stays;
  };
  const EnvLayout& layout_;
  Owners& owners_;
  const bool repair_;
  std::map<std::pair<std::string, std::string>, Clash> clashes_;
};

}  // namespace dae::resolver
