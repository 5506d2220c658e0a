#include "resolver/standards/specifier.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/strings.h"

namespace dae::resolver {
namespace {

constexpr size_t kMaxTextBytes = 16 * 1024;
// In the order of SpecifierOp.
constexpr std::array<std::string_view, 8> kSigns = {"==", "!=", "<=", ">=", "<", ">", "~=", "==="};

std::string_view sign(SpecifierOp op) {
  return kSigns[static_cast<size_t>(op)];
}

std::optional<SpecifierOp> eat_sign(std::string_view& text) {
  for (size_t size : {size_t{3}, size_t{2}, size_t{1}}) {  // longest first: "===" before "==", "<=" before "<"
    for (size_t i = 0; i < kSigns.size(); ++i) {
      if (kSigns[i].size() == size && text.starts_with(kSigns[i])) {
        text.remove_prefix(size);
        return static_cast<SpecifierOp>(i);
      }
    }
  }
  return std::nullopt;
}

bool parse_arbitrary(Specifier& out) {
  if (out.raw.empty() || out.raw.find_first_of(" \t\n\v\f\r;)") != std::string::npos) return false;
  if (auto version = Version::try_parse(out.raw)) out.version = *std::move(version);
  return true;
}

// Zero padded: ==1.1.* takes 1.1, and ==1.0.* takes 1.
bool has_prefix(const Version& version, const Version& prefix, size_t size) {
  if (version.epoch() != prefix.epoch()) return false;
  for (size_t i = 0; i < size; ++i) {
    if (version.release_at(i) != prefix.release_at(i)) return false;
  }
  return true;
}

// A local label in the specifier asks for exactly that build; without one, any build of the version will do.
bool equals(const Version& version, const Version& wanted) {
  return wanted.is_local() ? version == wanted : version.compare_public(wanted) == 0;
}

// "<V" leaves out the pre-releases of V, unless V is one itself.
bool is_less(const Version& version, const Version& limit) {
  if (version >= limit) return false;
  if (limit.is_prerelease() || !version.same_release(limit)) return true;
  if (!limit.is_postrelease()) return false;  // below V in the same release: only its pre-releases
  return !(version.is_dev() && !version.pre() && version.post() == limit.post());
}

// ">V" leaves out the post-releases and local builds of V; ">V.postN" and ">V.devN" only the local builds.
bool is_greater(const Version& version, const Version& limit) {
  if (version <= limit) return false;
  if (!version.same_release(limit)) return true;
  if (limit.is_dev() || limit.is_postrelease()) return version.compare_public(limit) != 0;
  return version.pre() != limit.pre();
}

bool same_meaning(const Specifier& a, const Specifier& b) {
  if (a.op != b.op || a.prefix != b.prefix) return false;
  if (a.op == SpecifierOp::arbitrary || a.prefix) return a.raw == b.raw;
  if (a.op == SpecifierOp::compatible && a.version.release_size() != b.version.release_size()) return false;
  return a.version == b.version;
}

// Parts between commas; empty ones are let pass, as ">=3.6," stands in published metadata.
std::optional<std::string_view> next_part(std::string_view& text) {
  while (!text.empty()) {
    const size_t comma = std::min(text.find(','), text.size());
    const std::string_view part = trim(text.substr(0, comma));
    text.remove_prefix(std::min(comma + 1, text.size()));
    if (!part.empty()) return part;
  }
  return std::nullopt;
}

}  // namespace

// Which operands each operator takes: PEP 440, "Version specifiers".
std::optional<Specifier> Specifier::try_parse(std::string_view text) {
  Specifier out;
  const auto op = eat_sign(text);
  if (!op) return std::nullopt;
  out.op = *op;
  out.raw = trim(text);
  if (out.op == SpecifierOp::arbitrary) return parse_arbitrary(out) ? std::optional(out) : std::nullopt;

  const bool equality = out.op == SpecifierOp::equal || out.op == SpecifierOp::not_equal;
  std::string_view operand = out.raw;
  if (operand.ends_with(".*")) {
    if (!equality) return std::nullopt;
    out.prefix = true;
    operand.remove_suffix(2);
  }
  auto version = Version::try_parse(operand);
  if (!version) return std::nullopt;
  if (out.prefix && (version->is_prerelease() || version->is_postrelease() || version->is_local() ||
                     operand.back() < '0' || operand.back() > '9')) {
    return std::nullopt;
  }
  if (version->is_local() && !equality) return std::nullopt;
  if (out.op == SpecifierOp::compatible && version->release_size() < 2) return std::nullopt;
  out.version = *std::move(version);
  return out;
}

std::string Specifier::text() const {
  return std::string(sign(op)) + raw;
}

bool Specifier::contains(const Version& candidate, std::string_view candidate_text) const {
  switch (op) {
    case SpecifierOp::equal:
      return prefix ? has_prefix(candidate, version, version.release_size()) : equals(candidate, version);
    case SpecifierOp::not_equal:
      return !(prefix ? has_prefix(candidate, version, version.release_size()) : equals(candidate, version));
    case SpecifierOp::less_equal:
      return candidate.compare_public(version) <= 0;
    case SpecifierOp::greater_equal:
      return candidate >= version;
    case SpecifierOp::less:
      return is_less(candidate, version);
    case SpecifierOp::greater:
      return is_greater(candidate, version);
    case SpecifierOp::compatible:
      return candidate >= version && has_prefix(candidate, version, version.release_size() - 1);
    case SpecifierOp::arbitrary:
      return candidate_text.empty() ? iequals(candidate.text(), raw) : iequals(candidate_text, raw);
  }
  return false;
}

SpecifierSet SpecifierSet::parse(std::string_view text) {
  if (text.size() > kMaxTextBytes) throw Error(ErrorKind::bad_input, "the version specifier is too long");
  if (auto out = try_parse(text)) return *std::move(out);
  while (const auto part = next_part(text)) {
    if (Specifier::try_parse(*part)) continue;
    throw Error(ErrorKind::bad_input, "`" + std::string(part->substr(0, 100)) + "` is not a version specifier");
  }
  return {};
}

std::optional<SpecifierSet> SpecifierSet::try_parse(std::string_view text) {
  if (text.size() > kMaxTextBytes) return std::nullopt;
  SpecifierSet out;
  out.parts_.reserve(static_cast<size_t>(std::count(text.begin(), text.end(), ',')) + 1);
  while (const auto part = next_part(text)) {
    auto specifier = Specifier::try_parse(*part);
    if (!specifier) return std::nullopt;
    out.parts_.push_back(*std::move(specifier));
  }
  return out;
}

bool SpecifierSet::contains(const Version& version, std::string_view candidate_text) const {
  return std::all_of(parts_.begin(), parts_.end(),
                     [&](const Specifier& part) { return part.contains(version, candidate_text); });
}

bool SpecifierSet::mentions_prerelease() const {
  return std::any_of(parts_.begin(), parts_.end(), [](const Specifier& part) {
    return part.op != SpecifierOp::not_equal && part.version.is_prerelease();
  });
}

std::string SpecifierSet::text() const {
  std::vector<std::pair<std::string, const Specifier*>> sorted;
  for (const Specifier& part : parts_) sorted.emplace_back(part.text(), &part);
  std::sort(sorted.begin(), sorted.end());
  std::vector<std::string> out;
  std::vector<const Specifier*> seen;
  for (auto& [written, part] : sorted) {
    const auto same = [wanted = part](const Specifier* other) { return same_meaning(*wanted, *other); };
    if (std::any_of(seen.begin(), seen.end(), same)) continue;  // "==1.0,==1.0.0"
    seen.push_back(part);
    out.push_back(std::move(written));
  }
  return join(out, ",");
}

SpecifierSet SpecifierSet::operator&(const SpecifierSet& other) const {
  SpecifierSet out = *this;
  out.parts_.insert(out.parts_.end(), other.parts_.begin(), other.parts_.end());
  return out;
}

}  // namespace dae::resolver
