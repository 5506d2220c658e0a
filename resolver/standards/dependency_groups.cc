#include "resolver/standards/dependency_groups.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/strings.h"
#include "resolver/standards/names.h"

namespace dae::resolver {
namespace {

constexpr size_t kMaxDepth = 100;
constexpr size_t kMaxSteps = 100'000;  // includes multiply: thirty groups that include the next one twice are 2^30

}  // namespace

DependencyGroups::DependencyGroups(const Reader& table) : table_(table) {
  for (const auto& [name, value] : table.value().as_object()) {
    if (!is_valid_name(name)) throw table.error_at(value, fmt::format("`{}` is no name of a group", name));
    if (groups_.emplace(normalize_name(name), &value).second) continue;
    throw table.error_at(value, fmt::format("group `{}` is there twice under one normalised name", name));
  }
}

std::vector<std::string> DependencyGroups::names() const {
  std::vector<std::string> out;
  for (const auto& [name, value] : groups_) out.push_back(name);
  return out;
}

std::vector<DependencyGroups::Item> DependencyGroups::expand(const std::string& name) const {
  Walk walk;
  expand(name, walk);
  return std::move(walk.out);
}

void DependencyGroups::expand(const std::string& name, Walk& walk) const {
  std::vector<std::string>& open = walk.open;
  const Value& group = *groups_.at(name);
  if (!group.is_array()) {
    throw table_.error_at(group, fmt::format("group `{}` must be a list, found {}", name, group.type_name()));
  }
  open.push_back(name);
  for (const Value& item : group.as_array()) {
    check_limits(item, walk);
    if (item.is_object()) {
      const std::string other = include_of(item, name);
      const auto begin = std::find(open.begin(), open.end(), other);
      if (begin != open.end()) {
        std::vector<std::string> circle(begin, open.end());
        circle.push_back(other);
        throw table_.error_at(item, fmt::format("group `{}` includes itself: {}", other, join(circle, " -> ")));
      }
      expand(other, walk);
    } else {
      walk.out.push_back({requirement_of(item), item.position});
    }
  }
  open.pop_back();
}

void DependencyGroups::check_limits(const Value& item, Walk& walk) const {
  if (walk.open.size() > kMaxDepth) throw table_.error_at(item, "groups include each other too deeply");
  if (++walk.steps <= kMaxSteps) return;
  throw table_.error_at(item, fmt::format("group `{}` has too many requirements and includes", walk.open.front()));
}

std::string DependencyGroups::include_of(const Value& item, const std::string& name) const {
  Reader include(table_.file(), item, name);
  const std::string other = normalize_name(include.required_string("include-group"));
  include.finish();
  if (has(other)) return other;
  const std::string near = nearest_name(other, names());
  throw table_.error_at(item, fmt::format("there is no group `{}`", other),
                        near.empty() ? "" : fmt::format("did you mean `{}`?", near));
}

Requirement DependencyGroups::requirement_of(const Value& item) const {
  if (!item.is_string()) {
    throw table_.error_at(item, fmt::format("expected a requirement, found {}", item.type_name()));
  }
  try {
    return Requirement::parse(item.as_string());
  } catch (const Error& error) {
    throw table_.error_at(item, fmt::format("`{}`: {}", item.as_string(), error.message()), error.hint());
  }
}

}  // namespace dae::resolver
