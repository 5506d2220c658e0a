#pragma once
// Which releases OSV advisories forbid: malware always, others from a severity on if mirror.yaml says so.
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "mirror/policy/rules.h"
#include "resolver/audit/advisory.h"

namespace dae::mirror {

// Immutable once made; any thread.
class DenyList {
 public:
  struct Entry {
    std::string advisory, summary;
    resolver::AffectedPackage package;
  };
  // Entries about the project (normalised name), in the order of their advisories' names; empty: none.
  const std::vector<Entry>& about(const std::string& project) const;
  std::vector<std::string> projects() const;  // with entries; sorted
  size_t size() const { return size_; }
  void add(Entry entry);
  // Once, after the last add().
  void sort();
  // Takes over what `older` has by advisories that this one does not have.
  void add_missing(const DenyList& older);

 private:
  std::map<std::string, std::vector<Entry>> by_project_;
  size_t size_ = 0;
};

// The entry that forbids this version; nullptr: none. Without a version (the file's name tells none) any entry about
// the project does. Advisories whose names are among `lifted` do not count.
const DenyList::Entry* find_denial(const DenyList& list, const std::string& project, const resolver::Version* version,
                                   const std::vector<std::string>& lifted);

struct DenyReading {
  std::shared_ptr<DenyList> list;
  std::vector<std::string> unreadable;  // documents, and feeds: "what: why"
};
// Reads all that the rules name. Nothing is thrown for what cannot be read: it is listed.
DenyReading read_deny_list(const PolicyRules& rules);

}  // namespace dae::mirror
