#include "resolver/solver/dependency_list.h"

#include <deque>

#include "base/error.h"
#include "base/strings.h"
#include "resolver/standards/names.h"

namespace dae::resolver {

Dependencies make_dependencies(const std::vector<Requirement>& requirements,
                               const std::vector<std::string>& provides_extra) {
  const auto texts = std::make_shared<std::deque<std::string>>();  // does not move what the views point to
  const auto keep = [&](std::string text) -> std::string_view {
    return text.empty() ? std::string_view() : texts->emplace_back(std::move(text));
  };
  Dependencies out;
  for (const Requirement& r : requirements) {
    out.list.push_back(
        {keep(r.key), keep(join(r.extras, ",")), keep(r.specifiers.text()), keep(r.url), keep(r.marker.text())});
  }
  for (const std::string& extra : provides_extra) out.provides_extra.push_back(normalize_name(extra));
  out.storage = texts;
  return out;
}

Dependencies make_dependencies(const std::vector<std::string>& lines, const std::vector<std::string>& provides_extra) {
  std::vector<Requirement> requirements;
  for (const std::string& line : lines) {
    try {
      requirements.push_back(Requirement::parse(line));
    } catch (const Error& error) {
      Dependencies out;
      out.unusable = "metadata is broken: `" + line + "`: " + error.message();
      return out;
    }
  }
  return make_dependencies(requirements, provides_extra);
}

}  // namespace dae::resolver
