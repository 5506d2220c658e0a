#include "resolver/install/build.h"

#include <algorithm>

#include "base/error.h"
#include "base/strings.h"
#include "resolver/install/build_job.h"
#include "resolver/lock/build_pins.h"
#include "resolver/standards/names.h"

namespace dae::resolver {
namespace {

BuildSetup completed(BuildSetup setup) {
  if (!setup.sandbox) setup.sandbox = std::make_shared<BuildSandbox>();
  return setup;
}

// Earlier pins of a build with these very requirements, where they serve these machines.
std::optional<std::vector<LockedPackage>> earlier_pins(const BuildSetup& setup,
                                                       const std::vector<std::string>& requirements,
                                                       const std::vector<Target>& targets) {
  const LockedBuild* build = setup.lock ? build_with(*setup.lock, requirements) : nullptr;
  if (build == nullptr) return std::nullopt;
  auto pins = pins_of(*setup.lock, *build);
  if (!pins || !fits_all(*pins, targets)) return std::nullopt;
  for (const std::string& name : setup.upgrade) {
    if (name == "*" || std::ranges::count(*pins, normalize_name(name), &LockedPackage::name) > 0) return std::nullopt;
  }
  return pins;
}

}  // namespace

struct SourceBuilder::Shared {
  std::mutex mutex;
  std::map<std::string, std::vector<LockedPackage>> pinned;  // by targets and requirements
  BuildWarnings warnings;
};

SourceBuilder::SourceBuilder(const Interpreter& python, Transport& transport, BlobStore& blobs, Path cache_dir,
                             ProcessRunner& runner, EventSink& events, BuildSetup setup)
    : python_(python),
      transport_(transport),
      blobs_(blobs),
      cache_dir_(std::filesystem::absolute(cache_dir)),
      runner_(runner),
      events_(events),
      setup_(completed(std::move(setup))),
      shared_(std::make_unique<Shared>()) {}

SourceBuilder::~SourceBuilder() = default;

Path SourceBuilder::wheel(const BuildSubject& subject) {
  return BuildJob(*this, shared_->warnings, subject).wheel();
}

Path SourceBuilder::sdist(const BuildSubject& subject, const Path& folder) {
  return BuildJob(*this, shared_->warnings, subject).sdist(folder);
}

std::optional<Path> SourceBuilder::kept_wheel(const BuildSubject& subject) {
  return BuildJob(*this, shared_->warnings, subject).kept_wheel();
}

std::string SourceBuilder::metadata(const BuildSubject& subject) {
  return BuildJob(*this, shared_->warnings, subject).metadata();
}

std::vector<std::string> SourceBuilder::requirements(const BuildSubject& subject) {
  return BuildJob(*this, shared_->warnings, subject).requirements();
}

std::optional<std::vector<std::string>> SourceBuilder::known_requirements(const BuildSubject& subject) {
  return BuildCache(cache_dir_, subject.tree, python_).requirements();
}

std::vector<LockedPackage> SourceBuilder::pins(const std::vector<std::string>& requirements, const BuildChain& chain,
                                               const std::vector<Target>& targets) {
  if (requirements.empty()) return {};
  std::string key = join(requirements, "\n");
  for (const Target& target : targets) key += "\n" + target.label();
  {
    const std::lock_guard lock(shared_->mutex);
    const auto known = shared_->pinned.find(key);
    if (known != shared_->pinned.end()) return known->second;
  }
  auto pins = earlier_pins(setup_, requirements, targets);
  if (!pins) {
    const std::string what = join(requirements, ", ");
    if (!setup_.resolve) {
      throw Error(ErrorKind::failed, "its build requirements are not locked: " + what,
                  chain.empty() ? "" : chain.back(), "run `dae lock`");
    }
    BuildQuery query{requirements, targets, {}, chain};
    if (setup_.lock) query.preferred = setup_.lock->build_packages;
    std::erase_if(query.preferred, [&](const LockedPackage& package) {
      return std::ranges::any_of(
          setup_.upgrade, [&](const std::string& name) { return name == "*" || normalize_name(name) == package.name; });
    });
    pins = setup_.resolve(*this, query);
  }
  const std::lock_guard lock(shared_->mutex);
  return shared_->pinned.insert_or_assign(key, std::move(*pins)).first->second;
}

FetchOptions SourceBuilder::fetch_options(BuildChain chain) {
  FetchOptions out;
  out.offline = setup_.offline;
  out.base_dir = setup_.base_dir;
  out.credentials = setup_.credentials;
  out.builder = this;
  out.build_chain = std::move(chain);
  return out;
}

}  // namespace dae::resolver
