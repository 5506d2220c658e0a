#pragma once
// Virtual indexes over others, and the names that no upstream ever hears of because of them.
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "mirror/index/page_store.h"
#include "mirror/policy/rules.h"
#include "resolver/standards/simple_page.h"

namespace dae::mirror {

// Thread-safe. The rules of all overlays of a mirror.
class Overlays {
 public:
  // `private_indexes`: those without an upstream, whose projects are our own.
  Overlays(std::map<std::string, OverlayRules> overlays, std::set<std::string> private_indexes, PageStore& pages)
      : overlays_(std::move(overlays)), private_(std::move(private_indexes)), pages_(pages) {}

  bool empty() const { return overlays_.empty(); }
  // The members of an overlay in their order; of any other index itself.
  std::vector<std::string> members(const std::string& index) const;
  // What it lists is, at least in part, put there here: by uploads or promotions.
  bool has_own(const std::string& index) const;
  // The files of all members together make the project's page.
  bool merges(const std::string& index, const std::string& project) const;
  // Why `project` must not be asked of the upstream of `index`, nor served from what was kept of it: an overlay over
  // that index claims the name, or has it from a private index. "": it may.
  std::string bar(const std::string& index, const std::string& project) const;
  // The same for claims alone, whatever private indexes have by now.
  std::string claim(const std::string& index, const std::string& project) const;
  // bar() as a question for many names at once: private indexes are read now.
  std::function<bool(const std::string& project)> barred_from(const std::string& index) const;
  // Those that the index, or overlay, lists; sorted.
  std::vector<std::string> names(const std::string& index) const;

 private:
  std::string bar(const std::string& index, const std::string& project,
                  const std::function<bool(const std::string&)>& has) const;

  const std::map<std::string, OverlayRules> overlays_;
  const std::set<std::string> private_;
  PageStore& pages_;
};

// One page of several: of files with the same name the first stays, and what the first page says of the project holds.
resolver::ProjectPage merge_pages(std::vector<resolver::ProjectPage> pages);

}  // namespace dae::mirror
