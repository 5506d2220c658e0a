#pragma once
// The tree behind a Marker, for marker.cc and marker_parse.cc only.
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "resolver/standards/marker.h"
#include "resolver/standards/scanner.h"
#include "resolver/standards/specifier.h"

namespace dae::resolver {

enum class MarkerOp { equal, not_equal, less_equal, greater_equal, less, greater, compatible, arbitrary, in, not_in };
std::string_view marker_sign(MarkerOp op);

struct MarkerOperand {
  bool is_variable = false;
  std::string text;  // canonical variable name, or the literal without quotes
};

struct Marker::Node {
  enum class Kind { all, any, compare };
  Kind kind = Kind::compare;
  std::vector<std::shared_ptr<const Node>> children;  // all, any: two or more, none of the same kind
  MarkerOp op = MarkerOp::equal;
  MarkerOperand left, right;
  // Variable of a version type against a literal that makes a valid specifier.
  std::optional<Specifier> specifier;
};

// "3.8" after `op` as a specifier, when it is one.
std::optional<Specifier> marker_specifier(MarkerOp op, std::string_view operand);
bool is_version_variable(std::string_view name);
// The variable that decides the type of a comparison: the left one, else the right one.
const std::string& marker_key(const Marker::Node& node);

bool evaluate_marker_node(const Marker::Node& node, const MarkerEnvironment& environment);  // no extras, no groups
std::string marker_node_text(const Marker::Node& node);

struct MarkerParser {
  static Marker parse(Scanner& scanner);  // stops at what cannot continue a marker
  static const std::shared_ptr<const Marker::Node>& root(const Marker& marker) { return marker.root_; }
  static Marker combine(const Marker& a, const Marker& b, bool all);
};

}  // namespace dae::resolver
