// From a decision diagram to a short marker: irredundant sums of products after Minato and Morreale, with cells in the
// place of bits. A term of one variable may hold in any cell where that does no harm, so that it is written with the
// fewest comparisons.
#include <algorithm>

#include "resolver/standards/marker_algebra.h"
#include "resolver/standards/marker_diagram.h"
#include "resolver/standards/marker_formula.h"

namespace dae::resolver {
namespace {

constexpr size_t kMaxComparisons = 500;

// ---- choosing the cells of a term

struct Choice {
  std::vector<bool> required, allowed;
};

// Runs of allowed cells that have a required one: whole, or no wider than needed.
std::vector<bool> runs(const Choice& choice, bool whole) {
  std::vector<bool> out(choice.required.size(), false);
  for (size_t i = 0; i < out.size();) {
    size_t end = i;
    while (end < out.size() && choice.allowed[end]) ++end;
    size_t first = end, last = i;
    for (size_t j = i; j < end; ++j) {
      if (!choice.required[j]) continue;
      first = std::min(first, j);
      last = j;
    }
    if (first < end) {
      const size_t from = whole || i == 0 ? i : first, to = whole || end == out.size() ? end : last + 1;
      for (size_t j = from; j < to; ++j) out[j] = true;
    }
    i = end + 1;
  }
  return out;
}

// As runs(), but a run that begins or ends the order stops where the limit takes the shortest text, such as at X.Y.
std::vector<bool> neat_runs(const MarkerDiagram& diagram, const Literal& literal, const Choice& choice) {
  std::vector<bool> out = runs(choice, false);
  const auto cost = [&](size_t label) {
    const VersionCut& cut = diagram.cut(literal.labels[label]);
    const auto begin = begun_by(cut);
    return begin ? begin->release_size() : 10 + cut.version.release_size();
  };
  const auto tidy = [&](size_t at, int step) {  // `at`: outermost cell of the run; moves on while that is allowed
    const auto label_after = [&](size_t cell) { return step > 0 ? cell : cell - 1; };
    const auto is_last = [&](size_t cell) { return step > 0 ? cell + 1 == out.size() : cell == 0; };
    size_t best = at;
    for (size_t cell = at; !is_last(cell) && choice.allowed[cell]; cell += static_cast<size_t>(step)) {
      if (cost(label_after(cell)) < cost(label_after(best))) best = cell;
    }
    for (size_t cell = at; cell != best; cell += static_cast<size_t>(step))
      out[cell + static_cast<size_t>(step)] = true;
  };
  if (out.front() && !out.back()) {
    const auto end = std::find(out.begin(), out.end(), false);
    tidy(static_cast<size_t>(end - out.begin()) - 1, 1);
  }
  if (out.back() && !out.front()) {
    const auto end = std::find(out.rbegin(), out.rend(), false);
    tidy(out.size() - static_cast<size_t>(end - out.rbegin()), -1);
  }
  return out;
}

void choose_cells(const MarkerDiagram& diagram, Literal& literal, const Choice& choice) {
  if (diagram.at(literal.variable).kind != MarkerVariable::Kind::version) {
    const auto chosen = std::count(choice.required.begin(), choice.required.end(), true);
    const auto refused = std::count(choice.allowed.begin(), choice.allowed.end(), false);
    const bool others = choice.required.back() || (choice.allowed.back() && refused < chosen);
    literal.cells = others ? choice.allowed : choice.required;
    return;
  }
  size_t least = SIZE_MAX;
  for (const auto& cells : {neat_runs(diagram, literal, choice), runs(choice, true), runs(choice, false)}) {
    Literal candidate = literal;
    candidate.cells = cells;
    const size_t size = count(*literal_formula(diagram, candidate));
    if (size >= least) continue;
    least = size;
    literal.cells = cells;
  }
}

// ---- sums of products

struct Cover {
  Formula formula;
  MarkerRef set = kNothing;  // what the formula says
};

class Covering {
 public:
  explicit Covering(MarkerDiagram& diagram) : diagram_(diagram) {}
  bool gave_up() const { return gave_up_; }

  Cover cover(MarkerRef least, MarkerRef most) {
    if (least == kUnknown || most == kUnknown || !diagram_.spend() || formulas_ > kMaxComparisons) gave_up_ = true;
    if (gave_up_ || least == kNothing) return {constant(false), kNothing};
    if (most == kEverything) return {constant(true), kEverything};
    const MarkerDiagram::Cells cells = diagram_.cells(diagram_.first_variable({least, most}), {least, most});
    const size_t size = cells.refs.size();
    MarkerRef common = kEverything;  // may be said without asking the variable
    for (const auto& refs : cells.refs) common = diagram_.both(common, refs[1]);

    std::vector<MarkerRef> covered(size, kNothing);
    std::vector<Formula> terms;
    for (MarkerRef limit : limits(cells, common)) {
      std::vector<MarkerRef> needs(size, kNothing);
      MarkerRef need = kNothing;
      for (size_t i = 0; i < size; ++i) {
        if (cells.refs[i][1] != limit) continue;
        needs[i] = diagram_.without(diagram_.without(cells.refs[i][0], common), covered[i]);
        need = diagram_.either(need, needs[i]);
      }
      if (need == kNothing) continue;
      Cover rest = cover(need, limit);
      if (gave_up_) return {};
      Choice choice;
      for (size_t i = 0; i < size; ++i) {
        choice.required.push_back(needs[i] != kNothing);
        choice.allowed.push_back(diagram_.is_inside(rest.set, cells.refs[i][1]));
      }
      Formula literal;
      literal.kind = Formula::Kind::literal;
      literal.literal = {cells.variable, cells.labels, {}};
      choose_cells(diagram_, literal.literal, choice);
      ++formulas_;
      for (size_t i = 0; i < size; ++i) {
        if (literal.literal.cells[i]) covered[i] = diagram_.either(covered[i], rest.set);
      }
      terms.push_back(combined(Formula::Kind::all, {std::move(literal), std::move(rest.formula)}));
    }
    MarkerRef left = kNothing;
    for (size_t i = 0; i < size; ++i) left = diagram_.either(left, diagram_.without(cells.refs[i][0], covered[i]));
    Cover rest = cover(left, common);
    if (gave_up_) return {};
    terms.push_back(std::move(rest.formula));
    const MarkerRef set = diagram_.either(diagram_.node(cells.variable, cells.labels, covered), rest.set);
    return {combined(Formula::Kind::any, std::move(terms)), set};
  }

 private:
  // The different things that may be said in a cell, those first that may be said in the most cells.
  std::vector<MarkerRef> limits(const MarkerDiagram::Cells& cells, MarkerRef common) {
    std::vector<std::pair<size_t, MarkerRef>> found;
    for (const auto& refs : cells.refs) {
      const auto same = [&](const auto& other) { return other.second == refs[1]; };
      if (refs[1] == common || std::any_of(found.begin(), found.end(), same)) continue;
      const auto fits = [&](const auto& other) { return diagram_.is_inside(refs[1], other[1]); };
      found.emplace_back(std::count_if(cells.refs.begin(), cells.refs.end(), fits), refs[1]);
    }
    std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
    std::vector<MarkerRef> out;
    for (const auto& [times, ref] : found) out.push_back(ref);
    return out;
  }

  MarkerDiagram& diagram_;
  bool gave_up_ = false;
  size_t formulas_ = 0;
};

}  // namespace

std::optional<Marker> marker_between(MarkerDiagram& diagram, MarkerRef least, MarkerRef most) {
  if (most == kEverything) return Marker();
  if (least == kNothing) return Marker::parse(kNeverMarker);
  std::optional<Formula> best;
  for (const bool negated : {false, true}) {  // a product of sums may be the shorter one
    Covering covering(diagram);
    const Cover found =
        negated ? covering.cover(diagram.negate(most), diagram.negate(least)) : covering.cover(least, most);
    const MarkerRef set = negated ? diagram.negate(found.set) : found.set;
    // Also where the steps ran out on the way, which leaves holes.
    if (covering.gave_up() || !diagram.is_inside(least, set) || !diagram.is_inside(set, most)) continue;
    auto formula = written(diagram, found.formula, negated);
    if (!formula) continue;
    formula = factored(*std::move(formula));
    if (count(*formula) <= kMaxComparisons && (!best || count(*formula) < count(*best))) best = std::move(formula);
  }
  if (!best) return std::nullopt;
  return best->is_constant() ? Marker() : Marker::parse(text_of(*best));
}

}  // namespace dae::resolver
