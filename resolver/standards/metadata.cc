#include "resolver/standards/metadata.h"

#include "base/error.h"
#include "base/strings.h"
#include "resolver/standards/names.h"

namespace dae::resolver {
namespace {

constexpr size_t kMaxHeaderBytes = 16 * 1024 * 1024;
constexpr size_t kMaxFields = 50'000;

struct Field {
  std::string name;  // lower case
  std::string value;
};

std::string_view next_line(std::string_view& text) {
  const size_t end = std::min(text.find('\n'), text.size());
  std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

// RFC 822 in the way mail parsers read it: up to the first empty line, or the first line that is no field; lines that
// begin with white space continue the field before.
std::vector<Field> read_fields(std::string_view text, std::string_view source) {
  std::vector<Field> out;
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  const char* const begin = text.data();
  while (!text.empty()) {
    const std::string_view line = next_line(text);
    if (line.empty()) break;
    if (static_cast<size_t>(text.data() - begin) > kMaxHeaderBytes || out.size() > kMaxFields) {
      throw Error(ErrorKind::bad_input, "the metadata is too large", std::string(source));
    }
    if (line.front() == ' ' || line.front() == '\t') {
      if (!out.empty()) out.back().value += " " + std::string(trim(line));
      continue;
    }
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0) break;
    out.push_back({lower(trim(line.substr(0, colon))), std::string(trim(line.substr(colon + 1)))});
  }
  return out;
}

void check_metadata_version(const std::string& version, std::string_view source) {
  // A minor we do not know only adds fields; a new major may change the meaning of those we read.
  const auto parsed = Version::try_parse(version);
  if (!version.empty() && (!parsed || parsed->release_at(0) > 2)) {
    throw Error(ErrorKind::bad_input, "unsupported metadata version `" + version.substr(0, 40) + "`",
                std::string(source));
  }
}

}  // namespace

CoreMetadata parse_core_metadata(std::string_view text, std::string_view source) {
  CoreMetadata out;
  const auto once = [](std::string& target, std::string& value) {
    if (target.empty()) target = std::move(value);  // the first of several counts
  };
  for (Field& field : read_fields(text, source)) {
    if (field.name == "metadata-version") {
      once(out.metadata_version, field.value);
    } else if (field.name == "name") {
      once(out.name, field.value);
    } else if (field.name == "version") {
      once(out.version, field.value);
    } else if (field.name == "summary") {
      once(out.summary, field.value);
    } else if (field.name == "requires-python") {
      once(out.requires_python, field.value);
    } else if (field.name == "requires-dist") {
      out.requires_dist.push_back(std::move(field.value));
    } else if (field.name == "provides-extra") {
      out.provides_extra.push_back(normalize_name(field.value));
    } else if (field.name == "dynamic") {
      out.dynamic.push_back(lower(field.value));
    }
  }
  check_metadata_version(out.metadata_version, source);
  for (const auto& [value, name] : {std::pair(&out.name, "Name"), std::pair(&out.version, "Version")}) {
    if (value->empty()) {
      throw Error(ErrorKind::bad_input, "the metadata has no field `" + std::string(name) + "`", std::string(source));
    }
  }
  return out;
}

}  // namespace dae::resolver
