#pragma once
// Which names an archive may hold. Private to base/archive_*.cc and base/zip_*.cc.
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/fs.h"

namespace dae::archive_detail {

// "./a//b/" -> "a/b"; "" for the root itself; nullopt when the name is not safe below a directory.
std::optional<std::string> safe_name(std::string_view name);
// A name for a message: what would move a terminal's cursor is spelled out, and what is too long is cut.
std::string shown(std::string_view name);
// Drops `count` leading components; "" when nothing is left.
std::string strip_components(const std::string& name, int count);

enum class EntryKind { file, directory, link };

// Sees the entries of one archive in order and refuses (Error bad_input) what could write outside, replace what another
// entry wrote, or unpack differently on a file system without case.
class NameGuard {
 public:
  explicit NameGuard(const Path& archive) : archive_(archive) {}
  // False: a directory that was named before. Tar archives made in several goes do that; nothing is replaced by it.
  bool accept(const std::string& name, EntryKind kind, std::string_view link_target = "");

 private:
  struct Seen {
    std::string name;
    EntryKind kind;
    bool listed;  // not only the parent of something
  };
  [[noreturn]] void refuse(const std::string& message) const;
  void accept_parents(const std::string& name);
  void check_link(const std::string& name, std::string_view target) const;
  Seen* find(const std::string& name);

  const Path& archive_;
  std::unordered_map<std::string, Seen> seen_;  // by the name without case
  std::string parent_;                          // the one accepted last: most names share it with the one before
};

}  // namespace dae::archive_detail
