#include "base/error.h"
#include "mirror/index/file_store.h"
#include "resolver/source/archive_source.h"
#include "resolver/standards/metadata.h"
#include "resolver/standards/names.h"

namespace dae::mirror {

std::string read_wheel_metadata(const Path& wheel, const std::string& name) {
  const auto parsed = resolver::parse_wheel_name(name);
  if (!parsed) throw Error(ErrorKind::bad_input, "not the name of a wheel", name);
  std::string text = resolver::wheel_metadata(wheel, name);
  if (resolver::normalize_name(resolver::parse_core_metadata(text, name).name) != parsed->distribution) {
    throw Error(ErrorKind::bad_input, "the METADATA in the wheel is of another distribution", name);
  }
  return text;
}

}  // namespace dae::mirror
