#include "resolver/standards/metadata.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/strings.h"
#include "resolver/standards/names.h"
#include "resolver/standards/text_encoding.h"

namespace dae::resolver {
namespace {

constexpr size_t kMaxHeaderBytes = 16 * 1024 * 1024;
constexpr size_t kMaxFields = 50'000;
constexpr uint64_t kKnownMinor = 6;

struct Field {
  std::string name;  // lower case
  std::string value;
};

// Mail parsers end a line at "\n", "\r\n" and at a lone "\r".
std::string_view next_line(std::string_view& text) {
  const size_t end = std::min(text.find_first_of("\r\n"), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end);
  text.remove_prefix(text.starts_with("\r\n") ? 2 : (text.empty() ? 0 : 1));
  return line;
}

std::string to_utf8(std::string_view value) {
  return invalid_utf8_at(value) ? latin1_to_utf8(value) : std::string(value);
}

// The name of a field is printable ASCII without blanks (RFC 5322 section 2.2); any other line ends the header.
size_t end_of_name(std::string_view line) {
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0) return 0;
  const bool printable = std::all_of(line.begin(), line.begin() + static_cast<std::ptrdiff_t>(colon),
                                     [](char c) { return c > ' ' && c < 0x7f; });
  return printable ? colon : 0;
}

// The way mail parsers read it: up to the first empty line, or the first line that is no field; lines that begin with
// white space continue the field before. `text` is left at the body.
std::vector<Field> read_fields(std::string_view& text, std::string_view source) {
  std::vector<Field> out;
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  const char* const begin = text.data();
  while (!text.empty()) {
    const std::string_view before = text;
    const std::string_view line = next_line(text);
    if (line.empty()) break;
    if (static_cast<size_t>(text.data() - begin) > kMaxHeaderBytes || out.size() > kMaxFields) {
      throw Error(ErrorKind::bad_input, "the metadata is too large", std::string(source));
    }
    if (line.front() == ' ' || line.front() == '\t') {
      if (!out.empty()) out.back().value += "\n" + std::string(line);
      continue;
    }
    const size_t colon = end_of_name(line);
    if (colon == 0) {
      text = before;  // such a line belongs to the body
      break;
    }
    out.push_back({lower(line.substr(0, colon)), std::string(trim(line.substr(colon + 1)))});
  }
  return out;
}

// Folded lines become one; what is no UTF-8 becomes such.
std::string unfolded(const std::string& value) {
  if (value.find('\n') == std::string::npos) return to_utf8(value);
  std::string out;
  for (const std::string& line : split(value, '\n')) {
    const std::string_view piece = trim(line);
    if (!out.empty() && !piece.empty()) out += ' ';
    out += piece;
  }
  return to_utf8(out);
}

bool check_metadata_version(const std::string& version, std::string_view source) {
  if (version.empty()) return false;
  // A minor we do not know only adds fields; a new major may change the meaning of those we read.
  const auto parsed = Version::try_parse(version);
  if (!parsed || parsed->release_at(0) > 2) {
    throw Error(ErrorKind::bad_input, "unsupported metadata version `" + version.substr(0, 40) + "`",
                std::string(source));
  }
  return parsed->release_at(0) == 2 && parsed->release_at(1) > kKnownMinor;
}

// Where a field's value goes: one text (the first of several counts) or a list.
struct Place {
  std::string_view field;
  std::string CoreMetadata::*text = nullptr;
  std::vector<std::string> CoreMetadata::*list = nullptr;
};
constexpr std::array<Place, 18> kPlaces = {{{"metadata-version", &CoreMetadata::metadata_version},
                                            {"name", &CoreMetadata::name},
                                            {"version", &CoreMetadata::version},
                                            {"summary", &CoreMetadata::summary},
                                            {"requires-python", &CoreMetadata::requires_python},
                                            {"license", &CoreMetadata::license},
                                            {"license-expression", &CoreMetadata::license_expression},
                                            {"author", &CoreMetadata::author},
                                            {"author-email", &CoreMetadata::author_email},
                                            {"home-page", &CoreMetadata::home_page},
                                            {"requires-dist", nullptr, &CoreMetadata::requires_dist},
                                            {"provides-extra", nullptr, &CoreMetadata::provides_extra},
                                            {"dynamic", nullptr, &CoreMetadata::dynamic},
                                            {"license-file", nullptr, &CoreMetadata::license_files},
                                            {"import-name", nullptr, &CoreMetadata::import_names},
                                            {"import-namespace", nullptr, &CoreMetadata::import_namespaces},
                                            {"classifier", nullptr, &CoreMetadata::classifiers},
                                            {"project-url", nullptr, &CoreMetadata::project_urls}}};

void place(CoreMetadata& out, const Field& field) {
  const auto found =
      std::find_if(kPlaces.begin(), kPlaces.end(), [&](const Place& known) { return known.field == field.name; });
  if (found == kPlaces.end()) return;
  if (found->list != nullptr) {
    (out.*found->list).push_back(unfolded(field.value));
  } else if ((out.*found->text).empty()) {
    out.*found->text = unfolded(field.value);
  }
}

void normalize_extras(std::vector<std::string>& extras) {
  std::vector<std::string> out;
  for (const std::string& extra : extras) {
    if (!is_valid_name(extra)) continue;
    std::string key = normalize_name(extra);
    if (std::find(out.begin(), out.end(), key) == out.end()) out.push_back(std::move(key));
  }
  extras = std::move(out);
}

void check_required(const CoreMetadata& metadata, std::string_view source) {
  for (const auto& [value, name] : {std::pair(&metadata.name, "Name"), std::pair(&metadata.version, "Version")}) {
    if (!value->empty()) continue;
    throw Error(ErrorKind::bad_input, "the metadata has no field `" + std::string(name) + "`", std::string(source));
  }
  if (is_valid_name(metadata.name)) return;
  throw Error(ErrorKind::bad_input, "`" + metadata.name.substr(0, 60) + "` in the metadata is no name of a package",
              std::string(source));
}

bool at_least_minor(const CoreMetadata& metadata, uint64_t minor) {
  const auto version = Version::try_parse(metadata.metadata_version);
  return version && version->release_at(0) == 2 && version->release_at(1) >= minor;
}

}  // namespace

bool CoreMetadata::is_static(std::string_view field) const {
  if (field == "name" || field == "version" || field == "metadata-version") return true;
  return at_least_minor(*this, 2) && std::find(dynamic.begin(), dynamic.end(), field) == dynamic.end();
}

bool CoreMetadata::is_append_only(std::string_view field) const {
  if (!at_least_minor(*this, 6) || is_static(field)) return false;
  const auto place = std::find_if(kPlaces.begin(), kPlaces.end(), [&](const Place& p) { return p.field == field; });
  return place != kPlaces.end() && place->list != nullptr && !(this->*place->list).empty();
}

CoreMetadata parse_core_metadata(std::string_view text, std::string_view source) {
  CoreMetadata out;
  for (const Field& field : read_fields(text, source)) place(out, field);
  normalize_extras(out.provides_extra);
  for (std::string& field : out.dynamic) field = lower(field);
  out.newer_minor = check_metadata_version(out.metadata_version, source);
  check_required(out, source);
  return out;
}

std::string metadata_description(std::string_view text) {
  const std::vector<Field> fields = read_fields(text, "");
  if (!trim(text).empty()) return to_utf8(text);
  for (const Field& field : fields) {
    if (field.name != "description") continue;
    // Continued lines stand behind seven blanks and a bar, or eight blanks.
    std::string out;
    for (const std::string& line : split(field.value, '\n')) {
      std::string_view piece = line;
      if (!out.empty()) {
        for (size_t blanks = 0; blanks < 8 && piece.starts_with(' '); ++blanks) piece.remove_prefix(1);
        if (piece.starts_with('|')) piece.remove_prefix(1);
      }
      out += std::string(piece) + "\n";
    }
    return to_utf8(out);
  }
  return "";
}

void check_metadata_matches(const CoreMetadata& metadata, std::string_view file_name, std::string_view project) {
  std::string name;
  std::optional<Version> version;
  if (const auto wheel = parse_wheel_name(file_name)) {
    name = wheel->distribution;
    version = wheel->version;
  } else if (const auto sdist = parse_sdist_name(file_name, project)) {
    name = sdist->distribution;
    version = sdist->version;
  } else {
    throw Error(ErrorKind::bad_input, "neither a wheel nor an sdist by its name", std::string(file_name));
  }
  const auto said = Version::try_parse(metadata.version);
  if (normalize_name(metadata.name) == name && said && *said == *version) return;
  throw Error(ErrorKind::bad_input,
              "its metadata says `" + metadata.name + " " + metadata.version + "`, its file name `" + name + " " +
                  version->text() + "`",
              std::string(file_name));
}

}  // namespace dae::resolver
