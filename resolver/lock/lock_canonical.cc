#include "resolver/lock/lock_canonical.h"

#include <algorithm>

#include "base/error.h"
#include "base/hash.h"
#include "base/strings.h"
#include "resolver/standards/names.h"
#include "resolver/standards/specifier.h"

namespace dae::resolver {

namespace {

// Reads along the text; after the first surprise `ok` is false and nothing moves any more. It may be lenient: the
// result is rendered again and compared.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : rest_(text) {}

  bool ok() const { return ok_; }
  bool done() const { return rest_.empty(); }

  bool take(std::string_view piece) {
    if (!ok_ || !rest_.starts_with(piece)) return false;
    rest_.remove_prefix(piece.size());
    return true;
  }
  void need(std::string_view piece) { ok_ = take(piece); }

  std::string string() {
    need("\"");
    std::string out;
    while (ok_) {
      const size_t stop = rest_.find_first_of("\"\\\n");
      if (stop == std::string_view::npos || rest_[stop] == '\n') break;
      out += rest_.substr(0, stop);
      const bool end = rest_[stop] == '"';
      rest_.remove_prefix(stop + 1);
      if (end) return out;
      escape(out);
    }
    ok_ = false;
    return out;
  }

  std::string bare(std::string_view stops) {
    const size_t stop = std::min(rest_.find_first_of(stops), rest_.size());
    std::string out(rest_.substr(0, stop));
    rest_.remove_prefix(stop);
    return out;
  }

 private:
  void escape(std::string& out) {
    if (take("\"")) {
      out += '"';
    } else if (take("\\")) {
      out += '\\';
    } else if (take("u00") && rest_.size() >= 2) {
      const auto digit = [](char c) { return c >= 'a' ? c - 'a' + 10 : c - '0'; };
      out += static_cast<char>(digit(rest_[0]) * 16 + digit(rest_[1]));
      rest_.remove_prefix(2);
    } else {
      ok_ = false;
    }
  }

  std::string_view rest_;
  bool ok_ = true;
};

class CanonicalReader {
 public:
  explicit CanonicalReader(std::string_view text) : in_(text) {}

  std::optional<Lock> run() {
    Lock lock;
    in_.need("lock-version = \"1.0\"\n");
    if (in_.take("environments = [\n")) {
      while (in_.take("    ")) {
        lock.environments.push_back(in_.string());
        in_.need(",\n");
      }
      in_.need("]\n");
    }
    lock.requires_python = line("requires-python = ");
    lock.extras = list("extras = ");
    lock.dependency_groups = list("dependency-groups = ");
    lock.default_groups = list("default-groups = ");
    in_.need("created-by = \"dae\"\n");
    in_.take("packages = []\n");
    while (in_.take("\n[[packages]]\n")) lock.packages.push_back(package());
    if (in_.take("\n[tool.dae]\n")) tool(lock);
    return in_.ok() && in_.done() ? std::optional(std::move(lock)) : std::nullopt;
  }

 private:
  std::string line(std::string_view key) {
    if (!in_.take(key)) return "";
    std::string out = in_.string();
    in_.need("\n");
    return out;
  }

  std::vector<std::string> list(std::string_view key) {
    std::vector<std::string> out;
    in_.need(key);
    in_.need("[");
    while (in_.ok() && !in_.take("]\n")) {
      in_.take(", ");
      out.push_back(in_.string());
    }
    return out;
  }

  LockedPackage package() {
    LockedPackage out;
    out.name = line("name = ");
    out.version = line("version = ");
    out.marker = line("marker = ");
    out.requires_python = line("requires-python = ");
    if (in_.take("dependencies = [\n")) {
      while (in_.take("    {name = ")) {
        std::string name = in_.string();
        if (in_.take(", version = ")) in_.string();
        in_.need("},\n");
        if (out.dependencies.empty() || out.dependencies.back() != name) out.dependencies.push_back(std::move(name));
      }
      in_.need("]\n");
    }
    if (in_.take("archive = ")) {
      out.archive = file();
      const std::string& url = out.archive->url;
      const std::string place = out.archive->path.empty() ? url.substr(0, url.find_first_of("?#")) : out.archive->path;
      out.archive->name = place.substr(place.find_last_of('/') + 1);
      in_.need("\n");
    }
    out.index = line("index = ");
    if (in_.take("sdist = ")) {
      out.sdist = file();
      in_.need("\n");
    }
    if (in_.take("wheels = [\n")) {
      while (in_.take("    ")) {
        out.wheels.push_back(file());
        in_.need(",\n");
      }
      in_.need("]\n");
    }
    return out;
  }

  LockedFile file() {
    LockedFile out;
    in_.need("{");
    if (in_.take("name = ")) out.name = in_.string(), in_.need(", ");
    if (in_.take("upload-time = ")) out.upload_time = in_.bare(","), in_.need(", ");
    if (in_.take("url = ")) out.url = in_.string(), in_.need(", ");
    if (in_.take("path = ")) out.path = in_.string(), in_.need(", ");
    if (in_.take("size = ")) {
      const auto size = parse_int(in_.bare(","));
      if (size && *size >= 0) out.size_bytes = static_cast<uint64_t>(*size);
      in_.need(", ");
    }
    in_.need("hashes = {");
    while (in_.ok() && !in_.take("}")) {
      in_.take(", ");
      const std::string algorithm = in_.bare(" \n");
      in_.need(" = ");
      out.hashes[algorithm] = in_.string();
    }
    in_.need("}");
    const auto sha256 = out.hashes.find("sha256");
    if (sha256 != out.hashes.end()) out.sha256 = sha256->second;
    return out;
  }

  void tool(Lock& lock) {
    lock.input_digest = line("input-digest = ");
    lock.cutoff = line("cutoff = ");
    in_.need("targets = [\n");
    while (in_.take("    {python = ")) {
      Target target;
      target.python_version = in_.string();
      in_.need(", python-full = ");
      target.python_full_version = in_.string();
      in_.need(", implementation = ");
      target.implementation = in_.string();
      in_.need(", platform = ");
      target.platform = in_.string();
      target.free_threaded = in_.take(", free-threaded = true");
      in_.need("},\n");
      lock.targets.push_back(std::move(target));
    }
    in_.need("]\n");
  }

  Cursor in_;
};

bool is_sound(const LockedFile& file) {
  if (!is_safe_file_name(file.name) || (file.url.empty() && file.path.empty()) || file.hashes.empty()) return false;
  return std::all_of(file.hashes.begin(), file.hashes.end(), [](const auto& hash) {
    return hash.second.find_first_not_of("0123456789abcdef") == std::string::npos &&
           (hash.first != "sha256" || Digest::is_valid(hash.second));
  });
}

bool is_sound(const LockedPackage& package) {
  if (!is_valid_name(package.name) || normalize_name(package.name) != package.name) return false;
  const bool files = package.sdist.has_value() || !package.wheels.empty();
  if (files == package.archive.has_value()) return false;
  const auto version = Version::try_parse(package.version);
  if (!package.version.empty() && !version) return false;
  if (!package.marker.empty()) Marker::parse(package.marker);
  if (!package.requires_python.empty() && !SpecifierSet::try_parse(package.requires_python)) return false;
  if (package.archive && !is_sound(*package.archive)) return false;
  if (package.sdist && !is_sound(*package.sdist)) return false;
  return std::all_of(package.wheels.begin(), package.wheels.end(), [&](const LockedFile& wheel) {
    const auto name = parse_wheel_name(wheel.name);
    return is_sound(wheel) && name && name->distribution == package.name && (!version || name->version == *version);
  });
}

bool is_sound(const Lock& lock) {
  try {
    for (const std::string& marker : lock.environments) Marker::parse(marker);
    for (const Target& target : lock.targets) validate_target(target);
    if (!lock.requires_python.empty() && !SpecifierSet::try_parse(lock.requires_python)) return false;
    return std::all_of(lock.packages.begin(), lock.packages.end(), [](const LockedPackage& p) { return is_sound(p); });
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

std::optional<Lock> parse_canonical_lock(std::string_view text) {
  auto lock = CanonicalReader(text).run();
  if (!lock || !is_sound(*lock) || render_lock(*lock) != text) return std::nullopt;
  return lock;
}

}  // namespace dae::resolver
