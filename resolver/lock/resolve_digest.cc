// What decides a lock, as one digest.
#include <algorithm>

#include "base/hash.h"
#include "resolver/lock/resolve.h"
#include "resolver/standards/direct_url.h"

namespace dae::resolver {

namespace {

constexpr int kDigestFormat = 2;  // raised when the same inputs shall be locked anew

Value sorted(std::vector<std::string> items) {
  std::sort(items.begin(), items.end());
  items.erase(std::unique(items.begin(), items.end()), items.end());
  return Value::strings(items);
}

Value sorted_texts(const std::vector<RootRequirement>& requirements) {
  std::vector<std::string> out;
  for (const RootRequirement& root : requirements) {
    out.push_back(root.scope + "|" + (root.editable ? "-e " : "") + root.requirement.text());
  }
  return sorted(std::move(out));
}

Value targets_value(const std::vector<Target>& targets) {
  Value out = Value::array();
  // The patch version of a python is left out: two developers with 3.11.7 and 3.11.9 share one lock.
  for (const Target& target : targets) {
    out.push_back(Value::object({{"implementation", target.implementation},
                                 {"platform", target.platform},
                                 {"python", target.python_version},
                                 {"threads", target.free_threaded}}));
  }
  return out;
}

}  // namespace

std::vector<std::string> index_rules(const ProjectSettings& settings) {
  std::vector<std::string> out;
  for (const auto& index : settings.indexes) {
    out.push_back("index " + index.name + " " + strip_url_credentials(index.url) +
                  (index.pinned_only ? " pinned" : ""));
  }
  for (const auto& [package, index] : settings.index_of) out.push_back("from " + package + " " + index);
  for (const std::string& place : settings.find_links) out.push_back("links " + strip_url_credentials(place));
  if (settings.no_index) out.push_back("no index");
  return out;
}

std::string lock_input_digest(const LockRequest& request) {
  const Value inputs =
      Value::object({{"format", kDigestFormat},
                     {"requirements", sorted_texts(request.requirements)},
                     {"constraints", sorted_texts(request.constraints)},
                     {"overrides", sorted_texts(request.overrides)},
                     {"extras", sorted(request.extras)},
                     {"groups", sorted(request.groups)},
                     {"default-groups", sorted(request.default_groups)},
                     {"selection", static_cast<int>(request.selection)},
                     {"prereleases", static_cast<int>(request.prereleases)},
                     {"cutoff", request.exclude_newer.empty() ? request.cutoff : request.exclude_newer},
                     {"no-binary", sorted(request.no_binary)},
                     {"only-binary", sorted(request.only_binary)},
                     {"indexes", Value::strings(request.index_rules)},  // in order: the first that has a name wins
                     {"requires-python", request.requires_python},
                     {"targets", targets_value(request.targets)}});
  return Digest::of(canonical_json(inputs)).oci();
}

}  // namespace dae::resolver
