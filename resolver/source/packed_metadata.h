#pragma once
// What a METADATA text yields for the solver, in the form it is cached in and read in place: nothing is parsed when it
// is used. Format: share/doc/formats/page-cache.md. Immutable; any thread may read.
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "resolver/solver/solver.h"

namespace dae::resolver {

class PackedMetadata {
 public:
  // `source` names the file in messages. Text that is no metadata packs to one that is `broken`.
  static std::string pack(std::string_view metadata_text, std::string_view source);
  // nullptr when the bytes are not what pack() makes. `owner` keeps them alive.
  static std::shared_ptr<const PackedMetadata> open(std::string_view bytes, std::shared_ptr<const void> owner);
  static std::shared_ptr<const PackedMetadata> make(std::string_view metadata_text, std::string_view source);

  std::string_view bytes() const { return bytes_; }
  std::string_view broken() const { return broken_; }  // why it cannot be used; "" when it can
  std::string_view name() const { return name_; }      // normalised
  std::string_view version() const { return version_; }
  std::string_view requires_python() const { return requires_python_; }
  const std::vector<Dependency>& dependencies() const { return dependencies_; }
  const std::vector<std::string_view>& provides_extra() const { return extras_; }  // normalised

 private:
  PackedMetadata() = default;
  std::string_view bytes_, broken_, name_, version_, requires_python_;
  std::vector<Dependency> dependencies_;
  std::vector<std::string_view> extras_;
  std::shared_ptr<const void> owner_;
};

}  // namespace dae::resolver
