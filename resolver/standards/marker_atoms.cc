// One comparison of a marker as a set of environments.
#include <algorithm>
#include <array>

#include "base/strings.h"
#include "resolver/standards/marker_diagram.h"

namespace dae::resolver {
namespace {

using Node = Marker::Node;
using NodePtr = std::shared_ptr<const Node>;
using Cuts = std::vector<VersionCut>;  // ascending; what is between the first and the second is inside, and so on

constexpr size_t kMaxListed = 256, kMaxDigits = 6;  // versions listed in `python_version in "…"`
constexpr size_t kMaxFacts = 1000;                  // pairs of a text and an undecided comparison
constexpr uint64_t kMaxPart = 1'000'000;            // of a python version; above that comparisons are left undecided

// First place of a release: below its first development version.
std::optional<VersionCut> start_of(uint64_t epoch, const std::vector<uint64_t>& release) {
  std::string text = epoch ? std::to_string(epoch) + "!" : "";
  for (size_t i = 0; i < release.size(); ++i) text += (i ? "." : "") + std::to_string(release[i]);
  auto version = Version::try_parse(text + ".dev0");
  return version ? std::optional(VersionCut{*std::move(version), false}) : std::nullopt;
}

VersionCut python_start(uint64_t major, uint64_t minor) {
  return *start_of(0, {major, minor});
}

// From the first version that begins with `count` segments of `version` to where the next such series begins.
std::optional<std::pair<VersionCut, VersionCut>> series(const Version& version, size_t count) {
  std::vector<uint64_t> release = version.release();
  release.resize(count);
  const auto first = start_of(version.epoch(), release);
  if (release.back() == UINT64_MAX) return std::nullopt;
  ++release.back();
  const auto last = start_of(version.epoch(), release);
  if (!first || !last) return std::nullopt;
  return std::pair(*first, *last);
}

// "<V" leaves out the pre-releases of V unless V is one (PEP 440, "Exclusive ordered comparison").
std::optional<VersionCut> less_than(const Version& limit) {
  if (limit.is_prerelease()) return VersionCut{limit, false};
  auto first = Version::try_parse(limit.text() + ".dev0");
  return first ? std::optional(VersionCut{*std::move(first), false}) : std::nullopt;
}

struct Range {
  std::optional<VersionCut> from, to;
  bool outside = false;
};

// The versions that fit, none being a post-release; nullopt where cuts between public versions cannot say it.
std::optional<Range> range_of(const Specifier& specifier) {
  const Version& version = specifier.version;
  if (version.is_local()) return std::nullopt;
  switch (specifier.op) {
    case SpecifierOp::equal:
    case SpecifierOp::not_equal: {
      const bool outside = specifier.op == SpecifierOp::not_equal;
      if (!specifier.prefix) return Range{VersionCut{version, false}, VersionCut{version, true}, outside};
      const auto ends = series(version, version.release_size());
      return ends ? std::optional(Range{ends->first, ends->second, outside}) : std::nullopt;
    }
    case SpecifierOp::less_equal:
      return Range{std::nullopt, VersionCut{version, true}};
    case SpecifierOp::greater_equal:
      return Range{VersionCut{version, false}, std::nullopt};
    case SpecifierOp::less: {
      const auto limit = less_than(version);
      return limit ? std::optional(Range{std::nullopt, limit}) : std::nullopt;
    }
    case SpecifierOp::greater:
      return Range{VersionCut{version, true}, std::nullopt};
    case SpecifierOp::compatible: {
      const auto ends = series(version, version.release_size() - 1);
      return ends ? std::optional(Range{VersionCut{version, false}, ends->second}) : std::nullopt;
    }
    default:
      return std::nullopt;
  }
}

bool evaluate_with(const Node& node, const std::string& variable, const std::string& value) {
  MarkerEnvironment environment;
  environment.values[variable] = value;
  return evaluate_marker_node(node, environment);
}

// What can be written out: "3.8" occurs in "3.8, 3.18" and "18.8", but not in "3.08".
std::optional<std::vector<std::pair<uint64_t, uint64_t>>> python_versions_in(const std::string& text) {
  std::vector<std::pair<uint64_t, uint64_t>> out;
  const auto digit = [&](size_t i) { return i < text.size() && text[i] >= '0' && text[i] <= '9'; };
  const auto number = [&](size_t from, size_t to) -> std::optional<uint64_t> {
    if (text[from] == '0' && to - from > 1) return std::nullopt;
    return std::stoull(text.substr(from, to - from));
  };
  for (size_t dot = 1; dot < text.size(); ++dot) {
    if (text[dot] != '.') continue;
    for (size_t from = dot; from > 0 && digit(from - 1); --from) {
      for (size_t end = dot + 1; digit(end); ++end) {
        if (dot - from >= kMaxDigits || end - dot > kMaxDigits || out.size() >= kMaxListed) return std::nullopt;
        const auto major = number(from - 1, dot), minor = number(dot + 1, end + 1);
        if (major && minor) out.emplace_back(*major, *minor);
      }
    }
  }
  return out;
}

const std::string& literal_of(const Node& node) {
  return node.left.is_variable ? node.right.text : node.left.text;
}

// Of "3.9", "3.9.*" and "3.13.0+", as interpreters built from a source tree call themselves.
std::optional<Version> version_in(std::string_view text) {
  text = trim(text);
  if (text.ends_with(".*")) {
    text.remove_suffix(2);
  } else if (text.ends_with('+')) {
    text.remove_suffix(1);
  }
  return Version::try_parse(text);
}

bool asks_equality(MarkerOp op) {
  return op == MarkerOp::equal || op == MarkerOp::less_equal || op == MarkerOp::greater_equal ||
         op == MarkerOp::arbitrary;
}

uint32_t python_variable(MarkerDiagram& diagram) {
  return diagram.variable({MarkerVariable::Kind::version, "0", "python_full_version"});
}

// Left as it is: a question of its own, which `!=` and `not in` answer the other way round.
MarkerRef undecided(MarkerDiagram& diagram, const NodePtr& node) {
  const bool turned = node->op == MarkerOp::not_equal || node->op == MarkerOp::not_in;
  auto positive = std::make_shared<Node>(*node), negative = std::make_shared<Node>(*node);
  MarkerVariable variable;
  if (node->op == MarkerOp::equal || node->op == MarkerOp::not_equal) {
    positive->op = MarkerOp::equal;
    negative->op = MarkerOp::not_equal;
  } else if (node->op == MarkerOp::in || node->op == MarkerOp::not_in) {
    positive->op = MarkerOp::in;
    negative->op = MarkerOp::not_in;
  } else {
    negative = nullptr;
  }
  if (positive->specifier) positive->specifier = marker_specifier(positive->op, positive->right.text);
  variable.yes = marker_node_text(*positive);
  if (negative) variable.no = marker_node_text(*negative);
  variable.name = marker_key(*node);
  const std::string& key = variable.name;
  const bool set = key == "extra" || key == "extras" || key == "dependency_groups";
  variable.order = (set ? "4" : "3") + variable.yes;
  if (!set) variable.undecided = std::move(positive);
  const MarkerRef out = diagram.equal(diagram.variable(std::move(variable)), "");
  return turned ? diagram.negate(out) : out;
}

MarkerRef of_extra(MarkerDiagram& diagram, const NodePtr& node) {
  if (node->op == MarkerOp::less || node->op == MarkerOp::greater || node->op == MarkerOp::compatible) return kNothing;
  const bool membership = node->op == MarkerOp::in || node->op == MarkerOp::not_in;
  if (membership && (node->left.is_variable || node->left.text.empty())) return undecided(diagram, node);
  // One spelling: the sides may be exchanged, and `"x" in extra` asks the same.
  auto plain = std::make_shared<Node>(*node);
  plain->left = {true, "extra"};
  plain->right = {false, literal_of(*node)};
  const bool turned = node->op == MarkerOp::not_equal || node->op == MarkerOp::not_in;
  plain->op = turned ? MarkerOp::not_equal : MarkerOp::equal;
  return undecided(diagram, plain);
}

MarkerRef of_text(MarkerDiagram& diagram, const NodePtr& node) {
  if (node->op == MarkerOp::in || node->op == MarkerOp::not_in) return undecided(diagram, node);
  if (!asks_equality(node->op) && node->op != MarkerOp::not_equal) return kNothing;
  const std::string& key = marker_key(*node);
  const MarkerRef out =
      diagram.equal(diagram.variable({MarkerVariable::Kind::text, "2" + key, key}), literal_of(*node));
  return node->op == MarkerOp::not_equal ? diagram.negate(out) : out;
}

MarkerRef between(MarkerDiagram& diagram, uint32_t variable, const Range& range) {
  const MarkerRef inside = range.outside ? kNothing : kEverything, outside = range.outside ? kEverything : kNothing;
  if (variable == kNoVariable) return kUnknown;
  if (range.from && range.to && *range.to <= *range.from) return outside;
  MarkerDiagram::Labels labels;
  std::vector<MarkerRef> children = {range.from ? outside : inside};
  for (const auto& [cut, child] : {std::pair(range.from, inside), std::pair(range.to, outside)}) {
    if (!cut) continue;
    labels.push_back(diagram.cut_label(*cut));
    children.push_back(child);
  }
  return diagram.node(variable, std::move(labels), std::move(children));
}

// python_version takes the values X.Y only, and no comparison changes its answer but at X.0, X.Y, X.Y+1 and X+1.0 of
// its literal: so it is asked there. What holds for X.Y holds for each full version from X.Y.dev0 to X.Y+1.dev0.
MarkerRef of_python_version(MarkerDiagram& diagram, const NodePtr& node) {
  const uint32_t variable = python_variable(diagram);
  const std::string& literal = literal_of(*node);
  if (variable == kNoVariable) return kUnknown;
  if (node->op == MarkerOp::in || node->op == MarkerOp::not_in) {
    const auto listed = node->left.is_variable ? python_versions_in(literal) : std::nullopt;
    if (!listed) return undecided(diagram, node);
    MarkerRef out = kNothing;
    for (const auto& [major, minor] : *listed) {
      out =
          diagram.either(out, between(diagram, variable, {python_start(major, minor), python_start(major, minor + 1)}));
    }
    return node->op == MarkerOp::in ? out : diagram.negate(out);
  }
  const auto version = version_in(literal);
  if (!version) return evaluate_with(*node, "python_version", "3.0") ? kEverything : kNothing;
  const uint64_t major = version->release_at(0), minor = version->release_at(1);
  if (major > kMaxPart || minor > kMaxPart) return undecided(diagram, node);

  std::vector<std::pair<uint64_t, uint64_t>> steps;
  if (major > 0) steps.emplace_back(major - 1, 0);
  steps.emplace_back(major, 0);
  if (minor > 0) steps.emplace_back(major, minor);
  steps.emplace_back(major, minor + 1);
  steps.emplace_back(major + 1, 0);
  MarkerDiagram::Labels labels;
  std::vector<MarkerRef> children;
  for (const auto& [x, y] : steps) {
    if (!children.empty()) labels.push_back(diagram.cut_label(python_start(x, y)));
    const bool holds = evaluate_with(*node, "python_version", std::to_string(x) + "." + std::to_string(y));
    children.push_back(holds ? kEverything : kNothing);
  }
  return diagram.node(variable, std::move(labels), std::move(children));
}

MarkerRef of_full_version(MarkerDiagram& diagram, const NodePtr& node, uint32_t variable) {
  if (!node->left.is_variable || node->op >= MarkerOp::in) return undecided(diagram, node);
  if (node->specifier) {
    const auto range = range_of(*node->specifier);
    return range ? between(diagram, variable, *range) : undecided(diagram, node);
  }
  if (version_in(node->right.text)) return undecided(diagram, node);
  return node->op == MarkerOp::not_equal ? kEverything : kNothing;  // texts that no version has
}

}  // namespace

MarkerRef MarkerDiagram::atom(const std::shared_ptr<const Marker::Node>& compare) {
  const std::string& key = marker_key(*compare);
  if (key == "extra") return of_extra(*this, compare);
  if (key == "extras" || key == "dependency_groups" || (compare->left.is_variable && compare->right.is_variable)) {
    return undecided(*this, compare);
  }
  if (key == "python_version") return of_python_version(*this, compare);
  if (key == "python_full_version") return of_full_version(*this, compare, python_variable(*this));
  if (key == "implementation_version") {
    return of_full_version(*this, compare, variable({MarkerVariable::Kind::version, "1", key}));
  }
  // platform_release holds a version or any other text; only those that no operator takes for a version stay texts.
  if (is_version_variable(key) && (version_in(literal_of(*compare)) || compare->op == MarkerOp::arbitrary)) {
    return undecided(*this, compare);
  }
  return of_text(*this, compare);
}

MarkerRef MarkerDiagram::facts() {
  MarkerRef out = kEverything;
  size_t pairs = 0;
  for (uint32_t question = 0; question < variables_.size(); ++question) {
    const std::shared_ptr<const Marker::Node> node = variables_[question].undecided;
    if (!node || (node->left.is_variable && node->right.is_variable)) continue;
    const std::string name = variables_[question].name;
    const auto subject = variable_ids_.find("2" + name);
    if (subject == variable_ids_.end()) continue;
    for (uint32_t label : MarkerDiagram::Labels(variables_[subject->second].values)) {
      if (++pairs > kMaxFacts) return out;
      const MarkerRef answer = equal(question, "");
      const bool holds = evaluate_with(*node, name, text(label));
      out = both(out, either(negate(equal(subject->second, text(label))), holds ? answer : negate(answer)));
    }
  }
  return out;
}

}  // namespace dae::resolver
