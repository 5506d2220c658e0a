#include <algorithm>
#include <array>

#include "base/value.h"
#include "resolver/standards/marker.h"
#include "resolver/standards/marker_node.h"
#include "resolver/standards/names.h"

namespace dae::resolver {
namespace {

using Node = Marker::Node;
using NodePtr = std::shared_ptr<const Node>;

constexpr size_t kMaxTextBytes = 64 * 1024;
constexpr int kMaxDepth = 100;

constexpr std::array<std::string_view, 14> kVariables = {"python_version",
                                                         "python_full_version",
                                                         "os_name",
                                                         "sys_platform",
                                                         "platform_release",
                                                         "platform_system",
                                                         "platform_version",
                                                         "platform_machine",
                                                         "platform_python_implementation",
                                                         "implementation_name",
                                                         "implementation_version",
                                                         "extra",
                                                         "extras",
                                                         "dependency_groups"};
// Spelled like this by setuptools and PEP 345 before PEP 508.
constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kOldVariables = {
    {{"os.name", "os_name"},
     {"sys.platform", "sys_platform"},
     {"platform.version", "platform_version"},
     {"platform.machine", "platform_machine"},
     {"platform.python_implementation", "platform_python_implementation"},
     {"python_implementation", "platform_python_implementation"}}};

bool is_word_char(char c) {
  return is_name_char(c) && c != '.' && c != '-';
}

std::string_view peek_word(const Scanner& scanner, bool dots = false) {
  size_t end = scanner.at;
  while (end < scanner.text.size() && (is_word_char(scanner.text[end]) || (dots && scanner.text[end] == '.'))) ++end;
  return scanner.text.substr(scanner.at, end - scanner.at);
}

bool eat_word(Scanner& scanner, std::string_view word) {
  if (peek_word(scanner) != word) return false;
  scanner.at += word.size();
  return true;
}

std::string parse_literal(Scanner& scanner) {
  const char quote = scanner.peek();
  const size_t end = scanner.text.find(quote, scanner.at + 1);
  if (end == std::string_view::npos) scanner.fail("the quoted text does not end");
  std::string out(scanner.text.substr(scanner.at + 1, end - scanner.at - 1));
  const auto is_control = [](char c) { return (c >= 0 && c < 0x20 && c != '\t') || c == 0x7f; };
  if (std::any_of(out.begin(), out.end(), is_control)) scanner.fail("control character in quoted text");
  scanner.at = end + 1;
  return out;
}

MarkerOperand parse_operand(Scanner& scanner) {
  scanner.skip_space();
  if (scanner.peek() == '"' || scanner.peek() == '\'') return {false, parse_literal(scanner)};
  const std::string_view word = peek_word(scanner, true);
  if (word.empty()) scanner.fail("expected a marker variable or quoted text");
  std::string_view name = word;
  for (const auto& [old, now] : kOldVariables) {
    if (word == old) name = now;
  }
  if (std::find(kVariables.begin(), kVariables.end(), name) == kVariables.end()) {
    const std::string near = nearest_name(word, {kVariables.begin(), kVariables.end()});
    scanner.fail("unknown marker variable `" + std::string(word.substr(0, 60)) + "`",
                 near.empty() ? "" : "did you mean `" + near + "`?");
  }
  scanner.at += word.size();
  return {true, std::string(name)};
}

MarkerOp parse_op(Scanner& scanner) {
  scanner.skip_space();
  if (eat_word(scanner, "in")) return MarkerOp::in;
  if (eat_word(scanner, "not")) {
    const size_t before = scanner.at;
    scanner.skip_space();
    if (scanner.at == before || !eat_word(scanner, "in")) scanner.fail("expected `in` after `not`");
    return MarkerOp::not_in;
  }
  for (MarkerOp op : {MarkerOp::arbitrary, MarkerOp::equal, MarkerOp::not_equal, MarkerOp::less_equal,
                      MarkerOp::greater_equal, MarkerOp::compatible, MarkerOp::less, MarkerOp::greater}) {
    if (scanner.eat(marker_sign(op))) return op;
  }
  scanner.fail("expected an operator: one of == != <= >= < > ~= === in, not in");
}

NodePtr parse_compare(Scanner& scanner) {
  const size_t start = scanner.at;
  Node node;
  node.left = parse_operand(scanner);
  node.op = parse_op(scanner);
  node.right = parse_operand(scanner);

  if (!node.left.is_variable && !node.right.is_variable) {
    scanner.at = start;
    scanner.fail("a comparison needs a marker variable");
  }
  const bool left_set = node.left.is_variable && (node.left.text == "extras" || node.left.text == "dependency_groups");
  const bool right_set =
      node.right.is_variable && (node.right.text == "extras" || node.right.text == "dependency_groups");
  if (left_set || right_set) {  // sets: PEP 751 knows membership of a name only
    if (left_set || node.left.is_variable || (node.op != MarkerOp::in && node.op != MarkerOp::not_in)) {
      scanner.at = start;
      scanner.fail("`extras` and `dependency_groups` can only be used as in `\"name\" in extras`");
    }
    node.left.text = normalize_name(node.left.text);
  } else if (node.left.is_variable && node.right.is_variable &&
             (node.left.text == "extra" || node.right.text == "extra")) {
    scanner.at = start;
    scanner.fail("`extra` can only be compared with quoted text");
  } else if (marker_key(node) == "extra") {
    MarkerOperand& literal = node.left.is_variable ? node.right : node.left;
    literal.text = normalize_name(literal.text);
  } else if (node.left.is_variable && !node.right.is_variable && is_version_variable(node.left.text)) {
    node.specifier = marker_specifier(node.op, node.right.text);
  }
  return std::make_shared<const Node>(std::move(node));
}

// Children of the same kind are taken in: (a and b) and c is a and b and c.
NodePtr combine(Node::Kind kind, std::vector<NodePtr> parts) {
  if (parts.size() == 1) return parts.front();
  Node node;
  node.kind = kind;
  for (NodePtr& part : parts) {
    if (part->kind == kind) {
      node.children.insert(node.children.end(), part->children.begin(), part->children.end());
    } else {
      node.children.push_back(std::move(part));
    }
  }
  return std::make_shared<const Node>(std::move(node));
}

NodePtr parse_or(Scanner& scanner, int depth);

NodePtr parse_atom(Scanner& scanner, int depth) {
  scanner.skip_space();
  if (scanner.peek() != '(') return parse_compare(scanner);
  if (depth >= kMaxDepth) scanner.fail("parentheses are nested too deep");
  scanner.eat("(");
  NodePtr node = parse_or(scanner, depth + 1);
  scanner.skip_space();
  if (!scanner.eat(")")) scanner.fail("expected `)`, `and` or `or`");
  return node;
}

NodePtr parse_and(Scanner& scanner, int depth) {
  std::vector<NodePtr> parts;
  do {
    parts.push_back(parse_atom(scanner, depth));
    scanner.skip_space();
  } while (eat_word(scanner, "and"));
  return combine(Node::Kind::all, std::move(parts));
}

NodePtr parse_or(Scanner& scanner, int depth) {
  std::vector<NodePtr> parts;
  do {
    parts.push_back(parse_and(scanner, depth));
    scanner.skip_space();
  } while (eat_word(scanner, "or"));
  return combine(Node::Kind::any, std::move(parts));
}

}  // namespace

Marker MarkerParser::parse(Scanner& scanner) {
  if (scanner.text.size() > kMaxTextBytes) scanner.fail("the marker is too long");
  Marker out;
  out.root_ = parse_or(scanner, 0);
  return out;
}

Marker MarkerParser::combine(const Marker& a, const Marker& b, bool all) {
  if (a.always()) return all ? b : a;
  if (b.always()) return all ? a : b;
  Marker out;
  out.root_ = resolver::combine(all ? Node::Kind::all : Node::Kind::any, {a.root_, b.root_});
  return out;
}

Marker Marker::parse(std::string_view text) {
  Scanner scanner{text};
  Marker out = MarkerParser::parse(scanner);
  scanner.skip_space();
  if (!scanner.done()) scanner.fail("expected `and`, `or` or the end of the marker");
  return out;
}

}  // namespace dae::resolver
