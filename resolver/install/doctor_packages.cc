#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/error.h"
#include "resolver/install/doctor.h"
#include "resolver/install/env_state.h"
#include "resolver/install/owners.h"
#include "resolver/install/verify.h"
#include "resolver/standards/metadata.h"
#include "resolver/standards/names.h"
#include "resolver/standards/requirement.h"

namespace dae::resolver {
namespace {

constexpr uint64_t kMetadataLimitBytes = 16 << 20;

StandingDistribution read_distribution(const Path& site, const std::string& folder) {
  StandingDistribution out;
  out.folder = folder;
  out.name = distribution_of(folder);
  Path file = site / folder / (folder.ends_with(".dist-info") ? "METADATA" : "PKG-INFO");
  if (!std::filesystem::is_directory(site / folder)) file = site / folder;
  try {
    CoreMetadata metadata = parse_core_metadata(read_file(file, kMetadataLimitBytes), folder);
    out.name = normalize_name(metadata.name);
    out.version = metadata.version;
    out.requires_dist = std::move(metadata.requires_dist);
    out.requires_python = metadata.requires_python;
  } catch (const Error& error) {
    out.broken = error.message();
  }
  return out;
}

using ByName = std::map<std::string, std::vector<const StandingDistribution*>>;

ByName by_name(const std::vector<StandingDistribution>& standing) {
  ByName out;
  for (const StandingDistribution& one : standing) out[one.name].push_back(&one);
  return out;
}

bool satisfies(const StandingDistribution& found, const Requirement& wanted) {
  const auto version = Version::try_parse(found.version);
  // Pre-releases are somebody's choice already.
  return !version || wanted.specifiers.empty() || wanted.specifiers.contains(*version, found.version);
}

// "" when it is satisfied.
std::string complaint(const StandingDistribution& one, const Requirement& wanted, const ByName& known) {
  Requirement bare = wanted;
  bare.marker = Marker();
  const auto found = known.find(wanted.key);
  if (found == known.end()) return fmt::format("{} {} needs {}: not installed", one.name, one.version, bare.text());
  for (const StandingDistribution* candidate : found->second) {
    if (satisfies(*candidate, wanted)) return "";
  }
  return fmt::format("{} {} needs {}: {} is installed", one.name, one.version, bare.text(),
                     found->second.front()->version);
}

}  // namespace

std::vector<StandingDistribution> standing_distributions(const Path& env) {
  const EnvLayout layout = layout_of(env);
  std::set<std::string> ours;
  try {
    if (const auto state = read_env_state(env)) {
      for (const InstalledPackage& package : state->packages) ours.insert(package.dist_info);
    }
  } catch (const Error&) {
    // Said elsewhere; then all are foreign.
  }
  std::vector<StandingDistribution> out;
  const Path site = layout.root / layout.site_packages();
  for (const std::string& name : list_dir(site)) {
    if (!name.ends_with(".dist-info") && !name.ends_with(".egg-info")) continue;
    out.push_back(read_distribution(site, name));
    out.back().foreign = !ours.contains(name);
  }
  return out;
}

DoctorCheck check_dependencies(const std::vector<StandingDistribution>& standing, const Target& target,
                               const std::set<std::string>& overridden) {
  DoctorCheck check{"dependencies", DoctorCheck::State::ok, "", {}, ""};
  const ByName known = by_name(standing);
  const MarkerEnvironment markers = target.markers();
  for (const StandingDistribution& one : standing) {
    if (!one.broken.empty()) check.details.push_back(fmt::format("{}: {}", one.folder, one.broken));
    const auto python = SpecifierSet::try_parse_legacy(one.requires_python);
    if (python && !python->contains(Version::parse(target.python_full_version))) {
      check.details.push_back(fmt::format("{} {} needs Python {}", one.name, one.version, one.requires_python));
    }
    for (const std::string& line : one.requires_dist) {
      const auto wanted = Requirement::try_parse_legacy(line);
      if (!wanted || overridden.contains(wanted->key) || !wanted->marker.evaluate(markers)) continue;
      if (const std::string text = complaint(one, *wanted, known); !text.empty()) check.details.push_back(text);
    }
  }
  check.text = check.details.empty() ? fmt::format("all of {} distributions are there", standing.size())
                                     : fmt::format("{} are not satisfied", check.details.size());
  if (check.details.empty()) return check;
  check.state = DoctorCheck::State::problem;
  check.hint = "`dae install --repair`; what then is left the requirements of the project do not ask for";
  return check;
}

DoctorCheck check_duplicates(const std::vector<StandingDistribution>& standing) {
  DoctorCheck check{"duplicates", DoctorCheck::State::ok, "each distribution is there once", {}, ""};
  std::vector<std::string> superfluous;
  for (const auto& [name, all] : by_name(standing)) {
    if (all.size() < 2) continue;
    std::string folders;
    for (const StandingDistribution* one : all) {
      folders += (folders.empty() ? "" : ", ") + one->folder;
      if (one->foreign) superfluous.push_back("`" + one->folder + "`");
    }
    check.details.push_back(fmt::format("{}: {}", name, folders));
  }
  if (check.details.empty()) return check;
  check.state = DoctorCheck::State::problem;
  check.text = fmt::format("{} distributions are there more than once", check.details.size());
  std::string names;
  for (const std::string& one : superfluous) names += (names.empty() ? "" : ", ") + one;
  check.hint =
      fmt::format("`dae install --exact`, or remove {} from site-packages and run `dae install --repair`", names);
  return check;
}

DoctorCheck check_foreign(const std::vector<StandingDistribution>& standing) {
  DoctorCheck check{"foreign", DoctorCheck::State::ok, "dae installed all that is there", {}, ""};
  for (const StandingDistribution& one : standing) {
    if (one.foreign) check.details.push_back(one.name + " " + one.version);
  }
  if (check.details.empty()) return check;
  check.state = DoctorCheck::State::note;
  check.text = fmt::format("{} distributions that dae did not install; it leaves them alone", check.details.size());
  check.hint = "`dae install --exact` removes them";
  return check;
}

}  // namespace dae::resolver
