#pragma once
// How much there is, and under which names: counted and read in many short looks at the catalog, none of which keeps
// others waiting.
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "mirror/catalog.h"

namespace dae::mirror {

// The names of one index in order, in one piece of memory: at 700,000 of them, strings of their own take three times as
// much and a search through them ten times as long.
class NameList {
 public:
  void add(std::string_view name);  // in order; without '\n'
  int64_t size() const { return static_cast<int64_t>(starts_.size()); }
  std::string_view at(size_t position) const;
  bool has(std::string_view name) const;
  // Names that begin with `text`: [first, second).
  std::pair<size_t, size_t> with_prefix(std::string_view text) const;
  // Names that have `text` elsewhere than at their beginning, in order.
  std::vector<uint32_t> with_inside(std::string_view text) const;

 private:
  size_t lower_bound(std::string_view text) const;
  std::string text_ = "\n";  // each name between two '\n'
  std::vector<uint32_t> starts_;
};

struct Survey {
  std::map<std::string, NameList> names;  // by index
  std::map<std::string, int64_t> files;   // listed, by index
};
Survey survey(Catalog& catalog);

}  // namespace dae::mirror
