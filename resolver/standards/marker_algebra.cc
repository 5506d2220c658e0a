#include "resolver/standards/marker_algebra.h"

#include "resolver/standards/marker_diagram.h"

namespace dae::resolver {
namespace {

size_t comparisons(const std::shared_ptr<const Marker::Node>& node) {
  if (!node || node->children.empty()) return node ? 1 : 0;
  size_t out = 0;
  for (const auto& child : node->children) out += comparisons(child);
  return out;
}

}  // namespace

struct MarkerAlgebra::Impl {
  MarkerDiagram diagram;
};

MarkerAlgebra::MarkerAlgebra() : impl_(std::make_unique<Impl>()) {}
MarkerAlgebra::~MarkerAlgebra() = default;
MarkerAlgebra::MarkerAlgebra(MarkerAlgebra&&) noexcept = default;
MarkerAlgebra& MarkerAlgebra::operator=(MarkerAlgebra&&) noexcept = default;

MarkerAlgebra::Set MarkerAlgebra::of(const Marker& marker) {
  impl_->diagram.restart();
  return {impl_->diagram.build(MarkerParser::root(marker))};
}

MarkerAlgebra::Set MarkerAlgebra::of(const SpecifierSet& requires_python) {
  const auto marker = requires_python_marker(requires_python);
  return marker ? of(*marker) : Set{kUnknown};
}

MarkerAlgebra::Set MarkerAlgebra::both(Set a, Set b) {
  impl_->diagram.restart();
  return {impl_->diagram.both(a.id, b.id)};
}

MarkerAlgebra::Set MarkerAlgebra::either(Set a, Set b) {
  impl_->diagram.restart();
  return {impl_->diagram.either(a.id, b.id)};
}

MarkerAlgebra::Set MarkerAlgebra::negate(Set set) {
  impl_->diagram.restart();
  return {impl_->diagram.negate(set.id)};
}

bool MarkerAlgebra::disjoint(Set a, Set b) {
  MarkerDiagram& diagram = impl_->diagram;
  diagram.restart();
  const MarkerRef shared = diagram.both(a.id, b.id);
  return shared == kNothing || diagram.both(shared, diagram.facts()) == kNothing;
}

bool MarkerAlgebra::implies(Set a, Set b) {
  return disjoint(a, negate(b));
}

bool MarkerAlgebra::equivalent(Set a, Set b) {
  if (!is_known(a) || !is_known(b)) return false;
  return a.id == b.id || (implies(a, b) && implies(b, a));
}

std::optional<Marker> MarkerAlgebra::marker(Set set, Set assumption) {
  MarkerDiagram& diagram = impl_->diagram;
  diagram.restart();
  const MarkerRef given = diagram.both(assumption.id, diagram.facts());
  const MarkerRef least = diagram.both(set.id, given);
  const MarkerRef most = diagram.either(set.id, diagram.negate(given));
  if (least == kUnknown || most == kUnknown) return std::nullopt;
  return marker_between(diagram, least, most);
}

Marker conjunction(const Marker& a, const Marker& b) {
  return MarkerParser::combine(a, b, true);
}

Marker disjunction(const Marker& a, const Marker& b) {
  return MarkerParser::combine(a, b, false);
}

std::optional<Marker> negation(const Marker& marker) {
  MarkerAlgebra algebra;
  return algebra.marker(algebra.negate(algebra.of(marker)));
}

bool are_disjoint(const Marker& a, const Marker& b) {
  MarkerAlgebra algebra;
  return algebra.disjoint(algebra.of(a), algebra.of(b));
}

bool implies(const Marker& a, const Marker& b) {
  MarkerAlgebra algebra;
  return algebra.implies(algebra.of(a), algebra.of(b));
}

bool are_equivalent(const Marker& a, const Marker& b) {
  MarkerAlgebra algebra;
  return algebra.equivalent(algebra.of(a), algebra.of(b));
}

Marker simplify(const Marker& marker, const Marker& assumption) {
  if (marker.always()) return marker;
  MarkerAlgebra algebra;
  const auto set = algebra.of(marker);
  auto out = algebra.marker(set, algebra.of(assumption));
  if (!out) out = algebra.marker(set);  // the assumption may be what is too complex
  if (!out || comparisons(MarkerParser::root(*out)) > comparisons(MarkerParser::root(marker))) return marker;
  return *std::move(out);
}

Marker simplify(const Marker& marker, const SpecifierSet& requires_python) {
  const auto assumption = requires_python_marker(requires_python);
  return simplify(marker, assumption ? *assumption : Marker());
}

std::optional<Marker> requires_python_marker(const SpecifierSet& requires_python) {
  Marker out;
  for (const Specifier& part : requires_python.parts()) {
    const char quote = part.raw.find('"') == std::string::npos ? '"' : '\'';
    if (part.raw.find(quote) != std::string::npos) return std::nullopt;
    const std::string sign = part.text().substr(0, part.text().size() - part.raw.size());
    try {
      out = conjunction(out, Marker::parse("python_full_version " + sign + " " + quote + part.raw + quote));
    } catch (const Error&) {  // control characters
      return std::nullopt;
    }
  }
  return out;
}

}  // namespace dae::resolver
