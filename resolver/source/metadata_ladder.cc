#include "resolver/source/metadata_ladder.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/strings.h"
#include "resolver/source/archive_source.h"
#include "resolver/source/find_links.h"
#include "resolver/source/static_metadata.h"
#include "resolver/source/zip_tail.h"
#include "resolver/standards/metadata.h"
#include "resolver/standards/names.h"

namespace dae::resolver {
namespace {

constexpr uint64_t kMetadataLimit = 16ull << 20;
// One request of this size holds the directory and METADATA of nearly every wheel: METADATA comes last but for RECORD.
constexpr uint64_t kTailBytes = 32 << 10;
constexpr uint64_t kMaxFileBytes = 4ull << 30;

// The host will not send parts of files.
struct RangesRefused {};

bool gone(int status) {
  return status == 404 || status == 410;
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
  if (const auto path = path_of_file_url(file.url)) return {of_whole_wheel(*path, file, package)};
  if (file.has_metadata) {
    if (auto text = announced(file, package)) return {*text};
  } else if (auto text = sibling(file, package)) {
    return {*text};
  }
  if (auto text = by_range(file, package)) return {*text};
  const TempDir dir("dae-wheel-");
  return {of_whole_wheel(download(file, dir.path()), file, package)};
}

HttpResponse MetadataLadder::get(const std::string& url) {
  HttpRequest request;
  request.url = url;
  request.body_limit_bytes = kMetadataLimit;
  credentials_.authorise(request);
  return transport_.send(std::move(request));
}

void MetadataLadder::unexpected(int status, const std::string& url) {
  const bool denied = status == 401 || status == 403;
  throw Error(denied ? ErrorKind::refused : ErrorKind::network,
              fmt::format("the index answered {} {}", status, http_reason(status)), redact_url(url),
              denied ? credentials_.hint(url) : "");
}

std::optional<std::string> MetadataLadder::announced(const IndexFile& file, const std::string& package) {
  const std::string url = file.url + ".metadata";
  HttpResponse answer = get(url);
  if (gone(answer.status)) return std::nullopt;
  if (!answer.ok()) unexpected(answer.status, url);
  if (!file.metadata_sha256.empty() && Digest::of(answer.body).hex() != lower(file.metadata_sha256)) {
    throw Error(ErrorKind::verification, "the metadata does not have the digest that its index announces",
                redact_url(url), "the index or something on the way to it altered the file; do not install from it");
  }
  checked(answer.body, file, package);
  return std::move(answer.body);
}

std::optional<std::string> MetadataLadder::sibling(const IndexFile& file, const std::string& package) {
  const std::string origin = parse_url(file.url).origin();
  // While one finds out, the others take the way that is sure: a guess costs one request a host, not one a thread.
  const IndexTraits::Trial trial(traits_, origin, Trait::unannounced_metadata);
  if (!trial.allowed()) return std::nullopt;
  HttpResponse answer = get(file.url + ".metadata");
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
  return std::move(answer.body);
}

// Collects the answer to a range request: the range in memory, or, from a host that sends the whole file whatever is
// asked for, that file on disk. It is not asked for twice.
class MetadataLadder::RangeAnswer {
 public:
  RangeAnswer(const IndexFile& file, Path whole, uint64_t limit_bytes)
      : file_(file), whole_(std::move(whole)), limit_bytes_(limit_bytes) {}

  void attach(HttpRequest& request) {
    request.body_limit_bytes = kMaxFileBytes;
    request.on_headers = [this](int status, const Headers&) { is_whole_ = status == 200; };
    request.on_restart = [this] { clear(); };
    request.on_body = [this](std::string_view bytes) { take(bytes); };
  }
  // A transport without streaming hands the body over at the end.
  void finish(const HttpResponse& answer) {
    if (size_bytes_ > 0 || !answer.ok()) return;
    is_whole_ = answer.status == 200;
    take(answer.body);
  }
  bool is_whole() const { return is_whole_; }
  const Path& whole() const { return whole_; }
  std::string& bytes() { return bytes_; }

 private:
  void clear() {
    bytes_.clear();
    size_bytes_ = 0;
    remove_file(whole_);
  }
  void take(std::string_view bytes) {
    size_bytes_ += bytes.size();
    if (is_whole_) {
      // Whoever only wanted a piece, and has had the end of the file already, does not wait for all of it.
      if (whole_.empty()) throw RangesRefused{};
      if (size_bytes_ > file_.size_bytes.value_or(kMaxFileBytes)) {
        throw Error(ErrorKind::verification, "is larger than its index says", file_.name);
      }
      append_file(whole_, bytes);
    } else {
      if (size_bytes_ > limit_bytes_) throw RangesRefused{};
      bytes_ += bytes;
    }
  }

  const IndexFile& file_;
  const Path whole_;
  const uint64_t limit_bytes_;
  bool is_whole_ = false;
  std::string bytes_;
  uint64_t size_bytes_ = 0;
};

// Returns the size of the whole file that a partial answer tells; 0 with `answer.is_whole()`.
uint64_t MetadataLadder::ask_range(const IndexFile& file, const std::string& range, RangeAnswer& into) {
  HttpRequest request;
  request.url = file.url;
  request.headers.add("Range", "bytes=" + range);
  // Ranges of a compressed representation would be ranges of other bytes (RFC 9110 section 14.2).
  request.headers.add("Accept-Encoding", "identity");
  into.attach(request);
  credentials_.authorise(request);
  const HttpResponse answer = transport_.send(std::move(request));
  into.finish(answer);
  if (answer.status == 200) return 0;
  if (answer.status == 206) {
    const uint64_t total_bytes = total_of_content_range(answer.headers.get("content-range"));
    if (total_bytes != 0) return total_bytes;
  }
  if (answer.status == 401 || answer.status == 403 || gone(answer.status) || answer.status >= 500) {
    unexpected(answer.status, file.url);
  }
  throw RangesRefused{};
}

std::optional<std::string> MetadataLadder::by_range(const IndexFile& file, const std::string& package) {
  const std::string origin = parse_url(file.url).origin();
  if (traits_.get(origin, Trait::ranges) == Answer::no) return std::nullopt;
  const TempDir dir("dae-wheel-");
  try {
    // No HEAD first: the end can be asked for without knowing where it is. Some hosts know "from … to" only, so that
    // is the form where the page tells the size.
    const uint64_t size = file.size_bytes.value_or(0);
    const std::string range =
        size > 0 ? fmt::format("{}-{}", size - std::min(size, kTailBytes), size - 1) : fmt::format("-{}", kTailBytes);
    RangeAnswer tail_answer(file, dir.path() / "wheel", kTailBytes);
    ZipTail tail;
    tail.archive_bytes = ask_range(file, range, tail_answer);
    if (tail_answer.is_whole()) {
      traits_.set(origin, Trait::ranges, false);
      return of_download(tail_answer.whole(), file, package);
    }
    tail.bytes = std::move(tail_answer.bytes());
    const auto read = [&](uint64_t offset, uint64_t bytes) {
      RangeAnswer piece(file, "", bytes);
      const uint64_t total = ask_range(file, fmt::format("{}-{}", offset, offset + bytes - 1), piece);
      if (piece.bytes().size() != bytes || total != tail.archive_bytes) throw RangesRefused{};
      return std::move(piece.bytes());
    };
    std::string text = wheel_metadata_from_tail(tail, read, file.name);
    checked(text, file, package);
    traits_.set(origin, Trait::ranges, true);
    return text;
  } catch (const RangesRefused&) {
    traits_.set(origin, Trait::ranges, false);
  } catch (const Error& error) {
    // An unusual but legal archive (zip64, say) is read as a whole instead; that also gives the better message.
    if (error.kind() != ErrorKind::bad_input) throw;
  }
  return std::nullopt;
}

Path MetadataLadder::download(const IndexFile& file, const Path& dir) {
  if (!is_safe_file_name(file.name)) throw Error(ErrorKind::bad_input, "unsafe file name", file.name);
  HttpRequest request;
  request.url = file.url;
  credentials_.authorise(request);
  Download job;
  job.url = request.url;
  job.headers = request.headers;
  job.destination = dir / file.name;
  if (!file.sha256.empty()) job.digest = Digest::parse(file.sha256);
  job.size_bytes = file.size_bytes;
  Activity activity(events_, "downloading for its metadata", file.name, file.size_bytes.value_or(0), true);
  job.on_progress = [&](uint64_t done, uint64_t total) { activity.progress(done, total); };
  download_file(transport_, job);
  activity.finish();
  return job.destination;
}

std::string MetadataLadder::of_download(const Path& wheel, const IndexFile& file, const std::string& package) {
  if (!file.sha256.empty() && sha256_file(wheel).hex() != lower(file.sha256)) {
    throw Error(ErrorKind::verification, "the download does not have the expected digest", redact_url(file.url),
                "the file changed at its source, or something on the way altered it; do not trust it");
  }
  return of_whole_wheel(wheel, file, package);
}

std::string MetadataLadder::of_whole_wheel(const Path& wheel, const IndexFile& file, const std::string& package) {
  std::string text = wheel_metadata(wheel, file.name);
  checked(text, file, package);
  return text;
}

MetadataLadder::Found MetadataLadder::from_sdist(const IndexFile& file, const std::string& package) {
  const TempDir dir("dae-sdist-");
  const Path sdist = sdist_path(file, dir.path());
  if (auto text = static_metadata(sdist, file.name)) {
    try {
      checked(*text, file, package);
      return {std::move(*text)};
    } catch (const Error&) {
      // Old tools wrote wrong names and versions; a build says what is true.
    }
  }
  if (!options_.build_metadata) {
    throw Error(ErrorKind::failed, "only an sdist whose metadata needs a build", file.name);
  }
  std::string text = options_.build_metadata(file, sdist);
  checked(text, file, package);
  return {std::move(text), true};
}

// Kept where the installation will look for it: the chosen one is not downloaded again.
Path MetadataLadder::sdist_path(const IndexFile& file, const Path& dir) {
  if (const auto path = path_of_file_url(file.url)) return *path;
  const bool known = options_.blobs != nullptr && Digest::is_valid(file.sha256);
  if (known && options_.blobs->has(Digest::parse(file.sha256))) return options_.blobs->path(Digest::parse(file.sha256));
  const Path sdist = download(file, dir);
  return options_.blobs != nullptr ? options_.blobs->path(options_.blobs->adopt(sdist)) : sdist;
}

}  // namespace dae::resolver
