#include "resolver/standards/marker_formula.h"

#include <algorithm>

#include "base/strings.h"

namespace dae::resolver {
namespace {

Formula comparison(std::string text) {
  Formula out;
  out.kind = Formula::Kind::text;
  out.text = std::move(text);
  return out;
}

// "3.9.0" is "3.9", "3" is "3.0".
std::string short_text(const Version& version) {
  std::vector<uint64_t> release = version.release();
  while (release.size() > 2 && release.back() == 0) release.pop_back();
  release.resize(std::max<size_t>(release.size(), 2));
  std::string out = version.epoch() ? std::to_string(version.epoch()) + "!" : "";
  for (size_t i = 0; i < release.size(); ++i) out += (i ? "." : "") + std::to_string(release[i]);
  return out + version.text().substr(version.base_text().size());
}

std::string text_inside(const Formula& formula, bool inside_all) {
  if (formula.kind == Formula::Kind::text) return formula.text;
  std::vector<std::string> parts;
  for (const Formula& part : formula.parts) parts.push_back(text_inside(part, formula.kind == Formula::Kind::all));
  if (formula.kind == Formula::Kind::all) return join(parts, " and ");
  return inside_all ? "(" + join(parts, " or ") + ")" : join(parts, " or ");
}

}  // namespace

Formula constant(bool value) {
  Formula out;
  out.kind = value ? Formula::Kind::all : Formula::Kind::any;
  return out;
}

Formula combined(Formula::Kind kind, std::vector<Formula> parts) {
  Formula out;
  out.kind = kind;
  for (Formula& part : parts) {
    if (part.is_constant() && part.kind != kind) return part;  // never in a conjunction, always in a disjunction
    if (part.kind == kind) {
      std::move(part.parts.begin(), part.parts.end(), std::back_inserter(out.parts));
    } else {
      out.parts.push_back(std::move(part));
    }
  }
  if (out.parts.size() == 1) {
    Formula only = std::move(out.parts.front());
    return only;
  }
  return out;
}

size_t count(const Formula& formula) {
  if (formula.kind == Formula::Kind::text) return 1;
  size_t out = 0;
  for (const Formula& part : formula.parts) out += count(part);
  return out;
}

std::optional<Version> begun_by(const VersionCut& cut) {
  const std::string text = short_text(cut.version);
  if (cut.above || !text.ends_with(".dev0")) return std::nullopt;
  Version out = Version::parse(text.substr(0, text.size() - 5));
  return out.is_prerelease() ? std::nullopt : std::optional(std::move(out));
}

namespace {

class VersionText {
 public:
  VersionText(const MarkerDiagram& diagram, const Literal& literal) : diagram_(diagram), literal_(literal) {
    full_ = diagram.at(literal.variable).name;
    short_ = full_ == "python_full_version" ? "python_version" : full_;
  }

  Formula formula() const {
    std::vector<Formula> out;
    const std::vector<std::pair<size_t, size_t>> runs = find_runs();
    for (size_t first = 0; first < runs.size();) {
      size_t last = first;  // runs first to last, with holes between them that one comparison can say
      std::vector<Formula> parts;
      std::vector<Formula> holes;
      while (last + 1 < runs.size()) {
        const std::string hole = equality("!=", runs[last].second + 1, runs[last + 1].first - 1);
        if (hole.empty()) break;
        holes.push_back(comparison(hole));
        ++last;
      }
      const auto [from, to] = std::pair(runs[first].first, runs[last].second);
      const std::string equal = holes.empty() ? equality("==", from, to) : "";
      if (!equal.empty()) {
        parts.push_back(comparison(equal));
      } else {
        if (from > 0) parts.push_back(lower(diagram_.cut(literal_.labels[from - 1])));
        if (to < literal_.labels.size()) parts.push_back(upper(diagram_.cut(literal_.labels[to])));
        std::move(holes.begin(), holes.end(), std::back_inserter(parts));
      }
      out.push_back(combined(Formula::Kind::all, std::move(parts)));
      first = last + 1;
    }
    return combined(Formula::Kind::any, std::move(out));
  }

 private:
  std::vector<std::pair<size_t, size_t>> find_runs() const {
    std::vector<std::pair<size_t, size_t>> out;
    for (size_t i = 0; i < literal_.cells.size(); ++i) {
      if (!literal_.cells[i]) continue;
      if (i > 0 && literal_.cells[i - 1]) {
        out.back().second = i;
      } else {
        out.emplace_back(i, i);
      }
    }
    return out;
  }

  // Only the fields of a python version know a short form, and only X.Y is one.
  bool is_short(const Version& version) const {
    return short_ != full_ && version.epoch() == 0 && short_text(version) == version.base_text() &&
           version.release_size() == 2;
  }
  std::string compare(const std::string& field, std::string_view sign, const std::string& value) const {
    return field + " " + std::string(sign) + " \"" + value + "\"";
  }

  // One comparison for the cells from `first` to `last`, or "".
  std::string equality(std::string_view sign, size_t first, size_t last) const {
    if (first == 0 || last >= literal_.labels.size()) return "";
    const VersionCut &from = diagram_.cut(literal_.labels[first - 1]), &to = diagram_.cut(literal_.labels[last]);
    if (from.version == to.version) return compare(full_, sign, short_text(from.version));
    const auto begin = begun_by(from), end = begun_by(to);
    if (!begin || !end || begin->is_postrelease() || end->is_postrelease() || begin->epoch() != end->epoch()) return "";
    size_t size = 0;  // of the series: all numbers before its last agree, that one grows by one, and no others follow
    while (size < end->release_size() && end->release_at(size) == begin->release_at(size)) ++size;
    if (end->release_at(size) != begin->release_at(size) + 1) return "";
    for (size_t i = size + 1; i < std::max(begin->release_size(), end->release_size()); ++i) {
      if (begin->release_at(i) != 0 || end->release_at(i) != 0) return "";
    }
    std::string series = begin->epoch() ? std::to_string(begin->epoch()) + "!" : "";
    for (size_t i = 0; i <= size; ++i) series += (i ? "." : "") + std::to_string(begin->release_at(i));
    if (size == 1 && short_ != full_ && begin->epoch() == 0) return compare(short_, sign, series);
    return compare(size == 0 ? short_ : full_, sign, series + ".*");
  }

  Formula lower(const VersionCut& cut) const {
    const auto begin = begun_by(cut);
    if (begin && is_short(*begin)) return comparison(compare(short_, ">=", begin->text()));
    return comparison(compare(full_, cut.above ? ">" : ">=", short_text(cut.version)));
  }

  Formula upper(const VersionCut& cut) const {
    if (cut.above) return comparison(compare(full_, "<=", short_text(cut.version)));
    if (const auto begin = begun_by(cut)) {
      return comparison(compare(is_short(*begin) ? short_ : full_, "<", begin->text()));
    }
    const std::string text = short_text(cut.version);
    if (cut.version.is_prerelease()) return comparison(compare(full_, "<", text));
    // "<V" would leave out the pre-releases of V as well.
    return combined(Formula::Kind::all,
                    {comparison(compare(full_, "<=", text)), comparison(compare(full_, "!=", text))});
  }

  const MarkerDiagram& diagram_;
  const Literal& literal_;
  std::string full_, short_;
};

std::string quoted(const std::string& text) {
  const char quote = text.find('"') == std::string::npos ? '"' : '\'';
  return quote + text + quote;
}

}  // namespace

std::optional<Formula> literal_formula(const MarkerDiagram& diagram, const Literal& literal) {
  const MarkerVariable& variable = diagram.at(literal.variable);
  const auto chosen = std::count(literal.cells.begin(), literal.cells.end(), true);
  if (chosen == 0 || static_cast<size_t>(chosen) == literal.cells.size()) return constant(chosen != 0);
  if (variable.kind == MarkerVariable::Kind::version) return VersionText(diagram, literal).formula();
  if (variable.is_question()) {
    const std::string& text = literal.cells.front() ? variable.yes : variable.no;
    if (text.empty()) return std::nullopt;
    return comparison(text);
  }
  const bool others = literal.cells.back();
  std::vector<Formula> parts;
  for (size_t i = 0; i < literal.labels.size(); ++i) {
    if (literal.cells[i] == others) continue;
    parts.push_back(comparison(variable.name + (others ? " != " : " == ") + quoted(diagram.text(literal.labels[i]))));
  }
  return combined(others ? Formula::Kind::all : Formula::Kind::any, std::move(parts));
}

std::optional<Formula> written(const MarkerDiagram& diagram, const Formula& formula, bool negated) {
  if (formula.kind == Formula::Kind::literal) {
    Literal literal = formula.literal;
    if (negated) literal.cells.flip();
    return literal_formula(diagram, literal);
  }
  std::vector<Formula> parts;
  for (const Formula& part : formula.parts) {
    auto text = written(diagram, part, negated);
    if (!text) return std::nullopt;
    parts.push_back(*std::move(text));
  }
  const bool all = (formula.kind == Formula::Kind::all) != negated;
  return combined(all ? Formula::Kind::all : Formula::Kind::any, std::move(parts));
}

Formula factored(Formula formula) {
  for (Formula& part : formula.parts) part = factored(std::move(part));
  if (formula.kind != Formula::Kind::any || formula.parts.size() < 2) return formula;
  const auto factors = [](const Formula& term) {
    return term.kind == Formula::Kind::all ? term.parts : std::vector<Formula>{term};
  };
  std::vector<Formula> shared;
  for (const Formula& candidate : factors(formula.parts.front())) {
    const std::string text = text_of(candidate);
    const bool everywhere = std::all_of(formula.parts.begin(), formula.parts.end(), [&](const Formula& term) {
      const auto all = factors(term);
      return std::any_of(all.begin(), all.end(), [&](const Formula& factor) { return text_of(factor) == text; });
    });
    if (everywhere) shared.push_back(candidate);
  }
  if (shared.empty()) return formula;
  std::vector<Formula> rest;
  for (const Formula& term : formula.parts) {
    std::vector<Formula> kept;
    for (const Formula& factor : factors(term)) {
      const auto same = [&](const Formula& other) { return text_of(other) == text_of(factor); };
      if (std::none_of(shared.begin(), shared.end(), same)) kept.push_back(factor);
    }
    rest.push_back(combined(Formula::Kind::all, std::move(kept)));
  }
  shared.insert(shared.begin(), combined(Formula::Kind::any, std::move(rest)));
  return combined(Formula::Kind::all, std::move(shared));
}

std::string text_of(const Formula& formula) {
  return text_inside(formula, false);
}

}  // namespace dae::resolver
