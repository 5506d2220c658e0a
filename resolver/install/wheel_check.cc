#include "resolver/install/wheel_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "base/error.h"
#include "base/strings.h"
#include "resolver/install/record.h"
#include "resolver/standards/metadata.h"
#include "resolver/standards/names.h"

namespace dae::resolver {
namespace {

constexpr std::string_view kDistInfo = ".dist-info", kData = ".data", kSite = "site/";
constexpr const char* kSchemeDirs[] = {"purelib", "platlib", "headers", "scripts", "data"};
// Files of the environment itself.
constexpr const char* kOurs[] = {"pyvenv.cfg", "dae-env.json", ".dae-lock"};
constexpr uint64_t kRecordLimit = 256 << 20, kTextLimit = 16 << 20;

std::string_view first_part(std::string_view path) {
  return path.substr(0, path.find('/'));
}

std::string trim_padding(std::string hash) {
  while (hash.ends_with('=') && hash.size() > 7) hash.pop_back();
  return hash;
}

// "SHA-256 or better" (PEP 376 as amended); of those the two that every Python has had.
bool is_strong(std::string_view hash) {
  return hash.starts_with("sha256=") || hash.starts_with("sha384=") || hash.starts_with("sha512=");
}

// Signatures cover RECORD and so cannot be in it (both kinds are deprecated, PEP 815).
bool is_unlisted(std::string_view path, std::string_view dist_info) {
  if (!path.starts_with(dist_info)) return false;
  path.remove_prefix(dist_info.size());
  return path == "/RECORD" || path == "/RECORD.jws" || path == "/RECORD.p7s";
}

// An installer's own files: what a wheel brings of them says nothing about an installation.
bool is_installers(std::string_view path, std::string_view dist_info) {
  if (is_unlisted(path, dist_info)) return true;
  if (!path.starts_with(dist_info)) return false;
  path.remove_prefix(dist_info.size());
  return path == "/INSTALLER" || path == "/REQUESTED" || path == "/direct_url.json";
}

// "activate", "activate.fish", "activate_this.py" …
bool activates(std::string_view script) {
  const std::string name = lower(script);
  return name == "activate" || name.starts_with("activate.") || name == "activate_this.py";
}

class Checking {
 public:
  Checking(const ZipFile& wheel, const std::string& name, const std::string& version, const EnvLayout& layout)
      : wheel_(wheel), name_(name), version_(version), layout_(layout) {}

  CheckedWheel run() {
    out_.dist_info = only_dir(kDistInfo);
    if (out_.dist_info.empty()) bad("no dist-info directory");
    data_dir_ = only_dir(kData);
    check_format();
    check_metadata();
    match_record();
    read_entry_points();
    for (PlacedFile& file : out_.files) place(file);
    check_directories();
    std::ranges::sort(out_.data, {}, &StoredWheel::DataFile::target);
    // What stands in "bin" already is the wheel's own.
    std::erase_if(out_.entry_points, [&](const EntryPoint& entry) { return claimed_.contains("bin/" + entry.name); });
    return std::move(out_);
  }

 private:
  [[noreturn]] void bad(std::string message) const { throw_broken_wheel(std::move(message), wheel_.subject()); }

  // "Flask-3.1.2.dist-info" belongs to flask 3.1.2, however either of them is spelled.
  bool names_us(std::string_view dir, std::string_view suffix) const {
    const std::string_view stem = dir.substr(0, dir.size() - suffix.size());
    const size_t dash = stem.find('-');
    if (dash == std::string_view::npos) return false;
    const auto found = Version::try_parse(stem.substr(dash + 1));
    return normalize_name(stem.substr(0, dash)) == name_ && found && *found == Version::parse(version_);
  }

  std::string only_dir(std::string_view suffix) const {
    std::string_view found;
    for (const ZipMember& member : wheel_.members()) {
      const std::string_view top = first_part(member.name);
      const bool is_dir = member.is_dir || top.size() < member.name.size();
      if (!is_dir || top == found || !top.ends_with(suffix)) continue;
      if (!found.empty()) bad(fmt::format("two `*{}` directories", suffix));
      if (!names_us(top, suffix)) bad(fmt::format("`{}` does not belong to `{} {}`", top, name_, version_));
      found = top;
    }
    return std::string(found);
  }

  std::string text_of(const char* name, uint64_t limit_bytes) const {
    const ZipMember* member = wheel_.find(out_.dist_info + "/" + name);
    if (member == nullptr) bad(fmt::format("no {} file", name));
    return wheel_.read(*member, limit_bytes);
  }

  void check_format() const {
    for (const std::string& line : split_lines(text_of("WHEEL", 1 << 20))) {
      if (!iequals(std::string_view(line).substr(0, 14), "Wheel-Version:")) continue;
      const std::string version_text(trim(std::string_view(line).substr(14)));
      if (version_text != "1" && !version_text.starts_with("1.")) {
        bad(fmt::format("wheel format {} is not known here", version_text));
      }
      return;
    }
    bad("WHEEL names no format version");
  }

  void check_metadata() const {
    const CoreMetadata metadata = parse_core_metadata(text_of("METADATA", kTextLimit), wheel_.subject());
    const auto found = Version::try_parse(metadata.version);
    if (normalize_name(metadata.name) != name_ || !found || *found != Version::parse(version_)) {
      bad(fmt::format("METADATA is of `{} {}`, wanted is `{} {}`", metadata.name, metadata.version, name_, version_));
    }
  }

  void match_record() {
    const auto unverified = [&](std::string message) { throw_unverified_wheel(std::move(message), wheel_.subject()); };
    std::vector<RecordEntry> rows = parse_record(text_of("RECORD", kRecordLimit), wheel_.subject());
    std::unordered_map<std::string_view, RecordEntry*> unseen;
    unseen.reserve(rows.size());
    for (RecordEntry& row : rows) unseen.emplace(row.path, &row);
    out_.files.reserve(wheel_.members().size());
    for (const ZipMember& member : wheel_.members()) {
      if (member.is_dir) continue;
      const auto found = unseen.find(member.name);
      if (!is_unlisted(member.name, out_.dist_info)) {
        if (found == unseen.end()) unverified(fmt::format("`{}` is not in RECORD", member.name));
        RecordEntry& row = *found->second;
        if (row.size_bytes && *row.size_bytes != member.size_bytes) {
          unverified(fmt::format("`{}` has {} bytes, RECORD says {}", member.name, member.size_bytes, *row.size_bytes));
        }
        if (!is_strong(row.hash)) unverified(fmt::format("RECORD has no SHA-256 of `{}`", member.name));
        out_.files.push_back({&member, "", trim_padding(std::move(row.hash)), member.executable});
      }
      if (found != unseen.end()) unseen.erase(found);
    }
    for (const RecordEntry& row : rows) {
      if (unseen.contains(row.path) && !is_unlisted(row.path, out_.dist_info)) {
        unverified(fmt::format("RECORD lists `{}`, which is missing", row.path));
      }
    }
  }

  void place(PlacedFile& file) {
    const std::string_view name = file.member->name;
    if (data_dir_.empty() || first_part(name) != data_dir_) {
      if (!is_installers(name, out_.dist_info)) place_in_site(file, name);
      return;
    }
    const std::string_view rest = name.substr(data_dir_.size() + 1);
    const std::string_view scheme = first_part(rest);
    const bool is_known = std::ranges::find(kSchemeDirs, scheme) != std::end(kSchemeDirs);
    if (!is_known || rest == scheme) bad(fmt::format("`{}` has no place in an environment", name));
    const std::string inner(rest.substr(scheme.size() + 1));
    if (scheme == "purelib" || scheme == "platlib") {
      place_in_site(file, inner);
    } else if (scheme == "headers") {
      place_data(file, rest, layout_.headers(name_) + "/" + inner);
    } else if (scheme == "scripts") {
      if (is_wrapper(inner)) return;
      file.executable = true;  // not every archiver keeps the mode
      place_data(file, rest, "bin/" + inner);
    } else {
      place_in_root(file, rest, inner);
    }
  }

  // "lib64" is a link to "lib" in many environments.
  void place_in_root(PlacedFile& file, std::string_view source, const std::string& target) {
    const std::string packages = layout_.site_packages() + "/";
    for (const std::string& prefix : {packages, replace_all(packages, "lib/", "lib64/")}) {
      if (target.starts_with(prefix)) return place_in_site(file, std::string_view(target).substr(prefix.size()));
    }
    place_data(file, source, target);
  }

  // Old wheels bring the launchers of their entry points themselves, for the system they were made on: replaced, as pip
  // does it.
  bool is_wrapper(std::string_view script) const {
    script = script.substr(script.rfind('/') + 1);  // npos + 1 is 0
    const std::string name = lower(script);
    for (const std::string_view end : {".exe", "-script.py", ".pya"}) {
      if (!name.ends_with(end)) continue;
      script.remove_suffix(end.size());
      break;
    }
    return scripts_.contains(std::string(script));
  }

  void place_in_site(PlacedFile& file, std::string_view inner) {
    const std::string_view top = first_part(inner);
    if (top.ends_with(kDistInfo) && top.size() < inner.size() && top != out_.dist_info) {
      bad(fmt::format("`{}` goes into the metadata of another distribution", file.member->name));
    }
    if (is_installers(inner, out_.dist_info)) {
      bad(fmt::format("`{}` goes where the installer writes", file.member->name));
    }
    file.path = std::string(kSite) + std::string(inner);
    claim(layout_.site_packages() + "/" + std::string(inner), file);
  }

  void place_data(PlacedFile& file, std::string_view source, const std::string& target) {
    const Path path(target);
    if (path.is_absolute() || target.starts_with("..") || path.lexically_normal().generic_string() != target) {
      throw Error(ErrorKind::refused, fmt::format("`{}` would be installed outside of the environment", target),
                  wheel_.subject());
    }
    const bool ours = std::ranges::find(kOurs, target) != std::end(kOurs);
    const bool in_bin = path.parent_path() == "bin";
    if (ours || (in_bin && (is_interpreter_name(path.filename().string()) || activates(path.filename().string())))) {
      belongs_to_environment(target);
    }
    file.path = "data/" + std::string(source);
    claim(target, file);
    out_.data.push_back({file.path, target, file.executable, false, file.hash, file.member->size_bytes});
  }

  void claim(const std::string& target, const PlacedFile& file) {
    const auto [known, is_new] = claimed_.emplace(target, &file);
    if (is_new) return;
    bad(fmt::format("`{}` and `{}` go to the same place", known->second->member->name, file.member->name));
  }

  void check_directories() {
    std::set<std::string> entry{"site", "data", "site/" + out_.dist_info};
    for (const PlacedFile& file : out_.files) {
      if (!file.path.empty()) add_parents(file.path, entry);
    }
    out_.dirs.assign(entry.begin(), entry.end());
    std::unordered_set<std::string> taken{"bin", "include", "lib", "lib64", layout_.site_packages()};
    add_parents(layout_.site_packages(), taken);
    for (const auto& [target, file] : claimed_) add_parents(target, taken);
    for (const auto& [target, file] : claimed_) {
      if (taken.contains(target)) bad(fmt::format("`{}` goes where a directory has to be", file->member->name));
    }
  }

  template <typename Set>
  static void add_parents(std::string_view path, Set& dirs) {
    for (size_t slash = path.rfind('/'); slash != std::string_view::npos; slash = path.rfind('/')) {
      path = path.substr(0, slash);
      if (!dirs.emplace(path).second) return;
    }
  }

  void read_entry_points() {
    const ZipMember* member = wheel_.find(out_.dist_info + "/entry_points.txt");
    if (member == nullptr) return;
    for (EntryPoint& entry : script_entry_points(wheel_.read(*member, kTextLimit), wheel_.subject())) {
      if (activates(entry.name)) belongs_to_environment("bin/" + entry.name);
      if (scripts_.insert(entry.name).second) out_.entry_points.push_back(std::move(entry));
    }
  }

  [[noreturn]] void belongs_to_environment(const std::string& target) const {
    throw Error(ErrorKind::refused, fmt::format("`{}` belongs to the environment itself", target), wheel_.subject());
  }

  const ZipFile& wheel_;
  const std::string& name_;
  const std::string& version_;
  const EnvLayout& layout_;
  std::string data_dir_;                              // "Flask-3.1.2.data", or ""
  std::unordered_set<std::string> scripts_;           // names of entry points
  std::map<std::string, const PlacedFile*> claimed_;  // by the path in the environment
  CheckedWheel out_;
};

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

void throw_broken_wheel(std::string message, const std::string& file_name) {
  throw Error(ErrorKind::bad_input, std::move(message), file_name, "the wheel is broken: tell its maintainers");
}

void throw_unverified_wheel(std::string message, const std::string& file_name) {
  throw Error(ErrorKind::verification, std::move(message), file_name,
              "the wheel is broken or was altered; do not install it");
}

void throw_unlike_record(const std::string& member, const std::string& file_name) {
  throw_unverified_wheel(fmt::format("`{}` is not what RECORD says", member), file_name);
}

CheckedWheel check_wheel(const ZipFile& wheel, const std::string& name, const std::string& version,
                         const EnvLayout& layout) {
  return Checking(wheel, name, version, layout).run();
}

RecordHash::RecordHash(const std::string& wanted) : wanted_(wanted) {
  if (wanted.starts_with("sha512=")) long_.emplace(Sha512::Length::bits_512);
  if (wanted.starts_with("sha384=")) long_.emplace(Sha512::Length::bits_384);
}

void RecordHash::update(std::string_view bytes) {
  sha256_.update(bytes);
  if (long_) long_->update(bytes);
}

std::string RecordHash::sha256_if_equal() {
  std::string out = "sha256=" + base64url_nopad(sha256_.finish_bytes());
  const std::string found = long_ ? wanted_.substr(0, 7) + base64url_nopad(long_->finish_bytes()) : out;
  return found == wanted_ ? out : "";
}

void verify_wheel(const ZipFile& wheel, const std::string& name, const std::string& version, const EnvLayout& layout) {
  const CheckedWheel checked = check_wheel(wheel, name, version, layout);
  for (const PlacedFile& file : checked.files) {
    RecordHash hash(file.hash);
    wheel.read(*file.member, [&](std::string_view piece) { hash.update(piece); });
    if (hash.sha256_if_equal().empty()) throw_unlike_record(file.member->name, wheel.subject());
  }
}

}  // namespace dae::resolver
