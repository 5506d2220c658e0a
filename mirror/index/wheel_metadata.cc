#include "base/archive.h"
#include "base/strings.h"
#include "mirror/index/file_store.h"
#include "resolver/standards/names.h"

namespace dae::mirror {

std::string read_wheel_metadata(const Path& wheel, const std::string& name) {
  const auto parsed = resolver::parse_wheel_name(name);
  if (!parsed) throw Error(ErrorKind::bad_input, "not the name of a wheel", name);
  std::string member;
  for (const ArchiveEntry& entry : list_archive(wheel)) {
    // Binary distribution format: exactly one top-level `{name}-{version}.dist-info`.
    const std::vector<std::string> parts = split(entry.name, '/');
    const std::string_view suffix = ".dist-info";
    if (parts.size() != 2 || parts[1] != "METADATA" || !parts[0].ends_with(suffix)) continue;
    if (!member.empty()) throw Error(ErrorKind::bad_input, "more than one METADATA in the wheel", name);
    const std::string stem = parts[0].substr(0, parts[0].size() - suffix.size());
    if (resolver::normalize_name(stem.substr(0, stem.find('-'))) != parsed->distribution) {
      throw Error(ErrorKind::bad_input, "the METADATA in the wheel is of another distribution", name);
    }
    member = entry.name;
  }
  if (member.empty()) throw Error(ErrorKind::bad_input, "no METADATA in the wheel", name);
  return read_archive_member(wheel, member);
}

}  // namespace dae::mirror
