#include "resolver/install/wheel_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/error.h"
#include "base/hash.h"
#include "base/strings.h"
#include "resolver/install/record.h"
#include "resolver/standards/metadata.h"
#include "resolver/standards/names.h"

namespace dae::resolver {
namespace {

constexpr std::string_view kDistInfo = ".dist-info", kData = ".data";
constexpr const char* kSchemeDirs[] = {"purelib", "platlib", "headers", "scripts", "data"};

struct Checker {
  const Path& tree;
  const std::string& file_name;
  const std::string& name;
  const std::string& version;

  [[noreturn]] void bad(std::string message) const {
    throw Error(ErrorKind::bad_input, std::move(message), file_name, "the wheel is broken: tell its maintainers");
  }
  [[noreturn]] void unverified(std::string message) const {
    throw Error(ErrorKind::verification, std::move(message), file_name,
                "the wheel is broken or was altered; do not install it");
  }

  // "Flask-3.1.2.dist-info" belongs to flask 3.1.2, however either of them is spelled.
  bool names_us(std::string_view dir, std::string_view suffix) const {
    const std::string_view stem = dir.substr(0, dir.size() - suffix.size());
    const size_t dash = stem.find('-');
    if (dash == std::string_view::npos) return false;
    const auto found = Version::try_parse(stem.substr(dash + 1));
    return normalize_name(stem.substr(0, dash)) == name && found && *found == Version::parse(version);
  }

  std::string only_dir(const std::vector<WalkEntry>& entries, std::string_view suffix) const {
    std::string found;
    for (const WalkEntry& entry : entries) {
      if (!entry.info.is_dir() || !entry.relative.ends_with(suffix) || entry.relative.find('/') != std::string::npos)
        continue;
      if (!found.empty()) bad(fmt::format("two `*{}` directories", suffix));
      if (!names_us(entry.relative, suffix)) {
        bad(fmt::format("`{}` does not belong to `{} {}`", entry.relative, name, version));
      }
      found = entry.relative;
    }
    return found;
  }

  void check_format(const std::string& dist_info) const {
    const auto wheel = read_file_if_exists(tree / dist_info / "WHEEL", 1 << 20);
    if (!wheel) bad("no WHEEL file");
    for (const std::string& line : split_lines(*wheel)) {
      if (!iequals(line.substr(0, 14), "Wheel-Version:")) continue;
      const std::string version_text(trim(std::string_view(line).substr(14)));
      if (version_text != "1" && !version_text.starts_with("1.")) {
        bad(fmt::format("wheel format {} is not known here", version_text));
      }
      return;
    }
    bad("WHEEL names no format version");
  }

  void check_metadata(const std::string& dist_info) const {
    const auto text = read_file_if_exists(tree / dist_info / "METADATA", 16 << 20);
    if (!text) bad("no METADATA file");
    const CoreMetadata metadata = parse_core_metadata(*text, file_name);
    const auto found = Version::try_parse(metadata.version);
    if (normalize_name(metadata.name) != name || !found || *found != Version::parse(version)) {
      bad(fmt::format("METADATA is of `{} {}`, wanted is `{} {}`", metadata.name, metadata.version, name, version));
    }
  }

  void check_data_dir(const std::vector<WalkEntry>& entries, const std::string& data_dir) const {
    for (const WalkEntry& entry : entries) {
      if (data_dir.empty() || !entry.relative.starts_with(data_dir + "/")) continue;
      const std::string rest = entry.relative.substr(data_dir.size() + 1);
      const std::string scheme = rest.substr(0, rest.find('/'));
      const bool is_known = std::ranges::find(kSchemeDirs, scheme) != std::end(kSchemeDirs);
      if (!is_known || (rest == scheme && !entry.info.is_dir())) {
        bad(fmt::format("`{}` has no place in an environment", entry.relative));
      }
    }
  }

  void check_file(const WalkEntry& entry, const RecordEntry& recorded) const {
    const std::string& path = entry.relative;
    if (recorded.size_bytes && *recorded.size_bytes != entry.info.size_bytes) {
      unverified(fmt::format("`{}` has {} bytes, RECORD says {}", path, entry.info.size_bytes, *recorded.size_bytes));
    }
    if (!recorded.hash.starts_with("sha256=")) {
      unverified(fmt::format("RECORD has no SHA-256 of `{}`", path));
    }
    const std::string found = "sha256=" + digest_base64url(sha256_file(entry.path));
    if (found != trim_padding(recorded.hash)) unverified(fmt::format("`{}` is not what RECORD says", path));
  }

  static std::string trim_padding(std::string hash) {
    while (hash.ends_with('=') && hash.size() > 7) hash.pop_back();
    return hash;
  }
};

// Signatures cover RECORD and so cannot be in it (both kinds are deprecated, PEP 815).
bool is_unlisted(std::string_view path, const std::string& dist_info) {
  return path == dist_info + "/RECORD" || path == dist_info + "/RECORD.jws" || path == dist_info + "/RECORD.p7s";
}

}  // namespace

std::string digest_base64url(const Digest& digest) {
  const auto nibble = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  std::string raw;
  const std::string& hex = digest.hex();
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    raw += static_cast<char>(nibble(hex[i]) * 16 + nibble(hex[i + 1]));
  }
  return base64url_nopad(raw);
}

CheckedWheel check_wheel(const Path& tree, const std::string& file_name, const std::string& name,
                         const std::string& version) {
  const Checker check{tree, file_name, name, version};
  const std::vector<WalkEntry> entries = walk_tree(tree);
  CheckedWheel out;
  out.dist_info = check.only_dir(entries, kDistInfo);
  if (out.dist_info.empty()) check.bad("no dist-info directory");
  out.data_dir = check.only_dir(entries, kData);
  check.check_format(out.dist_info);
  check.check_metadata(out.dist_info);
  check.check_data_dir(entries, out.data_dir);

  const auto text = read_file_if_exists(tree / out.dist_info / "RECORD", 256 << 20);
  if (!text) check.bad("no RECORD file");
  std::map<std::string, RecordEntry, std::less<>> recorded;
  for (RecordEntry& entry : parse_record(*text, file_name)) {
    std::string path = entry.path;
    recorded.emplace(std::move(path), std::move(entry));
  }
  for (const WalkEntry& entry : entries) {
    if (entry.info.is_dir()) continue;
    if (!entry.info.is_file()) check.bad(fmt::format("`{}` is no regular file", entry.relative));
    if (is_unlisted(entry.relative, out.dist_info)) continue;
    const auto found = recorded.find(entry.relative);
    if (found == recorded.end()) check.unverified(fmt::format("`{}` is not in RECORD", entry.relative));
    check.check_file(entry, found->second);
    out.files.push_back({entry.relative, Checker::trim_padding(found->second.hash), entry.info.size_bytes,
                         (entry.info.mode & 0111) != 0});
    recorded.erase(found);
  }
  for (const auto& [path, entry] : recorded) {
    if (!is_unlisted(path, out.dist_info)) check.unverified(fmt::format("RECORD lists `{}`, which is missing", path));
  }
  std::ranges::sort(out.files, {}, &WheelFile::path);
  return out;
}

}  // namespace dae::resolver
