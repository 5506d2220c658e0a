#include "resolver/standards/marker.h"

#include <algorithm>
#include <array>

#include "base/strings.h"
#include "resolver/standards/marker_node.h"
#include "resolver/standards/names.h"

namespace dae::resolver {
namespace {

struct Inputs {
  const MarkerEnvironment& environment;
  const std::set<std::string>& extras;
  const std::set<std::string>& groups;
};

bool is_member(const std::set<std::string>& names, const std::string& wanted) {
  if (names.contains(wanted)) return true;
  return std::any_of(names.begin(), names.end(),
                     [&](const std::string& name) { return normalize_name(name) == wanted; });
}

// `extra` stands for all requested extras at once (set semantics): == asks for membership, whichever side it is on.
// An empty name asks whether no extra was requested.
bool evaluate_extra(const Marker::Node& node, const std::set<std::string>& extras) {
  const std::string& name = node.left.is_variable ? node.right.text : node.left.text;
  switch (node.op) {
    case MarkerOp::not_equal:
      return !(name.empty() ? extras.empty() : is_member(extras, name));
    case MarkerOp::less:
    case MarkerOp::greater:
    case MarkerOp::compatible:
      return false;
    case MarkerOp::in:
    case MarkerOp::not_in: {
      const bool found =
          node.left.is_variable
              ? std::any_of(extras.begin(), extras.end(),
                            [&](const std::string& extra) { return name.find(normalize_name(extra)) != name.npos; })
              : is_member(extras, name);
      return found == (node.op == MarkerOp::in);
    }
    default:
      return name.empty() ? extras.empty() : is_member(extras, name);
  }
}

// Strings have no order: >= and <= ask for equality, < and > never hold, ~= is not defined and does not hold.
bool compare_strings(MarkerOp op, std::string_view left, std::string_view right) {
  switch (op) {
    case MarkerOp::equal:
    case MarkerOp::arbitrary:
    case MarkerOp::less_equal:
    case MarkerOp::greater_equal:
      return left == right;
    case MarkerOp::not_equal:
      return left != right;
    case MarkerOp::in:
      return right.find(left) != right.npos;
    case MarkerOp::not_in:
      return right.find(left) == right.npos;
    default:
      return false;
  }
}

// Interpreters built from an untagged source tree call themselves "3.13.0+", which no version may end with.
std::optional<Version> candidate(std::string_view text) {
  if (text.ends_with('+')) return Version::try_parse(std::string(text) + "local");
  return Version::try_parse(text);
}

bool evaluate_compare(const Marker::Node& node, const Inputs& inputs) {
  const std::string& key = marker_key(node);
  if (key == "extra") return evaluate_extra(node, inputs.extras);
  if (key == "extras") return is_member(inputs.extras, node.left.text) == (node.op == MarkerOp::in);
  if (key == "dependency_groups") return is_member(inputs.groups, node.left.text) == (node.op == MarkerOp::in);

  const auto value = [&](const MarkerOperand& operand) {
    return operand.is_variable ? inputs.environment.get(operand.text) : std::string_view(operand.text);
  };
  const std::string_view left = value(node.left), right = value(node.right);
  if (node.op < MarkerOp::in && is_version_variable(key)) {
    std::optional<Specifier> made;
    const Specifier* specifier = node.specifier ? &*node.specifier : nullptr;
    if (node.right.is_variable && (made = marker_specifier(node.op, right))) specifier = &*made;
    if (specifier && specifier->op == SpecifierOp::arbitrary) return iequals(left, specifier->raw);
    if (specifier) {
      if (const auto version = candidate(left)) return specifier->contains(*version, left);
    }
  }
  return compare_strings(node.op, left, right);
}

bool evaluate_node(const Marker::Node& node, const Inputs& inputs) {
  const auto holds = [&](const std::shared_ptr<const Marker::Node>& child) { return evaluate_node(*child, inputs); };
  switch (node.kind) {
    case Marker::Node::Kind::all:
      return std::all_of(node.children.begin(), node.children.end(), holds);
    case Marker::Node::Kind::any:
      return std::any_of(node.children.begin(), node.children.end(), holds);
    default:
      return evaluate_compare(node, inputs);
  }
}

bool mentions(const Marker::Node& node, std::string_view variable) {
  if (node.kind == Marker::Node::Kind::compare) {
    return (node.left.is_variable && node.left.text == variable) ||
           (node.right.is_variable && node.right.text == variable);
  }
  return std::any_of(node.children.begin(), node.children.end(),
                     [&](const auto& child) { return mentions(*child, variable); });
}

std::string operand_text(const MarkerOperand& operand) {
  if (operand.is_variable) return operand.text;
  const char quote = operand.text.find('"') == std::string::npos ? '"' : '\'';
  return quote + operand.text + quote;
}

}  // namespace

std::string marker_node_text(const Marker::Node& node) {
  if (node.kind == Marker::Node::Kind::compare) {
    return operand_text(node.left) + " " + std::string(marker_sign(node.op)) + " " + operand_text(node.right);
  }
  std::vector<std::string> parts;
  for (const auto& child : node.children) {
    const bool parenthesis = node.kind == Marker::Node::Kind::all && child->kind == Marker::Node::Kind::any;
    parts.push_back(parenthesis ? "(" + marker_node_text(*child) + ")" : marker_node_text(*child));
  }
  return join(parts, node.kind == Marker::Node::Kind::all ? " and " : " or ");
}

bool evaluate_marker_node(const Marker::Node& node, const MarkerEnvironment& environment) {
  static const std::set<std::string> none;
  return evaluate_node(node, {environment, none, none});
}

std::string_view MarkerEnvironment::get(std::string_view name) const {
  const auto found = values.find(name);
  return found == values.end() ? std::string_view() : std::string_view(found->second);
}

std::string_view marker_sign(MarkerOp op) {
  static constexpr std::array<std::string_view, 10> signs = {"==", "!=", "<=",  ">=", "<",
                                                             ">",  "~=", "===", "in", "not in"};
  return signs[static_cast<size_t>(op)];
}

// platform_version is a string ("#1 SMP …"), platform_release a version where it looks like one.
bool is_version_variable(std::string_view name) {
  return name == "python_version" || name == "python_full_version" || name == "implementation_version" ||
         name == "platform_release";
}

const std::string& marker_key(const Marker::Node& node) {
  return node.left.is_variable ? node.left.text : node.right.text;
}

std::optional<Specifier> marker_specifier(MarkerOp op, std::string_view operand) {
  if (op >= MarkerOp::in || operand.find(',') != operand.npos) return std::nullopt;
  const auto set = SpecifierSet::try_parse(std::string(marker_sign(op)) + std::string(operand));
  if (!set || set->parts().size() != 1) return std::nullopt;
  return set->parts().front();
}

bool Marker::evaluate(const MarkerEnvironment& environment, const std::set<std::string>& extras,
                      const std::set<std::string>& groups) const {
  return !root_ || evaluate_node(*root_, {environment, extras, groups});
}

bool Marker::mentions_extra() const {
  return root_ && mentions(*root_, "extra");
}

std::string Marker::text() const {
  return root_ ? marker_node_text(*root_) : "";
}

}  // namespace dae::resolver
