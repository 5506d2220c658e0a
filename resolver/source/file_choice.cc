#include "resolver/source/file_choice.h"

#include <algorithm>

#include "base/strings.h"
#include "resolver/standards/specifier.h"

namespace dae::resolver {
namespace {

// Higher is preferred (PEP 427): the number counts first, then the rest as text.
std::pair<int64_t, std::string> build_order(std::string_view tag) {
  WheelName name;
  name.build = tag;
  return name.build_order();
}

}  // namespace

TargetFit::TargetFit(const Target& target)
    : target_(target), tags_(target), python_(Version::parse(target.python_full_version)) {
  for (const std::string& tag : tags_.tags()) platforms_.insert(tag.substr(tag.rfind('-') + 1));
}

int TargetFit::rank(std::string_view tag_set) {
  std::string text(tag_set);
  const auto known = ranks_.find(text);
  if (known != ranks_.end()) return known->second;
  const int rank = rank_of(tag_set);
  ranks_.emplace(std::move(text), rank);
  return rank;
}

int TargetFit::rank_of(std::string_view tag_set) const {
  std::string_view platforms = tag_set.substr(tag_set.rfind('-') + 1);
  bool possible = false;
  while (!platforms.empty() && !possible) {
    const size_t dot = std::min(platforms.find('.'), platforms.size());
    possible = platforms_.contains(platforms.substr(0, dot));
    platforms.remove_prefix(std::min(dot + 1, platforms.size()));
  }
  if (!possible) return -1;
  const auto name = parse_wheel_name("x-1-" + std::string(tag_set) + ".whl");
  return name ? tags_.rank(*name) : -1;
}

int TargetFit::distance(std::string_view tag_set) const {
  enum System { linux_system, macos, windows };
  const auto system_of = [](std::string_view platform) {
    return platform.starts_with("win") ? windows : platform.starts_with("macosx") ? macos : linux_system;
  };
  std::string_view platforms = tag_set.substr(tag_set.rfind('-') + 1);
  int least = 3;
  while (!platforms.empty()) {
    const size_t dot = std::min(platforms.find('.'), platforms.size());
    const std::string_view platform = platforms.substr(0, dot);
    const System system = system_of(platform);
    const bool same = system == system_of(target_.platform);
    least = std::min(least, platforms_.contains(platform) ? 0 : same ? 1 : system != windows ? 2 : 3);
    platforms.remove_prefix(std::min(dot + 1, platforms.size()));
  }
  return least;
}

bool TargetFit::python_fits(std::string_view requires_python) {
  if (requires_python.empty()) return true;
  std::string text(requires_python);
  const auto known = pythons_.find(text);
  if (known != pythons_.end()) return known->second;
  const auto specifiers = SpecifierSet::try_parse(text);
  const bool fits = !specifiers || specifiers->contains(python_);
  pythons_.emplace(std::move(text), fits);
  return fits;
}

FileChoice::FileChoice(const PackedPage& page, TargetFit& fit, const FileRules& rules)
    : page_(page), fit_(fit), rules_(rules) {
  ranks_.reserve(page.tag_sets());
  for (uint32_t i = 0; i < page.tag_sets(); ++i) ranks_.push_back(fit.rank(page.tag_set(i)));
  pythons_.reserve(page.requires_pythons());
  for (uint32_t i = 0; i < page.requires_pythons(); ++i) pythons_.push_back(fit.python_fits(page.requires_python(i)));
}

FileChoice::Verdict FileChoice::judge(const PackedFile& file, int& rank) {
  rank = file.wheel ? ranks_[file.tag_set] : 0;
  if (file.wheel ? !rules_.wheels : !rules_.sdists) {
    ++rejected_.by_rule;
    return Verdict::rejected;
  }
  if (rank < 0) {
    ++rejected_.wheels;
    return Verdict::rejected;
  }
  if (pythons_[file.requires_python] == 0) {
    ++rejected_.pythons;
    const std::string_view text = page_.requires_python(file.requires_python);
    if (text > rejected_.python) rejected_.python = text;
    return Verdict::rejected;
  }
  if (!rules_.cutoff_ms) return Verdict::usable;
  if (file.upload_ms == PackedFile::kNoUploadTime) {
    if (rules_.keep_without_time) return Verdict::usable;
    ++rejected_.without_time;
    return Verdict::hidden;
  }
  return file.upload_ms <= *rules_.cutoff_ms ? Verdict::usable : Verdict::hidden;
}

bool FileChoice::better(const PackedFile& facts, int rank, const RankedFile& than) const {
  if (facts.wheel != than.wheel) return facts.wheel;
  // Of several sdists of one version the .tar.gz is the one PEP 625 knows.
  if (!facts.wheel) return facts.tar_gz && !page_.facts(than.file).tar_gz;
  if (rank != than.rank) return rank < than.rank;
  const uint32_t build = page_.facts(than.file).build;
  return facts.build != build && build_order(page_.build_tag(facts.build)) > build_order(page_.build_tag(build));
}

FileChoice::Release FileChoice::choose(uint32_t release) {
  // PEP 592 yanks files: a version is yanked only when nothing else of it is left.
  Release usable, yanked;
  bool hidden = false;
  const uint32_t end = page_.first_file(release + 1);
  for (uint32_t file = page_.first_file(release); file < end; ++file) {
    const PackedFile facts = page_.facts(file);
    int rank = 0;
    const Verdict verdict = judge(facts, rank);
    hidden = hidden || verdict == Verdict::hidden;
    if (verdict != Verdict::usable) continue;
    Release& into = facts.yanked ? yanked : usable;
    if (into.state == Release::State::nothing || better(facts, rank, into.best)) {
      into.best = {file, rank, facts.wheel};
    }
    into.state = facts.yanked ? Release::State::yanked : Release::State::usable;
  }
  if (usable.state == Release::State::nothing) {
    if (yanked.state == Release::State::nothing && hidden) yanked.state = Release::State::hidden;
    usable = yanked;
  }
  usable.told_by = usable.best;
  if (usable.state != Release::State::nothing && !usable.best.wheel && rules_.wheels)
    usable.told_by = nearest_wheel(release, usable.best);
  return usable;
}

// Announced metadata before metadata that has to be looked for; then the nearest: gensim 3.8.3 needs Cython on Windows
// only, and its wheels say so without a marker.
RankedFile FileChoice::nearest_wheel(uint32_t release, const RankedFile& otherwise) const {
  std::optional<RankedFile> found;
  std::pair<bool, int> least;
  for (uint32_t file = page_.first_file(release); file < page_.first_file(release + 1); ++file) {
    const PackedFile facts = page_.facts(file);
    if (!facts.wheel) continue;
    const std::pair order{!facts.has_metadata, fit_.distance(page_.tag_set(facts.tag_set))};
    if (found && !(order < least)) continue;
    found = {file, 0, true};
    least = order;
  }
  return found.value_or(otherwise);
}

std::vector<RankedFile> FileChoice::usable(uint32_t release) {
  const Release chosen = choose(release);
  std::vector<RankedFile> out;
  if (chosen.state != Release::State::usable && chosen.state != Release::State::yanked) return out;
  const bool yanked = chosen.state == Release::State::yanked;
  std::optional<RankedFile> sdist;
  for (uint32_t file = page_.first_file(release); file < page_.first_file(release + 1); ++file) {
    const PackedFile facts = page_.facts(file);
    int rank = 0;
    if (facts.yanked != yanked || judge(facts, rank) != Verdict::usable) continue;
    const RankedFile one{file, rank, facts.wheel};
    if (facts.wheel) {
      out.push_back(one);
    } else if (!sdist || better(facts, rank, *sdist)) {
      sdist = one;
    }
  }
  std::ranges::stable_sort(
      out, [&](const RankedFile& a, const RankedFile& b) { return better(page_.facts(a.file), a.rank, b); });
  if (sdist) out.push_back(*sdist);
  return out;
}

}  // namespace dae::resolver
