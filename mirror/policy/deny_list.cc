#include "mirror/policy/deny_list.h"

#include <algorithm>
#include <set>

#include "base/fs.h"
#include "resolver/audit/feed.h"

namespace dae::mirror {
namespace {

constexpr size_t kMostEntries = 2'000'000;

bool is_denied(const resolver::Advisory& advisory, const resolver::AffectedPackage& package,
               const std::string& severity) {
  if (advisory.withdrawn) return false;
  if (advisory.is_malware()) return true;
  if (severity.empty()) return false;
  const auto rated = package.severity.rating == resolver::Severity::unknown ? advisory.severity : package.severity;
  return rated.rating >= resolver::severity_from_word(severity);
}

// A folder in which nothing lies yet denies nothing; the reader of feeds takes it for a mistake.
bool is_empty_folder(const Path& path) {
  if (!std::filesystem::is_directory(path)) return false;
  return std::ranges::none_of(walk_tree(path), [](const WalkEntry& entry) {
    return entry.info.is_file() && entry.relative.ends_with(".json");
  });
}

void read_feed_into(DenyReading& reading, const Path& path, const std::string& severity) {
  if (is_empty_folder(path)) return;
  resolver::FeedOptions options;
  options.wanted = [](std::string_view) { return true; };
  options.keep_going = true;
  const auto report = resolver::read_feed(path, path.string(), options, [&](resolver::Advisory advisory) {
    for (resolver::AffectedPackage& package : advisory.packages) {
      if (!is_denied(advisory, package, severity)) continue;
      reading.list->add({advisory.id, advisory.summary, std::move(package)});
      if (reading.list->size() > kMostEntries) {
        throw Error(ErrorKind::bad_input, "the deny list has more than 2 million entries", path.string());
      }
    }
  });
  for (const Error& error : report.skipped) reading.unreadable.emplace_back(error.what());
}

}  // namespace

const std::vector<DenyList::Entry>& DenyList::about(const std::string& project) const {
  static const std::vector<Entry> none;
  const auto found = by_project_.find(project);
  return found == by_project_.end() ? none : found->second;
}

std::vector<std::string> DenyList::projects() const {
  std::vector<std::string> out;
  for (const auto& [project, entries] : by_project_) out.push_back(project);
  return out;
}

void DenyList::add(Entry entry) {
  std::vector<Entry>& entries = by_project_[entry.package.name];
  entries.push_back(std::move(entry));
  ++size_;
}

void DenyList::sort() {
  for (auto& [project, entries] : by_project_) std::ranges::stable_sort(entries, {}, &Entry::advisory);
}

void DenyList::add_missing(const DenyList& older) {
  std::set<std::string_view> have;
  for (const auto& [project, entries] : by_project_) {
    for (const Entry& entry : entries) have.insert(entry.advisory);
  }
  std::vector<const Entry*> missing;
  for (const auto& [project, entries] : older.by_project_) {
    for (const Entry& entry : entries) {
      if (have.count(entry.advisory) == 0) missing.push_back(&entry);
    }
  }
  have.clear();  // its views point into what now grows
  for (const Entry* entry : missing) add(*entry);
}

const DenyList::Entry* find_denial(const DenyList& list, const std::string& project, const resolver::Version* version,
                                   const std::vector<std::string>& lifted) {
  for (const DenyList::Entry& entry : list.about(project)) {
    if (version != nullptr && !resolver::is_affected(entry.package, *version)) continue;
    if (std::ranges::find(lifted, entry.advisory) == lifted.end()) return &entry;
  }
  return nullptr;
}

DenyReading read_deny_list(const PolicyRules& rules) {
  DenyReading reading{.list = std::make_shared<DenyList>(), .unreadable = {}};
  for (const Path& path : rules.deny_osv) {
    try {
      read_feed_into(reading, path, rules.deny_severity);
    } catch (const Error& error) {
      reading.unreadable.emplace_back(error.what());
    }
  }
  reading.list->sort();
  return reading;
}

}  // namespace dae::mirror
