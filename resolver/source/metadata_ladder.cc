#include "resolver/source/metadata_ladder.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/archive.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/strings.h"
#include "resolver/source/zip_tail.h"
#include "resolver/standards/metadata.h"
#include "resolver/standards/names.h"

namespace dae::resolver {
namespace {

constexpr uint64_t kMetadataLimit = 16ull << 20;
// One request of this size holds the directory and METADATA of nearly every wheel: METADATA comes last but for RECORD.
constexpr uint64_t kTailBytes = 32 << 10;

// The host sends the whole file whatever range is asked for.
struct RangesIgnored {};

HttpRequest get_request(std::string url) {
  HttpRequest request;
  request.url = std::move(url);
  request.body_limit_bytes = kMetadataLimit;
  return request;
}

bool gone(int status) {
  return status == 404 || status == 410;
}

[[noreturn]] void unexpected(int status, const std::string& url) {
  if (status == 401 || status == 403) {
    throw Error(ErrorKind::refused, fmt::format("the index answered {} {}", status, http_reason(status)),
                redact_url(url), "check the credentials in the index URL or in your netrc file");
  }
  throw Error(ErrorKind::network, fmt::format("the index answered {} {}", status, http_reason(status)),
              redact_url(url));
}

Version file_version(const IndexFile& file, const std::string& package) {
  if (const auto wheel = parse_wheel_name(file.name)) return wheel->version;
  if (const auto sdist = parse_sdist_name(file.name, package)) return sdist->version;
  throw Error(ErrorKind::bad_input, "neither a wheel nor an sdist by its name", file.name);
}

CoreMetadata checked(const std::string& text, const IndexFile& file, const std::string& package) {
  CoreMetadata metadata = parse_core_metadata(text, file.name);
  const auto version = Version::try_parse(metadata.version);
  if (normalize_name(metadata.name) != package || !version || *version != file_version(file, package)) {
    throw Error(ErrorKind::bad_input,
                fmt::format("its metadata says `{} {}`, its file name something else", metadata.name, metadata.version),
                file.name);
  }
  return metadata;
}

uint64_t total_of_content_range(std::string_view value) {
  const size_t slash = value.find('/');
  const auto total = slash == std::string_view::npos ? std::nullopt : parse_int(trim(value.substr(slash + 1)));
  return total && *total > 0 ? static_cast<uint64_t>(*total) : 0;
}

}  // namespace

MetadataLadder::Found MetadataLadder::climb(const IndexFile& file, const std::string& package) {
  if (!file.name.ends_with(".whl")) return from_sdist(file, package);
  if (file.has_metadata) {
    if (auto text = announced(file, package)) return {*text};
  } else if (auto text = sibling(file, package)) {
    return {*text};
  }
  if (auto text = by_range(file, package)) return {*text};
  return {whole_wheel(file, package)};
}

std::optional<std::string> MetadataLadder::announced(const IndexFile& file, const std::string& package) {
  const std::string url = file.url + ".metadata";
  const HttpResponse answer = transport_.send(get_request(authorise_(url)));
  if (gone(answer.status)) return std::nullopt;
  if (!answer.ok()) unexpected(answer.status, url);
  if (!file.metadata_sha256.empty() && Digest::of(answer.body).hex() != lower(file.metadata_sha256)) {
    throw Error(ErrorKind::verification, "the metadata does not have the digest that its index announces",
                redact_url(url), "the index or something on the way to it altered the file; do not install from it");
  }
  checked(answer.body, file, package);
  return answer.body;
}

std::optional<std::string> MetadataLadder::sibling(const IndexFile& file, const std::string& package) {
  const std::string origin = parse_url(file.url).origin();
  if (traits_.get(origin, Trait::unannounced_metadata) == Answer::no) return std::nullopt;
  const HttpResponse answer = transport_.send(get_request(authorise_(file.url + ".metadata")));
  // Object stores say 403 for what is not there: no reason to stop, this was only a guess.
  if (answer.status >= 400 && answer.status < 500) {
    // One file without it among files that have it says nothing about the host.
    if (traits_.get(origin, Trait::unannounced_metadata) == Answer::unknown) {
      traits_.set(origin, Trait::unannounced_metadata, false);
    }
    return std::nullopt;
  }
  if (!answer.ok()) unexpected(answer.status, file.url + ".metadata");
  try {
    checked(answer.body, file, package);
  } catch (const Error&) {
    // Some servers answer 200 with a page of their own for whatever is asked.
    traits_.set(origin, Trait::unannounced_metadata, false);
    return std::nullopt;
  }
  traits_.set(origin, Trait::unannounced_metadata, true);
  return answer.body;
}

std::string MetadataLadder::range(const IndexFile& file, const std::string& value, uint64_t limit_bytes,
                                  uint64_t* total_bytes) {
  std::string body;
  HttpRequest request = get_request(authorise_(file.url));
  request.headers.add("Range", "bytes=" + value);
  // Ranges of a compressed representation would be ranges of other bytes (RFC 9110 section 14.2).
  request.headers.add("Accept-Encoding", "identity");
  request.body_limit_bytes = uint64_t{4} << 30;  // `on_body` below sets the real limit
  request.on_restart = [&] { body.clear(); };
  request.on_body = [&](std::string_view bytes) {
    if (body.size() + bytes.size() > limit_bytes) throw RangesIgnored{};
    body += bytes;
  };
  const HttpResponse answer = transport_.send(std::move(request));
  // A transport without streaming hands the body over at the end.
  if (body.empty()) body = answer.body;
  if (answer.status == 200 && body.size() <= limit_bytes) {
    *total_bytes = body.size();  // shorter than what was asked for: this is all of it
    return body;
  }
  if (answer.status == 206) {
    *total_bytes = total_of_content_range(answer.headers.get("content-range"));
    if (*total_bytes != 0) return body;
  }
  if (answer.status == 401 || answer.status == 403 || gone(answer.status) || answer.status >= 500) {
    unexpected(answer.status, file.url);
  }
  throw RangesIgnored{};
}

std::optional<std::string> MetadataLadder::by_range(const IndexFile& file, const std::string& package) {
  const std::string origin = parse_url(file.url).origin();
  if (traits_.get(origin, Trait::ranges) == Answer::no) return std::nullopt;
  try {
    ZipTail tail;
    tail.bytes = range(file, fmt::format("-{}", kTailBytes), kTailBytes, &tail.archive_bytes);
    const auto read = [&](uint64_t offset, uint64_t size) {
      uint64_t total_bytes = 0;
      std::string bytes = range(file, fmt::format("{}-{}", offset, offset + size - 1), size, &total_bytes);
      if (bytes.size() != size || total_bytes != tail.archive_bytes) throw RangesIgnored{};
      return bytes;
    };
    std::string text = wheel_metadata_from_tail(tail, read, file.name);
    checked(text, file, package);
    traits_.set(origin, Trait::ranges, true);
    return text;
  } catch (const RangesIgnored&) {
    traits_.set(origin, Trait::ranges, false);
  } catch (const Error& error) {
    // An unusual but legal archive (zip64, say) is read as a whole instead; that also gives the better message.
    if (error.kind() != ErrorKind::bad_input) throw;
  }
  return std::nullopt;
}

Path MetadataLadder::download(const IndexFile& file, const Path& dir) {
  if (!is_safe_file_name(file.name)) throw Error(ErrorKind::bad_input, "unsafe file name", file.name);
  Download job;
  job.url = authorise_(file.url);
  job.destination = dir / file.name;
  if (!file.sha256.empty()) job.digest = Digest::parse(file.sha256);
  job.size_bytes = file.size_bytes;
  Activity activity(events_, "downloading for its metadata", file.name, file.size_bytes.value_or(0), true);
  job.on_progress = [&](uint64_t done, uint64_t total) { activity.progress(done, total); };
  download_file(transport_, job);
  activity.finish();
  return job.destination;
}

std::string MetadataLadder::whole_wheel(const IndexFile& file, const std::string& package) {
  const TempDir dir("dae-wheel-");
  const Path wheel = download(file, dir.path());
  std::string member;
  for (const ArchiveEntry& entry : list_archive(wheel)) {
    const size_t slash = entry.name.find('/');
    if (slash == std::string::npos || entry.name.substr(slash) != "/METADATA") continue;
    if (!entry.name.substr(0, slash).ends_with(".dist-info")) continue;
    if (!member.empty()) throw Error(ErrorKind::bad_input, "two METADATA files in one wheel", file.name);
    member = entry.name;
  }
  if (member.empty()) throw Error(ErrorKind::bad_input, "no METADATA in the wheel", file.name);
  std::string text = read_archive_member(wheel, member, kMetadataLimit);
  checked(text, file, package);
  return text;
}

namespace {

// PEP 643: from metadata 2.2 on, what is not called dynamic is the same in every wheel built from the sdist.
bool is_final(const CoreMetadata& metadata) {
  const std::vector<std::string> parts = split(metadata.metadata_version, '.');
  const int64_t major = parse_int(parts[0]).value_or(0);
  const int64_t minor = parts.size() > 1 ? parse_int(parts[1]).value_or(0) : 0;
  if (major < 2 || (major == 2 && minor < 2)) return false;
  return std::ranges::none_of(metadata.dynamic, [](const std::string& field) {
    return field == "requires-dist" || field == "requires-python" || field == "provides-extra";
  });
}

std::optional<std::string> static_pkg_info(const Path& sdist) {
  for (const ArchiveEntry& entry : list_archive(sdist)) {
    // The one at the top of the tree; setuptools leaves another in its egg-info.
    if (std::ranges::count(entry.name, '/') == 1 && entry.name.ends_with("/PKG-INFO")) {
      return read_archive_member(sdist, entry.name, kMetadataLimit);
    }
  }
  return std::nullopt;
}

}  // namespace

MetadataLadder::Found MetadataLadder::from_sdist(const IndexFile& file, const std::string& package) {
  const TempDir dir("dae-sdist-");
  const Path sdist = download(file, dir.path());
  if (auto text = static_pkg_info(sdist)) {
    try {
      if (is_final(checked(*text, file, package))) return {*text};
    } catch (const Error&) {
      // Old tools wrote broken PKG-INFO files; a build says what is true.
    }
  }
  if (!options_.build_metadata) {
    throw Error(ErrorKind::failed, "only an sdist whose metadata needs a build", file.name);
  }
  std::string text = options_.build_metadata(file, sdist);
  checked(text, file, package);
  return {std::move(text), true};
}

}  // namespace dae::resolver
