#include "resolver/source/left_out.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/clock.h"
#include "resolver/standards/specifier.h"

namespace dae::resolver {
namespace {

// The nearest miss of a version's files tells: one that only came too late beats one for another python, and that one
// for another platform.
struct Misses {
  bool usable = false, by_rule = false, without_time = false;
  std::optional<int64_t> uploaded_ms;
  std::string requires_python;
};

Misses misses_of(const PackedPage& page, uint32_t release, TargetFit& fit, const FileRules& rules) {
  Misses out;
  for (uint32_t file = page.first_file(release); file < page.first_file(release + 1); ++file) {
    const PackedFile facts = page.facts(file);
    const std::string_view python = page.requires_python(facts.requires_python);
    if (facts.wheel ? !rules.wheels : !rules.sdists) {
      out.by_rule = true;
    } else if (!fit.python_fits(python)) {
      // A wheel for another python says so twice; its sdist is what could be had.
      if (python > out.requires_python) out.requires_python = python;
    } else if (!facts.wheel || fit.rank(page.tag_set(facts.tag_set)) >= 0) {
      const bool timeless = facts.upload_ms == PackedFile::kNoUploadTime;
      if (!rules.cutoff_ms || (timeless ? rules.keep_without_time : facts.upload_ms <= *rules.cutoff_ms)) {
        out.usable = true;
      } else if (timeless) {
        out.without_time = true;
      } else if (!out.uploaded_ms || facts.upload_ms < *out.uploaded_ms) {
        out.uploaded_ms = facts.upload_ms;
      }
    }
  }
  return out;
}

// ">=3.11.4" must be compared with the whole of it.
std::string short_python(const Target& target, std::string_view requires_python) {
  const auto specifiers = SpecifierSet::try_parse(requires_python);
  const auto is_long = [](const Specifier& part) { return part.version.release_size() > 2; };
  const bool whole = specifiers && std::ranges::any_of(specifiers->parts(), is_long);
  return whole ? target.python_full_version : target.python_version;
}

}  // namespace

std::vector<Provider::LeftOut> left_out_of(const PackedPage& page, TargetFit& fit, const FileRules& rules) {
  std::vector<Provider::LeftOut> out;
  for (uint32_t release = 0; release < page.releases(); ++release) {
    const Misses misses = misses_of(page, release, fit, rules);
    if (misses.usable) continue;
    Provider::LeftOut& made = out.emplace_back();
    made.version = page.version(release);
    if (misses.uploaded_ms) {
      made.uploaded_ms = misses.uploaded_ms;
      made.reason = "is newer than the cutoff " + format_utc(*rules.cutoff_ms);
    } else if (misses.without_time) {
      made.reason = "has no upload time in the index, and there is a cutoff";
    } else if (!misses.requires_python.empty()) {
      made.requires_python = misses.requires_python;
      made.reason = fmt::format("needs python {}, the target has {}", misses.requires_python,
                                short_python(fit.target(), misses.requires_python));
    } else if (misses.by_rule) {
      made.reason =
          rules.wheels ? "has no wheel, and sdists are not allowed" : "has no sdist, and wheels are not allowed";
    } else {
      made.reason = fmt::format("has no wheel for {} and no sdist", fit.target().label());
    }
  }
  return out;
}

}  // namespace dae::resolver
