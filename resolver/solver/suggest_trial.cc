#include "resolver/solver/suggest_trial.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/clock.h"
#include "base/error.h"

namespace dae::resolver {

namespace {
constexpr int64_t kMostMs = 2'000;
constexpr int64_t kMostSteps = 400'000;      // of all trials: the first bound to be met where everything is at hand
constexpr int64_t kMostStepsOfOne = 20'000;  // far more than a solution takes that there is
constexpr int64_t kMostPrefetches = 200;     // they are waited for at the end, wanted or not
constexpr int64_t kMostNewSdists = 3;        // each may cost a build
constexpr int64_t kMostLookups = 2'000;      // of what the search did not look at
int64_t now_ms() {
  return SystemClock().monotonic_ms();
}
}  // namespace

std::vector<size_t> twins_of(const std::vector<RootRequirement>& list, size_t index) {
  const Requirement& one = list[index].requirement;
  const std::string specifiers = one.specifiers.text();
  std::vector<size_t> out;
  for (size_t i = 0; i < list.size(); ++i) {
    const Requirement& other = list[i].requirement;
    if (i == index || (other.key == one.key && other.extras == one.extras && other.url == one.url &&
                       other.specifiers.text() == specifiers)) {
      out.push_back(i);
    }
  }
  return out;
}

std::string places_of(const std::vector<RootRequirement>& list, const std::vector<size_t>& indices) {
  constexpr size_t kMostPlaces = 4;
  std::string out, file;
  size_t shown = 0;
  std::set<std::string> told;
  for (const size_t index : indices) {
    const std::string& origin = list[index].origin;
    if (!told.insert(origin).second) continue;
    if (++shown > kMostPlaces) continue;
    const size_t colon = origin.rfind(':');
    const bool same_file = colon != origin.npos && !out.empty() && origin.substr(0, colon) == file;
    out += (out.empty() ? "" : ", ") + (same_file ? origin.substr(colon + 1) : origin);
    file = colon == origin.npos ? "" : origin.substr(0, colon);
  }
  return shown > kMostPlaces ? fmt::format("{} and {} more", out, shown - kMostPlaces) : out;
}

// Hands on what may be asked; ends the trial where the bounds are.
class Trials::BoundedProvider final : public Provider {
 public:
  BoundedProvider(Trials& trials, Provider& inner, Unread unread, bool known)
      : trials_(trials), inner_(inner), unread_(unread), known_(known) {}

  const Versions& versions(const std::string& package) override {
    look_up(package);
    static const Versions not_looked_at{{}, kNotLookedAt, {}};
    const Versions* found = &not_looked_at;
    try {
      found = &inner_.versions(package);
    } catch (const Error&) {
      // Its page cannot be had: no reason to withhold what is known without it.
    }
    versions_[package] = found;
    // The search is careful with sdists, and gives up in the end: here they cost nothing.
    Versions& out = offered_[package] = *found;
    for (Candidate& candidate : out.candidates) candidate.sdist_only = false;
    return out;
  }
  const Dependencies& dependencies(const std::string& package, const Version& version) override {
    static const Dependencies nothing, not_looked_at = [] {
      Dependencies out;
      out.unusable = kNotLookedAt;
      return out;
    }();
    const Dependencies& unread = unread_ == Unread::needs_nothing ? nothing : not_looked_at;
    trials_.check_time();
    if (is_sdist(package, version) && !may_read_sdist(package, version)) return unread;
    if (trials_.metadata_.emplace(package, version.text()).second) trials_.spend_lookup();
    try {
      return inner_.dependencies(package, version);
    } catch (const Error&) {
      return unread;
    }
  }
  Candidate direct(const std::string& package, const std::string& url) override {
    trials_.check_time();
    return inner_.direct(package, url);
  }
  void prefetch(const std::vector<std::string>& packages) override {
    for (const std::string& package : packages) look_up(package);
    inner_.prefetch(packages);
  }
  void prefetch_metadata(const std::string& package, const Version& version) override {
    if (is_sdist(package, version) || trials_.prefetches_left_ <= 0) return;
    --trials_.prefetches_left_;
    inner_.prefetch_metadata(package, version);
  }
  std::vector<LeftOut> left_out(const std::string& package) override { return inner_.left_out(package); }

 private:
  void look_up(const std::string& package) {
    trials_.check_time();
    if (trials_.packages_.insert(package).second) trials_.spend_lookup();
  }
  // Where a package has nothing but sdists, no answer is to be had without one; most say what they need without a
  // build.
  bool may_read_sdist(const std::string& package, const Version& version) {
    if (known_ && trials_.sdists_.contains({package, version.text()})) return true;
    const auto& list = versions_.at(package)->candidates;
    const auto is_sdist_only = [](const Candidate& c) { return c.sdist_only; };
    if (!known_ || unread_ == Unread::needs_nothing || trials_.new_sdists_left_ <= 0 ||
        !std::all_of(list.begin(), list.end(), is_sdist_only))
      return false;
    --trials_.new_sdists_left_;
    return trials_.sdists_.emplace(package, version.text()).second;
  }
  bool is_sdist(const std::string& package, const Version& version) const {
    const auto known = versions_.find(package);
    if (known == versions_.end()) return false;
    const auto& list = known->second->candidates;
    const auto found = std::find_if(list.begin(), list.end(), [&](const Candidate& c) { return c.version == version; });
    return found != list.end() && found->sdist_only;
  }

  Trials& trials_;
  Provider& inner_;
  const Unread unread_;
  const bool known_;
  std::map<std::string, const Versions*> versions_;
  std::map<std::string, Versions> offered_;
};

Trials::Trials(const SolveRequest& request, Provider& provider, const Clues& known)
    : request_(request),
      provider_(provider),
      packages_(known.read_packages),
      sdists_(known.read_sdists),
      deadline_ms_(now_ms() + kMostMs),
      steps_left_(kMostSteps),
      lookups_left_(kMostLookups),
      prefetches_left_(kMostPrefetches),
      new_sdists_left_(kMostNewSdists) {}

void Trials::spend_lookup() {
  if (--lookups_left_ < 0) throw Stop();
}

void Trials::check_time() const {
  if (now_ms() > deadline_ms_) throw Stop();
}

bool Trials::exhausted() const {
  return steps_left_ <= 0 || lookups_left_ <= 0 || now_ms() > deadline_ms_;
}

std::optional<std::variant<Resolution, Explanation>> Trials::run(const World& world, Unread unread) {
  if (exhausted()) return std::nullopt;
  SolveRequest request = world.request;
  std::vector<size_t> numbers;
  request.roots.clear();
  for (size_t i = 0; i < world.request.roots.size(); ++i) {
    if (world.without.contains(i)) continue;
    request.roots.push_back(world.request.roots[i]);
    numbers.push_back(i);
  }
  request.max_steps = std::min(steps_left_, kMostStepsOfOne);
  request.suggest = false;
  try {
    std::unique_ptr<Provider> other;
    if (world.elsewhere) other = request_.other_provider(world.request.target, world.cutoff_ms);
    BoundedProvider bounded(*this, other ? *other : provider_, unread, !other);
    auto out = answer(request, bounded);
    if (auto* explanation = std::get_if<Explanation>(&out)) {
      steps_left_ -= explanation->steps;
      for (size_t& root : explanation->conflict.roots) root = numbers[root];
    } else {
      steps_left_ -= std::get<Resolution>(out).steps;
    }
    return out;
  } catch (const Stop&) {
    // The next one may take less.
  } catch (const Error&) {
    steps_left_ -= request.max_steps;  // what cannot be fetched or answered is no news here: the conflict is
  }
  return std::nullopt;
}

std::optional<Resolution> Trials::works(const World& world) {
  auto outcome = run(world, Unread::unusable);
  if (!outcome || !std::holds_alternative<Resolution>(*outcome)) return std::nullopt;
  return std::get<Resolution>(std::move(*outcome));
}

}  // namespace dae::resolver
