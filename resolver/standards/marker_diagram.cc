#include "resolver/standards/marker_diagram.h"

#include <algorithm>

#include "resolver/standards/marker_algebra.h"

namespace dae::resolver {

namespace {

uint64_t pair_key(MarkerRef a, MarkerRef b) {
  return (uint64_t{a} << 32) | b;
}

}  // namespace

uint32_t MarkerDiagram::variable(MarkerVariable wanted) {
  const auto known = variable_ids_.find(wanted.order);
  if (known != variable_ids_.end()) return known->second;
  if (variables_.size() >= MarkerAlgebra::kMaxVariables) return kNoVariable;
  const auto id = static_cast<uint32_t>(variables_.size());
  variable_ids_.emplace(wanted.order, id);
  variables_.push_back(std::move(wanted));
  return id;
}

uint32_t MarkerDiagram::cut_label(const VersionCut& cut) {
  const auto [place, is_new] = cut_ids_.emplace(cut, static_cast<uint32_t>(cuts_.size()));
  if (is_new) cuts_.push_back(&place->first);
  return place->second;
}

uint32_t MarkerDiagram::text_label(const std::string& text) {
  const auto [place, is_new] = text_ids_.emplace(text, static_cast<uint32_t>(texts_.size()));
  if (is_new) texts_.push_back(&place->first);
  return place->second;
}

bool MarkerDiagram::label_less(uint32_t variable, uint32_t a, uint32_t b) const {
  return variables_[variable].kind == MarkerVariable::Kind::version ? *cuts_[a] < *cuts_[b] : *texts_[a] < *texts_[b];
}

bool MarkerDiagram::spend() {
  return ++steps_ <= MarkerAlgebra::kMaxSteps;
}

MarkerRef MarkerDiagram::node(uint32_t variable, Labels labels, std::vector<MarkerRef> children) {
  if (std::find(children.begin(), children.end(), kUnknown) != children.end()) return kUnknown;
  const bool version = variables_[variable].kind == MarkerVariable::Kind::version;
  size_t kept = 0;  // labels between cells that differ
  for (size_t i = 0; i < labels.size(); ++i) {
    const MarkerRef before = version ? children[kept] : children.back();
    const MarkerRef here = version ? children[i + 1] : children[i];
    if (before == here) continue;
    labels[kept] = labels[i];
    children[version ? kept + 1 : kept] = here;
    ++kept;
  }
  if (kept == 0) return version ? children.front() : children.back();
  if (!version) children[kept] = children.back();
  labels.resize(kept);
  children.resize(kept + 1);

  std::vector<uint32_t> key = {variable};
  key.insert(key.end(), labels.begin(), labels.end());
  key.insert(key.end(), children.begin(), children.end());
  const auto known = unique_.find(key);
  if (known != unique_.end()) return known->second;
  if (nodes_.size() >= MarkerAlgebra::kMaxNodes) return kUnknown;
  const auto ref = static_cast<MarkerRef>(nodes_.size());
  nodes_.push_back({variable, std::move(labels), std::move(children)});
  unique_.emplace(std::move(key), ref);
  return ref;
}

MarkerRef MarkerDiagram::equal(uint32_t variable, const std::string& value) {
  if (variable == kNoVariable) return kUnknown;
  const uint32_t label = text_label(value);
  std::vector<uint32_t>& values = variables_[variable].values;
  if (std::find(values.begin(), values.end(), label) == values.end()) values.push_back(label);
  return node(variable, {label}, {kEverything, kNothing});
}

uint32_t MarkerDiagram::first_variable(const std::vector<MarkerRef>& refs) const {
  const Node* first = nullptr;
  for (MarkerRef ref : refs) {
    if (ref <= kUnknown) continue;
    if (!first || variables_[nodes_[ref].variable].order < variables_[first->variable].order) first = &nodes_[ref];
  }
  return first->variable;
}

MarkerDiagram::Cells MarkerDiagram::cells(uint32_t variable, const std::vector<MarkerRef>& refs) const {
  Cells out;
  out.variable = variable;
  const auto less = [&](uint32_t a, uint32_t b) { return label_less(variable, a, b); };
  std::vector<const Node*> asked(refs.size(), nullptr);  // null: the variable does not matter
  for (size_t i = 0; i < refs.size(); ++i) {
    if (refs[i] <= kUnknown || nodes_[refs[i]].variable != variable) continue;
    asked[i] = &nodes_[refs[i]];
    Labels merged;
    std::set_union(out.labels.begin(), out.labels.end(), asked[i]->labels.begin(), asked[i]->labels.end(),
                   std::back_inserter(merged), less);
    out.labels = std::move(merged);
  }
  const bool version = variables_[variable].kind == MarkerVariable::Kind::version;
  std::vector<size_t> next(refs.size(), 0);  // label of each node that comes next
  for (size_t cell = 0; cell <= out.labels.size(); ++cell) {
    std::vector<MarkerRef> children = refs;
    for (size_t i = 0; i < refs.size(); ++i) {
      if (!asked[i]) continue;
      const Labels& labels = asked[i]->labels;
      if (version) {
        if (cell > 0 && next[i] < labels.size() && labels[next[i]] == out.labels[cell - 1]) ++next[i];
        children[i] = asked[i]->children[next[i]];
      } else if (cell < out.labels.size() && next[i] < labels.size() && labels[next[i]] == out.labels[cell]) {
        children[i] = asked[i]->children[next[i]++];
      } else {
        children[i] = asked[i]->children.back();
      }
    }
    out.refs.push_back(std::move(children));
  }
  return out;
}

MarkerRef MarkerDiagram::both(MarkerRef a, MarkerRef b) {
  if (a > b) std::swap(a, b);
  if (a == kNothing || b == kNothing) return kNothing;
  if (a == kUnknown || b == kUnknown) return kUnknown;
  if (a == kEverything || a == b) return b;
  const auto known = both_.find(pair_key(a, b));
  if (known != both_.end()) return known->second;
  if (!spend()) return kUnknown;
  Cells parts = cells(first_variable({a, b}), {a, b});
  std::vector<MarkerRef> children;
  for (const auto& pair : parts.refs) {
    children.push_back(both(pair[0], pair[1]));
    if (children.back() == kUnknown) return kUnknown;
  }
  const MarkerRef out = node(parts.variable, std::move(parts.labels), std::move(children));
  if (out != kUnknown) both_.emplace(pair_key(a, b), out);
  return out;
}

MarkerRef MarkerDiagram::either(MarkerRef a, MarkerRef b) {
  return negate(both(negate(a), negate(b)));
}

MarkerRef MarkerDiagram::negate(MarkerRef ref) {
  if (ref == kUnknown) return kUnknown;
  if (ref < kUnknown) return ref == kNothing ? kEverything : kNothing;
  const auto known = negate_.find(ref);
  if (known != negate_.end()) return known->second;
  if (!spend()) return kUnknown;
  const Node source = nodes_[ref];  // a copy: new nodes may move the old ones
  std::vector<MarkerRef> children;
  for (MarkerRef child : source.children) {
    children.push_back(negate(child));
    if (children.back() == kUnknown) return kUnknown;
  }
  const MarkerRef out = node(source.variable, source.labels, std::move(children));
  if (out != kUnknown) {
    negate_.emplace(ref, out);
    negate_.emplace(out, ref);
  }
  return out;
}

MarkerRef MarkerDiagram::build(const std::shared_ptr<const Marker::Node>& root) {
  if (!root) return kEverything;
  if (root->kind == Marker::Node::Kind::compare) return atom(root);
  const bool all = root->kind == Marker::Node::Kind::all;
  MarkerRef out = all ? kEverything : kNothing;
  for (const auto& child : root->children) {
    const MarkerRef part = build(child);
    out = all ? both(out, part) : either(out, part);
    if (out == kUnknown) return kUnknown;
  }
  return out;
}

}  // namespace dae::resolver
