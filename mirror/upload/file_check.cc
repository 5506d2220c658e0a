#include "mirror/upload/file_check.h"

#include <algorithm>

#include "base/archive.h"
#include "base/error.h"
#include "base/strings.h"
#include "base/zip.h"
#include "mirror/upload/tar_check.h"
#include "resolver/install/wheel_check.h"
#include "resolver/source/archive_source.h"
#include "resolver/standards/metadata.h"
#include "resolver/standards/names.h"

namespace dae::mirror {
namespace {

constexpr uint64_t kMaxRatio = 50, kMaxUnpackedBytes = 4ull << 30, kMaxMetadataBytes = 16u << 20;
constexpr const char* kProtocol = "1";

[[noreturn]] void refuse(std::string message, const std::string& subject, std::string hint = "") {
  throw Error(ErrorKind::bad_input, std::move(message), subject, std::move(hint));
}

CheckedUpload from_file_name(const std::string& file_name) {
  if (!resolver::is_safe_file_name(file_name)) refuse("the file's name is not one of a wheel or sdist", "");
  CheckedUpload out;
  if (auto wheel = resolver::parse_wheel_name(file_name)) {
    out.is_wheel = true;
    out.project = wheel->distribution;
    out.version = wheel->version.text();
    std::ranges::sort(wheel->tags);
    out.key = out.project + "-" + out.version + "-" + wheel->build + "-" + lower(join(wheel->tags, ".")) + ".whl";
    return out;
  }
  const auto sdist = resolver::parse_sdist_name(file_name);
  if (!sdist) {
    refuse("not the name of a wheel (`NAME-VERSION-TAGS.whl`) or sdist (`NAME-VERSION.tar.gz`)", file_name);
  }
  out.project = sdist->distribution;
  out.version = sdist->version.text();
  out.key = out.project + "-" + out.version + (file_name.ends_with(".zip") ? ".zip" : ".tar.gz");
  return out;
}

void check_protocol(const UploadForm& form) {
  const std::string action = form.one(":action"), protocol = form.one("protocol_version");
  if (!action.empty() && action != "file_upload") refuse("`:action` " + action + " is not supported here", "");
  if (!protocol.empty() && protocol != kProtocol) refuse("protocol version " + protocol + " is not supported here", "");
  if (!form.all("attestations").empty()) {
    refuse("attestations are not taken by this index: nothing here could verify them", form.file_name,
           "upload without `--attestations`");
  }
}

void check_digest(const UploadForm& form, const char* field, const std::string& computed) {
  const std::string given = form.one(field);
  if (given.empty() || iequals(given, computed)) return;
  throw Error(ErrorKind::verification, std::string("the bytes received do not have the `") + field + "` of the form",
              form.file_name, "upload it again: it was damaged on the way");
}

void check_name_and_version(const CheckedUpload& file, const std::string& name, const std::string& version,
                            const std::string& where, const std::string& subject) {
  if (name.empty() || resolver::normalize_name(name) != file.project) {
    refuse("the name in " + where + " is `" + name + "`, the file is one of `" + file.project + "`", subject);
  }
  const auto parsed = resolver::Version::try_parse(version);
  if (!parsed || *parsed != resolver::Version::parse(file.version)) {
    refuse("the version in " + where + " is `" + version + "`, that of the file is " + file.version, subject);
  }
}

// One spelling for what means the same: some clients write requirements anew.
std::string canonical_specifiers(const std::string& text) {
  const auto parsed = resolver::SpecifierSet::try_parse_legacy(text);
  return parsed ? parsed->text() : text;
}

std::vector<std::string> canonical_requirements(const std::vector<std::string>& texts) {
  std::vector<std::string> out;
  for (const std::string& text : texts) {
    const auto parsed = resolver::Requirement::try_parse_legacy(text);
    std::string spelled = parsed ? parsed->text() : std::string(trim(text));
    if (parsed) spelled.replace(0, parsed->name.size(), parsed->key);
    out.push_back(std::move(spelled));
  }
  std::ranges::sort(out);
  return out;
}

// What the form leaves out is not compared: pages are made from the file alone.
void compare_with_form(const resolver::CoreMetadata& inside, const UploadForm& form) {
  const std::string python = form.one("requires_python");
  if (!python.empty() && canonical_specifiers(python) != canonical_specifiers(inside.requires_python)) {
    refuse("`requires_python` of the form is `" + python + "`, the file says `" + inside.requires_python + "`",
           form.file_name);
  }
  const std::vector<std::string> requires_dist = form.all("requires_dist");
  if (!requires_dist.empty() && canonical_requirements(requires_dist) != canonical_requirements(inside.requires_dist)) {
    refuse("`requires_dist` of the form is not what the file says", form.file_name);
  }
}

std::string check_wheel_file(const CheckedUpload& file, const UploadForm& form, const Path& content) {
  ZipLimits limits;
  limits.total_bytes = kMaxUnpackedBytes;
  limits.ratio = kMaxRatio;
  const ZipFile zip = ZipFile::open(content, form.file_name, limits);
  // Any place will do: it is judged where files go, not whether they can.
  resolver::verify_wheel(zip, file.project, file.version, resolver::EnvLayout("/env", "3.12", ""));
  return resolver::wheel_metadata(content, form.file_name);
}

// "Source distribution format": one directory at the top, and PKG-INFO in it.
class SdistTop {
 public:
  explicit SdistTop(const std::string& subject) : subject_(subject) {}
  void see(const std::string& name, bool is_dir) {
    const std::string top = name.substr(0, name.find('/'));
    if (top_.empty()) top_ = top;
    if (top != top_ || (!is_dir && top.size() == name.size()))
      refuse("the sdist has more than one top directory", subject_);
  }
  bool is_metadata(const std::string& name) const { return name == top_ + "/PKG-INFO"; }

 private:
  const std::string& subject_;
  std::string top_;
};

std::string read_zip_sdist(const UploadForm& form, const Path& content) {
  ZipLimits limits;
  limits.total_bytes = kMaxUnpackedBytes;
  limits.ratio = kMaxRatio;
  const ZipFile zip = ZipFile::open(content, form.file_name, limits);
  SdistTop top(form.file_name);
  std::string metadata;
  for (const ZipMember& member : zip.members()) {
    top.see(member.name, member.is_dir);
    if (member.is_dir) continue;
    if (top.is_metadata(member.name)) {
      metadata = zip.read(member, kMaxMetadataBytes);
    } else {
      zip.read(member, [](std::string_view) {});  // its CRC
    }
  }
  return metadata;
}

std::string read_tar_sdist(const UploadForm& form, const Path& content) {
  check_tar_gz(content, form.file_name);
  ArchiveLimits limits;
  limits.total_bytes = kMaxUnpackedBytes;
  limits.ratio = kMaxRatio;
  SdistTop top(form.file_name);
  std::string metadata;
  try {
    read_archive(content, limits, [&](const ArchiveEntry& entry, const ArchiveRead& read) {
      top.see(entry.name, entry.is_dir);
      if (entry.is_dir || !entry.link_target.empty() || !top.is_metadata(entry.name)) return;
      read([&](std::string_view piece) {
        if (metadata.size() + piece.size() > kMaxMetadataBytes) refuse("PKG-INFO is too large", form.file_name);
        metadata.append(piece);
      });
    });
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::bad_input) throw;
    throw Error(error.kind(), error.message(), form.file_name, error.hint()).because(error.cause());
  }
  return metadata;
}

}  // namespace

CheckedUpload check_upload_form(const UploadForm& form) {
  check_protocol(form);
  CheckedUpload out = from_file_name(form.file_name);
  const std::string type = form.one("filetype");
  if (!type.empty() && type != (out.is_wheel ? "bdist_wheel" : "sdist")) {
    refuse("`filetype` " + type + " is not that of the file", form.file_name);
  }
  check_name_and_version(out, form.one("name"), form.one("version"), "the form", form.file_name);
  check_digest(form, "sha256_digest", form.sha256.hex());
  check_digest(form, "md5_digest", form.md5);
  check_digest(form, "blake2_256_digest", form.blake2_256);
  return out;
}

CheckedUpload check_upload(const UploadForm& form, const Path& content) {
  CheckedUpload out = check_upload_form(form);
  if (out.is_wheel) {
    out.metadata = check_wheel_file(out, form, content);
  } else {
    out.metadata = form.file_name.ends_with(".zip") ? read_zip_sdist(form, content) : read_tar_sdist(form, content);
    if (out.metadata.empty()) refuse("the sdist has no PKG-INFO in its top directory", form.file_name);
  }
  const resolver::CoreMetadata inside = resolver::parse_core_metadata(out.metadata, form.file_name);
  check_name_and_version(out, inside.name, inside.version, out.is_wheel ? "METADATA" : "PKG-INFO", form.file_name);
  compare_with_form(inside, form);
  out.display_name = inside.name;
  out.requires_python = inside.requires_python;
  return out;
}

}  // namespace dae::mirror
