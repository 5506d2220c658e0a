#pragma once
// What of an upstream a synced index takes: rules, and for each project and file the rule that dropped it. Pure.
// Rules are joined by AND and asked in the order of kRules; the first one that says no is the one that is named.
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "resolver/standards/simple_page.h"
#include "resolver/standards/specifier.h"
#include "resolver/standards/tags.h"

namespace dae::mirror::sync {

// In the order they are asked. `latest` is last: it counts versions that still have a file after all others.
inline constexpr std::string_view kRules[] = {"exclude",   "include",     "quarantined", "lock",
                                              "versions",  "prereleases", "sdists",      "pythons",
                                              "platforms", "max_size",    "max_age",     "latest"};

enum class Sdists { keep, drop, without_wheel };

struct Filter {
  bool everything = true;                    // no `include`
  std::set<std::string, std::less<>> names;  // `include` without wildcards, normalised
  std::vector<std::string> globs;            // `include` with wildcards
  std::vector<std::string> exclude;          // names and globs
  // Of projects that only locks and requirements name: a version must be in one of these.
  std::map<std::string, std::vector<resolver::SpecifierSet>, std::less<>> pins;
  std::map<std::string, resolver::SpecifierSet, std::less<>> versions;
  bool prereleases = true;
  Sdists sdists = Sdists::keep;
  std::vector<std::string> pythons, platforms;  // as declared_target() takes them
  std::optional<uint64_t> max_size_bytes;
  std::optional<int64_t> max_age_ms;
  std::optional<int64_t> latest;

  // All that can be taken is named: the upstream's list of names is not needed.
  bool names_all() const { return !everything && globs.empty(); }
  std::vector<std::string> named() const;  // sorted, without what is excluded
  // Of all rules: what was decided under another filter has to be decided again.
  std::string digest() const;
};

struct Ruling {
  std::string rule;    // of kRules; "" : kept
  std::string detail;  // what the rule saw: "3.0 is not in <3"
  bool kept() const { return rule.empty(); }
};

// A filter made ready to be asked often. Immutable; any thread.
class Selector {
 public:
  explicit Selector(Filter filter);
  const Filter& filter() const { return filter_; }
  Ruling project(std::string_view name) const;  // normalised
  // One for each file of the page, in its order.
  std::vector<Ruling> files(const resolver::ProjectPage& page, int64_t now_ms) const;

 private:
  struct FileFacts;
  Ruling file(const FileFacts& facts, const resolver::ProjectPage& page, int64_t now_ms) const;
  Ruling by_version(const FileFacts& facts, const std::string& project) const;
  Ruling by_python(const FileFacts& facts) const;
  Ruling by_platform(const FileFacts& facts) const;
  Ruling by_size_and_age(const resolver::IndexFile& file, int64_t now_ms) const;
  void keep_latest(const std::vector<FileFacts>& facts, std::vector<Ruling>& rulings) const;

  struct Python {
    std::string text;
    std::vector<resolver::Version> probes;  // of the releases it stands for, the first and a late one
    resolver::TagSet tags;
    std::string platform;
  };
  Filter filter_;
  std::vector<Python> pythons_;
  std::set<std::string, std::less<>> platform_tags_;
};

}  // namespace dae::mirror::sync
