#include "resolver/solver/suggest_relax.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/strings.h"

namespace dae::resolver {

namespace {

constexpr int kMostMajorSteps = 3;  // each is solved; years as versions have many

bool is_pin(const Specifier& part) {
  return part.op == SpecifierOp::arbitrary || (part.op == SpecifierOp::equal && !part.prefix);
}

std::string release_text(uint64_t epoch, const std::vector<uint64_t>& release) {
  std::vector<std::string> parts;
  for (const uint64_t number : release) parts.push_back(std::to_string(number));
  return (epoch == 0 ? "" : std::to_string(epoch) + "!") + join(parts, ".");
}

std::string upper_bound(const Version& version, size_t places) {
  std::vector<uint64_t> release;
  for (size_t i = 0; i < places; ++i) release.push_back(version.release_at(i));
  ++release.back();
  return release_text(version.epoch(), release);
}

// "==1.4.*" and "~=1.4.2" are both less than 1.5.
Version implied_upper_bound(const Specifier& part) {
  const size_t places = part.version.release_size() - (part.op == SpecifierOp::compatible ? 1 : 0);
  return Version::parse(upper_bound(part.version, std::max<size_t>(places, 1)));
}

// Bounds above `old` a person would write, up to the first that lets `wanted` in.
std::vector<std::string> higher_bounds(const Version& old, const Version& wanted) {
  const bool by_minor = old.release_size() > 1 && old.release_at(1) != 0;
  std::vector<std::string> out;
  const auto offer = [&](const std::string& bound) {
    const Version version = Version::parse(bound);
    const bool needed = out.empty() || Version::parse(out.back()) <= wanted;
    if (version > old && needed && (out.empty() || Version::parse(out.back()) < version)) out.push_back(bound);
  };
  if (by_minor) offer(upper_bound(old, 2));
  if (by_minor && wanted.epoch() == old.epoch() && wanted.release_at(0) == old.release_at(0)) {
    offer(upper_bound(wanted, 2));
  }
  Version next = old;
  for (int i = 0; i < kMostMajorSteps; ++i) {
    next = Version::parse(upper_bound(next, 1));
    offer(next.text());
  }
  offer(upper_bound(wanted, 1));
  return out;
}

std::string lower_bound(const Version& wanted) {
  const std::string shorter = release_text(wanted.epoch(), {wanted.release_at(0), wanted.release_at(1)});
  return Version::parse(shorter) <= wanted ? shorter : wanted.without_local().text();
}

}  // namespace

Relaxation relax(const SpecifierSet& old, const Version& wanted) {
  Relaxation out;
  std::vector<std::string> kept, uppers;
  std::optional<Version> upper;
  bool changed = false, lowered = false, pinned = false;
  const auto lower_the_upper = [&](const Version& bound) {
    if (!upper || bound < *upper) upper = bound;
  };
  for (const Specifier& part : old.parts()) {
    if (part.contains(wanted)) {
      kept.push_back(part.text());
      continue;
    }
    changed = true;
    const bool closed = part.op == SpecifierOp::compatible || part.op == SpecifierOp::equal;
    if (is_pin(part)) {
      pinned = true;
    } else if (part.op == SpecifierOp::less || part.op == SpecifierOp::less_equal) {
      lower_the_upper(part.version);
    } else if (part.op != SpecifierOp::not_equal) {
      const bool below = wanted < part.version;
      lowered = lowered || below;
      kept.push_back(">=" + (below ? lower_bound(wanted) : part.version.text()));
      if (closed && below) kept.push_back("<" + implied_upper_bound(part).text());
      if (closed && !below) lower_the_upper(implied_upper_bound(part));
    }
  }
  if (!changed) return out;
  if (pinned) {
    out.widening = Widening::moves_pin;
    out.options = {SpecifierSet::parse("==" + wanted.without_local().text())};
    return out;
  }
  out.widening = lowered ? Widening::lowers_lower_bound : Widening::raises_upper_bound;
  if (upper) uppers = higher_bounds(*upper, wanted);
  if (uppers.empty()) out.options.push_back(SpecifierSet::parse(join(kept, ",")));
  for (const std::string& bound : uppers) {
    std::vector<std::string> parts = kept;
    parts.push_back("<" + bound);
    out.options.push_back(SpecifierSet::parse(join(parts, ",")));
  }
  return out;
}

SpecifierSet around_pin(const SpecifierSet& specifiers) {
  for (const Specifier& part : specifiers.parts()) {
    if (part.op != SpecifierOp::equal || part.prefix) continue;
    const std::string major = release_text(part.version.epoch(), {part.version.release_at(0)});
    return SpecifierSet::parse(">=" + major + ",<" + upper_bound(part.version, 1));
  }
  return {};
}

}  // namespace dae::resolver
