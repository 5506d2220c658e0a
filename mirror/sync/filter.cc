#include "mirror/sync/filter.h"

#include <algorithm>
#include <functional>

#include "base/clock.h"
#include "base/hash.h"
#include "base/strings.h"
#include "base/value.h"
#include "mirror/policy/project_globs.h"
#include "resolver/standards/names.h"

namespace dae::mirror::sync {
namespace {

using resolver::IndexFile;
using resolver::SpecifierSet;
using resolver::Version;

// Stands for "a late patch release of 3.11" where only `requires-python: >=3.11.4` is to be answered.
constexpr const char* kLatePatch = ".99";
// Any platform does where only the interpreter's part of a tag is judged, and any interpreter for the platform's.
constexpr const char* kSomePlatform = "linux_x86_64";
constexpr const char* kSomePython = "3.12";

bool in_any(const std::vector<SpecifierSet>& sets, const Version& version) {
  return std::any_of(sets.begin(), sets.end(), [&](const SpecifierSet& set) { return set.contains(version); });
}

std::string alternatives(const std::vector<SpecifierSet>& sets) {
  std::vector<std::string> texts;
  for (const SpecifierSet& set : sets) texts.push_back(set.text());
  return join(texts, " or ");
}

std::string_view platform_of(std::string_view tag) {
  return tag.substr(tag.rfind('-') + 1);
}

std::vector<Version> probes_of(const std::string& full_version, bool whole_series) {
  std::vector<Version> probes = {Version::parse(full_version)};
  if (whole_series) probes.push_back(Version::parse(full_version.substr(0, full_version.rfind('.')) + kLatePatch));
  return probes;
}

Value specifier_texts(const std::vector<SpecifierSet>& sets) {
  Value out = Value::array();
  for (const SpecifierSet& set : sets) out.push_back(set.text());
  return out;
}

}  // namespace

std::vector<std::string> Filter::named() const {
  std::set<std::string> all(names.begin(), names.end());
  for (const auto& [name, sets] : pins) all.insert(name);
  std::vector<std::string> out;
  for (const std::string& name : all) {
    if (!matches_any(exclude, name)) out.push_back(name);
  }
  return out;
}

std::string Filter::digest() const {
  Value out = Value::object({{"everything", everything},
                             {"names", Value::strings(names)},
                             {"globs", Value::strings(globs)},
                             {"exclude", Value::strings(exclude)},
                             {"prereleases", prereleases},
                             {"sdists", static_cast<int>(sdists)},
                             {"pythons", Value::strings(pythons)},
                             {"platforms", Value::strings(platforms)}});
  for (const auto& [name, sets] : pins) out.set("pin " + name, specifier_texts(sets));
  for (const auto& [name, set] : versions) out.set("version " + name, set.text());
  if (max_size_bytes) out.set("max_size", *max_size_bytes);
  if (max_age_ms) out.set("max_age", *max_age_ms);
  if (latest) out.set("latest", *latest);
  return Digest::of(canonical_json(out)).hex();
}

struct Selector::FileFacts {
  const IndexFile* file = nullptr;
  std::optional<resolver::WheelName> wheel;
  std::optional<Version> version;
  bool version_has_wheel = false;
};

Selector::Selector(Filter filter) : filter_(std::move(filter)) {
  for (const std::string& python : filter_.pythons) {
    const resolver::Target target = resolver::declared_target(python, kSomePlatform);
    const bool whole_series = python.find(target.python_full_version) == std::string::npos;
    pythons_.push_back(
        {python, probes_of(target.python_full_version, whole_series), resolver::TagSet(target), target.platform});
  }
  for (const std::string& platform : filter_.platforms) {
    const resolver::TagSet tags(resolver::declared_target(kSomePython, platform));
    for (const std::string& tag : tags.tags()) platform_tags_.emplace(platform_of(tag));
  }
}

Ruling Selector::project(std::string_view name) const {
  if (matches_any(filter_.exclude, name)) return {"exclude", "`exclude` names it"};
  const bool included = filter_.everything || filter_.names.contains(name) || filter_.pins.contains(name) ||
                        matches_any(filter_.globs, name);
  if (!included) return {"include", "`include` does not name it"};
  return {};
}

std::vector<Ruling> Selector::files(const resolver::ProjectPage& page, int64_t now_ms) const {
  std::vector<Ruling> rulings(page.files.size(), project(page.name));
  if (!rulings.empty() && !rulings.front().kept()) return rulings;
  std::vector<FileFacts> facts(page.files.size());
  std::vector<Version> with_wheel;
  for (size_t i = 0; i < facts.size(); ++i) {
    facts[i].file = &page.files[i];
    facts[i].wheel = resolver::parse_wheel_name(page.files[i].name);
    if (facts[i].wheel) {
      facts[i].version = facts[i].wheel->version;
      with_wheel.push_back(*facts[i].version);
    } else if (const auto sdist = resolver::parse_sdist_name(page.files[i].name, page.name)) {
      facts[i].version = sdist->version;
    }
  }
  std::sort(with_wheel.begin(), with_wheel.end());
  for (size_t i = 0; i < facts.size(); ++i) {
    facts[i].version_has_wheel =
        facts[i].version && std::binary_search(with_wheel.begin(), with_wheel.end(), *facts[i].version);
    rulings[i] = file(facts[i], page, now_ms);
  }
  if (filter_.latest) keep_latest(facts, rulings);
  return rulings;
}

Ruling Selector::file(const FileFacts& facts, const resolver::ProjectPage& page, int64_t now_ms) const {
  if (page.status == "quarantined") return {"quarantined", "upstream has quarantined the project"};
  if (Ruling ruling = by_version(facts, page.name); !ruling.kept()) return ruling;
  if (!facts.wheel) {
    if (filter_.sdists == Sdists::drop) return {"sdists", "an sdist"};
    if (filter_.sdists == Sdists::without_wheel && facts.version_has_wheel) {
      return {"sdists", "an sdist of a version that has a wheel"};
    }
  }
  if (Ruling ruling = by_python(facts); !ruling.kept()) return ruling;
  if (Ruling ruling = by_platform(facts); !ruling.kept()) return ruling;
  return by_size_and_age(*facts.file, now_ms);
}

Ruling Selector::by_version(const FileFacts& facts, const std::string& project) const {
  if (!facts.version) return {"versions", "its name tells no version"};
  const Version& version = *facts.version;
  const bool named_without_version =
      filter_.everything || filter_.names.contains(project) || matches_any(filter_.globs, project);
  if (const auto pins = filter_.pins.find(project); pins != filter_.pins.end() && !named_without_version) {
    if (!in_any(pins->second, version)) return {"lock", version.text() + " is not in " + alternatives(pins->second)};
  }
  if (const auto wanted = filter_.versions.find(project); wanted != filter_.versions.end()) {
    if (!wanted->second.contains(version)) return {"versions", version.text() + " is not in " + wanted->second.text()};
  }
  if (!filter_.prereleases && version.is_prerelease()) return {"prereleases", version.text() + " is a pre-release"};
  return {};
}

Ruling Selector::by_python(const FileFacts& facts) const {
  if (pythons_.empty()) return {};
  const auto wanted = SpecifierSet::try_parse_legacy(facts.file->requires_python);
  const bool asks = !facts.file->requires_python.empty() && wanted;
  const auto admitted = [&](const Python& python) {
    return !asks || std::any_of(python.probes.begin(), python.probes.end(),
                                [&](const Version& version) { return wanted->contains(version); });
  };
  const auto fits = [&](const Python& python) {
    if (!facts.wheel) return true;
    return std::any_of(facts.wheel->tags.begin(), facts.wheel->tags.end(), [&](const std::string& tag) {
      if (platform_of(tag) == "any") return python.tags.rank(tag) >= 0;
      return python.tags.rank(tag.substr(0, tag.rfind('-') + 1) + python.platform) >= 0;
    });
  };
  bool some_admitted = false;
  for (const Python& python : pythons_) {
    if (!admitted(python)) continue;
    if (fits(python)) return {};
    some_admitted = true;
  }
  if (!some_admitted) return {"pythons", "it requires python " + facts.file->requires_python};
  return {"pythons", "its tags fit none of " + join(filter_.pythons, ", ")};
}

Ruling Selector::by_platform(const FileFacts& facts) const {
  if (platform_tags_.empty() || !facts.wheel) return {};
  const auto& tags = facts.wheel->tags;
  const bool fits = std::any_of(tags.begin(), tags.end(), [&](const std::string& tag) {
    return platform_of(tag) == "any" || platform_tags_.contains(platform_of(tag));
  });
  if (fits) return {};
  return {"platforms", "its tags fit none of " + join(filter_.platforms, ", ")};
}

Ruling Selector::by_size_and_age(const IndexFile& file, int64_t now_ms) const {
  if (filter_.max_size_bytes && file.size_bytes.value_or(0) > *filter_.max_size_bytes) {
    return {"max_size", format_bytes(*file.size_bytes)};
  }
  if (!filter_.max_age_ms || file.upload_time.empty()) return {};
  try {
    if (now_ms - parse_utc(file.upload_time) > *filter_.max_age_ms) return {"max_age", "uploaded " + file.upload_time};
  } catch (const Error&) {  // as good as not told
  }
  return {};
}

void Selector::keep_latest(const std::vector<FileFacts>& facts, std::vector<Ruling>& rulings) const {
  std::vector<Version> versions;
  for (size_t i = 0; i < facts.size(); ++i) {
    if (rulings[i].kept()) versions.push_back(*facts[i].version);
  }
  std::sort(versions.begin(), versions.end(), std::greater<>());
  versions.erase(std::unique(versions.begin(), versions.end()), versions.end());
  if (versions.size() <= static_cast<size_t>(*filter_.latest)) return;
  const Version& oldest = versions[static_cast<size_t>(*filter_.latest) - 1];
  for (size_t i = 0; i < facts.size(); ++i) {
    if (!rulings[i].kept() || *facts[i].version >= oldest) continue;
    rulings[i] = {"latest",
                  "older than " + oldest.text() + ", the oldest of the newest " + std::to_string(*filter_.latest)};
  }
}

}  // namespace dae::mirror::sync
