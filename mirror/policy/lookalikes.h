#pragma once
// Names that people, or programs that guess, take for one another: what the first upload of a new project is warned of.
#include <string>
#include <string_view>
#include <vector>

namespace dae::mirror {

struct Lookalike {
  std::string name;  // the one that is known
  std::string why;   // "differs in separators only", "one character differs", …: for people
};

// Those of `known` that `name` looks like, in their order; `name` itself is none. All normalised. Names of up to three
// characters differ from each other in one character as a rule: for those only separators and look-alike characters
// count. Pure; linear in the number of names known.
std::vector<Lookalike> lookalikes(std::string_view name, const std::vector<std::string>& known);

}  // namespace dae::mirror
