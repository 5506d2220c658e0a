#include "base/error.h"
#include "base/zip.h"
#include "resolver/source/archive_source.h"

namespace dae::resolver {

std::string wheel_metadata(const Path& wheel, const std::string& label) {
  constexpr std::string_view kEnd = ".dist-info/METADATA";
  const ZipFile zip = ZipFile::open(wheel, label);
  const ZipMember* found = nullptr;
  for (const ZipMember& member : zip.members()) {
    const bool is_it = member.name.ends_with(kEnd) && member.name.find('/') == member.name.size() - 9;
    if (member.is_dir || !is_it) continue;
    if (found != nullptr) throw Error(ErrorKind::bad_input, "two METADATA files in one wheel", label);
    found = &member;
  }
  if (found == nullptr) throw Error(ErrorKind::bad_input, "no METADATA in the wheel", label);
  return zip.read(*found);
}

}  // namespace dae::resolver
