#pragma once
// One wheel out of an environment, by its RECORD. The environment's lock is held by the caller.
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "resolver/install/env_state.h"
#include "resolver/install/owners.h"
#include "resolver/install/unpacked_store.h"

namespace dae::resolver {

// Temporary files that a killed run left in this directory.
void sweep_temporary_files(const Path& dir);

class WheelRemover {
 public:
  WheelRemover(const EnvLayout& layout, const StorePaths& store, Owners& owners, bool repair);

  // A file that another claims, and that is not there as that one has it: it has to be linked again.
  struct Relink {
    std::string dist_info;
    std::string target;
  };
  // Removes what RECORD lists, its bytecode, and directories left empty; files that others claim stay (what leaves
  // together claims nothing any more: Owners::forget), and nothing is removed through a link: what leads into the store
  // is unlinked itself. `unfinished`: without a RECORD nothing was there yet; else its store entry stands in for a lost
  // one, and without that Error refused.
  std::vector<Relink> remove(const InstalledPackage& package, bool unfinished);
  // RECORD goes when everything else has been done, links for others included: until then a killed removal can be taken
  // up again.
  void remove_record(const InstalledPackage& package);

 private:
  struct Work;
  // The rows of its RECORD, with paths relative to the root.
  std::vector<RecordEntry> targets(const InstalledPackage& package, bool unfinished) const;
  bool has_to_be_linked(const RecordEntry& entry, const Owners::Claim& claim, const std::string& digest) const;
  const std::string& first_link_above(const std::string& target);
  bool leads_to_entry(const std::string& link, const std::string& digest) const;
  void remove_one(const RecordEntry& entry, const InstalledPackage& package, Work& work);
  void remove_empty_dirs(const std::set<Path>& dirs) const;

  const EnvLayout& layout_;
  const StorePaths& store_;
  Owners& owners_;
  const bool repair_;
  std::map<std::string, std::string> links_above_;  // directory -> the first link on the way to it, "" for none
};

}  // namespace dae::resolver
