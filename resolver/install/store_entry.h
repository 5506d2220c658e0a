#pragma once
// Names and texts of the store's entries, for those that make and clear them. Format:
// share/doc/formats/unpacked-store.md.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "resolver/install/unpacked_store.h"

namespace dae::resolver {

struct EntryName {
  std::string digest_hex, tag;
  bool bytecode = true;
  std::string text() const;
};
std::optional<EntryName> parse_entry_name(std::string_view text);

// Beside the entries.
inline constexpr const char *kStoreLock = "lock", *kStoreRoots = "roots", *kStoreTemporary = "tmp";

// Which environment an entry of roots/ stands for; nullopt when there is no such entry.
std::optional<std::string> registered_environment(const Path& root);

std::string render_manifest(const StoredWheel& wheel);
// Null for other formats and for halves. `dir` is left as it is.
std::optional<StoredWheel> parse_manifest(std::string_view text);

struct FileLists {
  std::vector<std::string> dirs, files, bytecode_dirs, bytecode;
};
std::string render_file_lists(const FileLists& lists);

}  // namespace dae::resolver
