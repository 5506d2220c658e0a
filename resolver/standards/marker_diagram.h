#pragma once
// Decision diagrams over marker variables, for marker_algebra.cc, marker_atoms.cc and marker_cover.cc only.
//
// A node asks one variable and has a child for each of the cells its values fall into. Nodes are shared and reduced,
// variables stand in one order on every path: two refs are equal exactly when they say the same.
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "resolver/standards/marker_node.h"
#include "resolver/standards/version.h"

namespace dae::resolver {

// A place between versions: below `version`, or above it and all its local builds.
struct VersionCut {
  Version version;
  bool above = false;
  std::strong_ordering operator<=>(const VersionCut&) const = default;
};

using MarkerRef = uint32_t;
inline constexpr MarkerRef kNothing = 0, kEverything = 1, kUnknown = 2;
inline constexpr uint32_t kNoVariable = UINT32_MAX;

struct MarkerVariable {
  enum class Kind { version, text };  // a question of yes or no is a text that is `labels = {""}` or something else
  Kind kind = Kind::text;
  std::string order{};      // variables are asked in the order of this text
  std::string name{};       // the field
  std::string yes{}, no{};  // question of yes or no: markers for both; no: "" where none says it
  std::shared_ptr<const Marker::Node> undecided{};  // comparison that is a variable of its own
  std::vector<uint32_t> values{};                   // labels of a text that were asked about
  bool is_question() const { return !yes.empty(); }
};

class MarkerDiagram {
 public:
  using Labels = std::vector<uint32_t>;  // of version(): cuts, ascending; else values of text(), ascending
  // Cells of a variable: version: below the first label, between labels, from the last on (one more cell than labels);
  // text: equal to each label, and then everything else.
  struct Cells {
    uint32_t variable = 0;
    Labels labels;
    std::vector<std::vector<MarkerRef>> refs;  // for each cell one child per diagram asked
  };

  uint32_t variable(MarkerVariable wanted);  // known by `order`; kNoVariable when there are too many
  uint32_t cut_label(const VersionCut& cut);
  uint32_t text_label(const std::string& text);
  const MarkerVariable& at(uint32_t variable) const { return variables_[variable]; }
  const VersionCut& cut(uint32_t label) const { return *cuts_[label]; }
  const std::string& text(uint32_t label) const { return *texts_[label]; }

  MarkerRef node(uint32_t variable, Labels labels, std::vector<MarkerRef> children);
  MarkerRef equal(uint32_t variable, const std::string& value);  // text variable; questions: value ""
  MarkerRef both(MarkerRef a, MarkerRef b);
  MarkerRef either(MarkerRef a, MarkerRef b);
  MarkerRef negate(MarkerRef ref);
  MarkerRef without(MarkerRef a, MarkerRef b) { return both(a, negate(b)); }
  bool is_inside(MarkerRef a, MarkerRef b) { return without(a, b) == kNothing; }
  // The first variable that any of the refs asks; at least one is no constant.
  uint32_t first_variable(const std::vector<MarkerRef>& refs) const;
  Cells cells(uint32_t variable, const std::vector<MarkerRef>& refs) const;

  MarkerRef atom(const std::shared_ptr<const Marker::Node>& compare);  // marker_atoms.cc
  MarkerRef build(const std::shared_ptr<const Marker::Node>& root);
  MarkerRef facts();  // what texts say about undecided comparisons of the same variable
  void restart() { steps_ = 0; }
  bool spend();  // false: the question takes too long

 private:
  struct Node {
    uint32_t variable = 0;
    Labels labels;
    std::vector<MarkerRef> children;
  };
  bool label_less(uint32_t variable, uint32_t a, uint32_t b) const;

  size_t steps_ = 0;
  std::vector<MarkerVariable> variables_;
  std::map<std::string, uint32_t> variable_ids_;
  std::map<VersionCut, uint32_t> cut_ids_;
  std::vector<const VersionCut*> cuts_;
  std::map<std::string, uint32_t> text_ids_;
  std::vector<const std::string*> texts_;
  std::vector<Node> nodes_{3};  // the constants stand for themselves
  std::map<std::vector<uint32_t>, MarkerRef> unique_;
  std::unordered_map<uint64_t, MarkerRef> both_, negate_;
};

// A set as text: any function between `least` and `most`; nullopt when it cannot be written. marker_cover.cc
std::optional<Marker> marker_between(MarkerDiagram& diagram, MarkerRef least, MarkerRef most);

}  // namespace dae::resolver
