#pragma once
// Markers while they are being written, for marker_cover.cc and marker_formula.cc only.
#include <optional>
#include <string>
#include <vector>

#include "resolver/standards/marker_diagram.h"

namespace dae::resolver {

struct Literal {  // the variable has a value of one of the chosen cells
  uint32_t variable = 0;
  MarkerDiagram::Labels labels;
  std::vector<bool> cells;
};

struct Formula {
  enum class Kind { all, any, literal, text };  // all of nothing: always; any of nothing: never
  Kind kind = Kind::all;
  std::vector<Formula> parts;
  Literal literal;
  std::string text;
  bool is_constant() const { return (kind == Kind::all || kind == Kind::any) && parts.empty(); }
};

Formula constant(bool value);
// One conjunction or disjunction: parts of the same kind are taken in, constants settled.
Formula combined(Formula::Kind kind, std::vector<Formula> parts);
size_t count(const Formula& formula);  // of comparisons

// The version of which this is the first development version.
std::optional<Version> begun_by(const VersionCut& cut);
// Comparisons for exactly the chosen cells; nullopt: the question has no opposite.
std::optional<Formula> literal_formula(const MarkerDiagram& diagram, const Literal& literal);
// Literals become comparisons; with `negated` the whole is turned round (De Morgan).
std::optional<Formula> written(const MarkerDiagram& diagram, const Formula& formula, bool negated);
Formula factored(Formula formula);  // (a and c) or (b and c) is (a or b) and c
std::string text_of(const Formula& formula);

}  // namespace dae::resolver
