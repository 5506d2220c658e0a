// Accepts exactly the texts that render_lock() makes, so that rendering again for comparison is not needed: each piece
// must be spelt the one way the renderer spells it (the tests damage locks and compare).
#include "resolver/lock/lock_canonical.h"

#include <algorithm>
#include <cstring>
#include <set>

#include "base/error.h"
#include "base/hash.h"
#include "base/strings.h"
#include "resolver/lock/build_pins.h"
#include "resolver/lock/lock_cursor.h"
#include "resolver/lock/lock_text.h"
#include "resolver/standards/names.h"
#include "resolver/standards/specifier.h"

namespace dae::resolver {

namespace {

bool is_hex(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// What a TOML date may be; days at the end of a month are left to the general reader's calendar.
bool is_canonical_time(std::string_view text) {
  std::string buffer;
  const std::string_view same = lock_time(text, buffer);
  if (same.empty() || same != text) return false;
  const auto number = [&](size_t at) { return (text[at] - '0') * 10 + (text[at + 1] - '0'); };
  const int month = number(5), day = number(8);
  if (text < "1970" || month < 1 || month > 12 || day < 1 || day > 31 || number(11) > 23 || number(14) > 59 ||
      number(17) > 59) {
    return false;
  }
  return day <= 28 || (day <= 30 && month != 2) || month == 1 || month == 3 || month == 5 || month == 7 || month == 8 ||
         month == 10 || month == 12;
}

class CanonicalReader {
 public:
  explicit CanonicalReader(std::string_view text) : in_(text) {}

  std::optional<Lock> run() {
    Lock lock;
    in_.need("lock-version = \"1.0\"\n");
    if (in_.take("environments = [\n")) {
      while (in_.take("    ")) {
        in_.string(lock.environments.emplace_back());
        in_.need(",\n");
        in_.require(!lock.environments.back().empty());
        marker(lock.environments.back());
      }
      in_.need("]\n");
      in_.require(!lock.environments.empty());
    }
    line("requires-python = ", lock.requires_python);
    specifiers(lock.requires_python);
    list("extras = ", lock.extras);
    for (const std::string& extra : lock.extras) in_.require(is_normalised(extra));
    list("dependency-groups = ", lock.dependency_groups);
    list("default-groups = ", lock.default_groups);
    in_.need("created-by = \"dae\"\n");
    if (!in_.take("packages = []\n")) packages(lock);
    if (in_.take("\n[tool.dae]\n")) tool(lock);
    if (!in_.ok() || !in_.done() || !dependencies_agree(lock)) return std::nullopt;
    return lock;
  }

 private:
  void packages(Lock& lock) {
    in_.require(in_.sees("\n[[packages]]\n"));
    while (in_.take("\n[[packages]]\n")) {
      package(lock.packages.emplace_back());
      const size_t count = lock.packages.size();
      in_.require(count < 2 || lock.packages[count - 2].name <= lock.packages[count - 1].name);
    }
  }

  void line(std::string_view key, std::string& out) {
    if (!in_.take(key)) return;
    in_.text(out);
    in_.need("\n");
  }

  void list(std::string_view key, std::vector<std::string>& out) {
    in_.need(key);
    in_.need("[");
    while (in_.ok() && !in_.take("]\n")) {
      if (!out.empty()) in_.need(", ");
      in_.string(out.emplace_back());
    }
  }

  void package(LockedPackage& out) {
    in_.need("name = ");
    in_.text(out.name);
    in_.need("\n");
    in_.require(is_normalised(out.name));
    line("version = ", out.version);
    in_.require(out.version.empty() || Version::try_parse(out.version).has_value());
    line("marker = ", out.marker);
    marker(out.marker);
    line("requires-python = ", out.requires_python);
    specifiers(out.requires_python);
    const std::string_view before = in_.rest();
    if (in_.take("dependencies = [\n")) dependencies(out);
    dependency_blocks_.push_back(before.substr(0, before.size() - in_.rest().size()));
    int sources = 0;
    if (in_.take("vcs = ")) vcs(out.vcs.emplace()), ++sources;
    if (in_.take("directory = ")) directory(out.directory.emplace()), ++sources;
    if (in_.take("archive = ")) archive(out), ++sources;
    line("index = ", out.index);
    const bool has_sdist = in_.take("sdist = ");
    if (has_sdist) sdist(out);
    if (in_.take("wheels = [\n")) wheels(out);
    in_.require(sources + (has_sdist || !out.wheels.empty()) == 1);
    if (in_.take("attestation-identities = [\n")) identities(out);
  }

  // Names only; whether the block is spelt right is seen when all entries are known.
  void dependencies(LockedPackage& out) {
    while (in_.take("    {name = ")) {
      std::string name;
      in_.text(name);
      if (out.dependencies.empty() || out.dependencies.back() != name) {
        out.dependencies.push_back(std::move(name));
      } else {
        repeats_ = true;
      }
      if (in_.take("},\n")) continue;
      repeats_ = true;
      in_.skip_line();
    }
    in_.need("]\n");
    in_.require(!out.dependencies.empty());
  }

  bool dependencies_agree(const Lock& lock) const {
    std::vector<const LockedPackage*> sorted;
    for (const LockedPackage& package : lock.packages) sorted.push_back(&package);
    const EntriesByName repeated = repeated_names(sorted);
    if (repeated.empty()) return !repeats_;
    for (size_t i = 0; i < sorted.size(); ++i) {
      std::string block;
      append_dependencies(block, *sorted[i], repeated);
      if (block != dependency_blocks_[i]) return false;
    }
    return true;
  }

  void vcs(LockedVcs& out) {
    in_.need("{type = ");
    in_.text(out.type);
    in_.member("url", out.url);
    in_.member("path", out.path);
    in_.member("requested-revision", out.requested_revision);
    in_.member("commit-id", out.commit_id);
    in_.member("subdirectory", out.subdirectory);
    in_.need("}\n");
    in_.require((out.type == "git" || out.type == "hg") && (!out.url.empty() || !out.path.empty()) &&
                is_hex(out.commit_id) && (out.commit_id.size() == 40 || out.commit_id.size() == 64));
    subdirectory(out.subdirectory);
  }

  void directory(LockedDirectory& out) {
    in_.need("{path = ");
    in_.text(out.path);
    out.editable = in_.take(", editable = true");
    in_.member("subdirectory", out.subdirectory);
    in_.need("}\n");
    subdirectory(out.subdirectory);
  }

  // The plain case; others are judged by the general reader.
  void subdirectory(std::string_view text) {
    in_.require(!text.starts_with('/') && text.find_first_of("\\:") == text.npos && text.find("..") == text.npos);
  }

  void archive(LockedPackage& out) {
    LockedFile& file = out.archive.emplace();
    in_.need("{");
    places(file, true);
    in_.member("subdirectory", out.archive_subdirectory);
    in_.need("}\n");
    subdirectory(out.archive_subdirectory);
    const std::string& url = file.url;
    const std::string_view place =
        file.path.empty() ? std::string_view(url).substr(0, url.find_first_of("?#")) : std::string_view(file.path);
    file.name = place.substr(place.find_last_of('/') + 1);
    in_.require(is_safe_file_name(file.name));
  }

  void sdist(LockedPackage& out) {
    file(out.sdist.emplace());
    in_.need("\n");
    const auto name = parse_sdist_name(out.sdist->name, out.name);
    in_.require(name.has_value());
    if (name && in_.ok() && !out.version.empty()) in_.require(name->version == Version::parse(out.version));
  }

  void wheels(LockedPackage& out) {
    while (in_.take("    ")) {
      LockedFile& wheel = out.wheels.emplace_back();
      file(wheel);
      in_.need(",\n");
      in_.require(is_wheel_of(wheel.name, out));
    }
    in_.need("]\n");
    in_.require(!out.wheels.empty());
  }

  bool is_wheel_of(std::string_view file_name, const LockedPackage& package) {
    const std::string_view ending = wheel_ending(file_name, package.name, package.version);
    if (!ending.empty() && good_endings_.find(ending) != good_endings_.end()) return true;
    const auto name = parse_wheel_name(file_name);
    if (!name || name->distribution != package.name) return false;
    if (!package.version.empty() && name->version != Version::parse(package.version)) return false;
    if (!ending.empty()) good_endings_.emplace(ending);
    return true;
  }

  void file(LockedFile& out) {
    in_.need("{name = ");
    in_.text(out.name);
    in_.require(is_safe_file_name(out.name));
    in_.need(", ");
    places(out, false);
    in_.need("}");
  }

  void places(LockedFile& out, bool is_archive) {
    if (in_.take("upload-time = ")) {
      out.upload_time = in_.until(',');
      in_.require(is_canonical_time(out.upload_time));
      in_.need(", ");
    }
    if (in_.take("url = ")) in_.text(out.url), in_.need(", ");
    if (in_.take("path = ")) in_.text(out.path), in_.need(", ");
    in_.require((!out.url.empty() || !out.path.empty()) && (!is_archive || out.path.find('\\') == out.path.npos));
    if (in_.take("size = ")) {
      const std::string_view digits = in_.until(',');
      const auto size = parse_int(digits);
      in_.require(size && *size >= 0 && (digits == "0" || (digits[0] >= '1' && digits[0] <= '9')));
      if (size && *size >= 0) out.size_bytes = static_cast<uint64_t>(*size);
      in_.need(", ");
    }
    hashes(out);
  }

  void hashes(LockedFile& out) {
    in_.need("hashes = {");
    std::string_view last;
    do {
      const std::string_view algorithm = in_.until(' ');
      in_.require(is_bare_toml_key(algorithm) && last < algorithm);
      last = algorithm;
      in_.need(" = ");
      std::string& digest = algorithm == "sha256" ? out.sha256 : out.hashes[std::string(algorithm)];
      in_.text(digest);
      in_.require(is_hex(digest) && (algorithm != "sha256" || digest.size() == 64));
    } while (in_.ok() && in_.take(", "));
    in_.need("}");
  }

  // Publishers are described by texts; other values are left to the general reader.
  void identities(LockedPackage& out) {
    while (in_.take("    {")) {
      Value identity = Value::object();
      do {
        const std::string_view key = in_.until(' ');
        in_.require(is_bare_toml_key(key) && identity.find(key) == nullptr);
        in_.need(" = ");
        std::string text;
        in_.string(text);
        if (in_.ok()) identity.set(std::string(key), std::move(text));
      } while (in_.ok() && in_.take(", "));
      in_.need("},\n");
      in_.require(identity.find("kind") != nullptr);
      out.attestation_identities.push_back(std::move(identity));
    }
    in_.need("]\n");
    in_.require(!out.attestation_identities.empty());
  }

  void tool(Lock& lock) {
    in_.need("input-digest = ");
    in_.string(lock.input_digest);
    in_.need("\n");
    line("cutoff = ", lock.cutoff);
    in_.need("targets = [\n");
    while (in_.take("    {python = ")) target(lock.targets.emplace_back());
    in_.need("]\n");
    builds(lock);
    in_.require(!lock.input_digest.empty() || !lock.targets.empty() || !lock.builds.empty());
  }

  void builds(Lock& lock) {
    while (in_.take("\n[[tool.dae.builds]]\n")) {
      LockedBuild& build = lock.builds.emplace_back();
      list("packages = ", build.packages);
      list("requires = ", build.requirements);
      in_.need("pins = [\n");
      while (in_.take("    {package = ")) {
        LockedBuild::Pin& pin = build.pins.emplace_back();
        in_.text(pin.name);
        in_.member("marker", pin.marker);
        in_.need("},\n");
        marker(pin.marker);
      }
      in_.need("]\n");
    }
    while (in_.take("\n[[tool.dae.build-packages]]\n")) {
      LockedPackage& out = lock.build_packages.emplace_back();
      package(out);
      in_.require(out.marker.empty() && out.dependencies.empty() && out.attestation_identities.empty());
    }
    for (const LockedBuild& build : lock.builds) in_.require(pins_of(lock, build).has_value());
  }

  void target(Target& out) {
    in_.string(out.python_version);
    in_.need(", python-full = ");
    in_.text(out.python_full_version);
    in_.need(", implementation = ");
    in_.string(out.implementation);
    in_.need(", platform = ");
    in_.string(out.platform);
    out.free_threaded = in_.take(", free-threaded = true");
    in_.need("},\n");
    if (!in_.ok()) return;
    validate_target(out);
    in_.require(Version::try_parse(out.python_full_version).has_value());
  }

  static bool is_normalised(std::string_view name) { return is_valid_name(name) && normalize_name(name) == name; }

  // A lock repeats few markers and specifiers in many places.
  void marker(const std::string& text) {
    if (!in_.ok() || text.empty() || !seen_.emplace("m" + text).second) return;
    in_.require(!Marker::parse(text).mentions_extra());
  }
  void specifiers(const std::string& text) {
    if (!in_.ok() || text.empty() || !seen_.emplace("s" + text).second) return;
    in_.require(SpecifierSet::try_parse(text).has_value());
  }

  LockCursor in_;
  std::vector<std::string_view> dependency_blocks_;
  bool repeats_ = false;
  std::set<std::string, std::less<>> good_endings_;
  std::set<std::string> seen_;
};

}  // namespace

std::optional<Lock> parse_canonical_lock(std::string_view text) {
  if (!LockCursor::is_plain(text)) return std::nullopt;
  try {
    return CanonicalReader(text).run();
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace dae::resolver
