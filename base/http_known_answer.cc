#include "base/http_known_answer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/clock.h"
#include "base/error.h"
#include "base/http_reply_head.h"
#include "base/strings.h"

namespace dae {

namespace {

bool fill(const Fd& file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(file.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

// A file, so that sendfile(2) sends its pages: copying 64 KiB into the socket costs as much as all the rest of the
// answer, and holds a copy for each client that reads slowly (measured: 835 MiB at 4,000 clients). On disk rather than
// in memory, where the kernel finds and locks each page of 4 KiB by itself (64 KiB to 4,000 clients: 0.92 of what
// nginx sends per CPU second became 1.22).
Fd unnamed_file(std::string_view bytes, const Path& dir) {
  if (!dir.empty()) {
    Fd on_disk(open(dir.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    if (on_disk.valid() && fill(on_disk, bytes)) return on_disk;
  }
  Fd file(memfd_create("dae-answer", MFD_CLOEXEC));
  if (!file.valid() || !fill(file, bytes)) throw os_error("cannot make a memory file", "", errno);
  return file;
}

// Fields that may turn the plain answer into another.
bool is_conditional(const Headers& headers) {
  for (const auto& [name, value] : headers.fields()) {
    const bool may_be = !name.empty() && (name[0] == 'I' || name[0] == 'i' || name[0] == 'R' || name[0] == 'r');
    if (may_be && (iequals(name, "Range") || iequals(name, "If-None-Match") || iequals(name, "If-Modified-Since"))) {
      return true;
    }
  }
  return false;
}

}  // namespace

std::shared_ptr<SharedBytes> open_shared(const Path& file) {
  auto bytes = std::make_shared<SharedBytes>();
  bytes->file = Fd(open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!bytes->file.valid()) throw os_error("cannot open", file, errno);
  struct stat info {};
  if (fstat(bytes->file.get(), &info) != 0) throw os_error("cannot read", file, errno);
  if (!S_ISREG(info.st_mode)) throw Error(ErrorKind::not_found, "not a file", file);
  bytes->size_bytes = static_cast<uint64_t>(info.st_size);
  bytes->mtime_ns = int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec;
  return bytes;
}

std::string read_slice(const SharedBytes& bytes, uint64_t offset, uint64_t length) {
  std::string slice(length, '\0');
  size_t done = 0;
  while (done < length) {
    ssize_t got = pread(bytes.file.get(), slice.data() + done, length - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) throw os_error("cannot read a file that is sent", "", got < 0 ? errno : EIO);
    done += static_cast<size_t>(got);
  }
  return slice;
}

void complete_file_fields(ServerResponse* response, const SharedBytes& bytes) {
  if (response->etag.empty()) {
    response->etag =
        fmt::format("{:x}.{:x}-{:x}", bytes.mtime_ns / 1'000'000'000, bytes.mtime_ns % 1'000'000'000, bytes.size_bytes);
  }
  if (!response->headers.has("Last-Modified")) {
    response->headers.add("Last-Modified", format_http_date(bytes.mtime_ns / 1'000'000));
  }
  if (!response->headers.has("Content-Type")) response->headers.add("Content-Type", "application/octet-stream");
}

std::shared_ptr<const KnownAnswer> make_known_answer(const ServerRequest& request, ServerResponse response,
                                                     const Path& scratch_dir) {
  DAE_CHECK(response.status == 200 && !response.stream && !response.growing);
  auto answer = std::make_shared<KnownAnswer>();
  answer->path = request.path;
  answer->is_file = !response.file.empty();
  std::shared_ptr<SharedBytes> bytes;
  if (answer->is_file) {
    bytes = open_shared(response.file);
    if (bytes->size_bytes <= kInlineBytes) {
      bytes->memory = read_slice(*bytes, 0, bytes->size_bytes);
      bytes->file = Fd();
    }
  } else {
    bytes = std::make_shared<SharedBytes>();
    bytes->size_bytes = response.body.size();
    if (bytes->size_bytes <= kInlineBytes) {
      bytes->memory = response.body;
    } else {
      bytes->file = unnamed_file(response.body, scratch_dir);
    }
    std::string().swap(response.body);
  }
  answer->response = response;
  if (answer->is_file) complete_file_fields(&response, *bytes);
  if (!response.etag.empty()) response.headers.set("ETag", "\"" + response.etag + "\"");
  if (answer->is_file) response.headers.set("Accept-Ranges", "bytes");
  append_fields(&answer->fields, 200, response.headers, bytes->size_bytes);
  answer->bytes = std::move(bytes);
  return answer;
}

bool has_body_of(const KnownAnswer& answer, const ServerResponse& response) {
  return !answer.is_file && response.file.empty() && !response.etag.empty() && response.etag == answer.response.etag &&
         response.body.size() == answer.bytes->size_bytes &&
         response.headers.fields() == answer.response.headers.fields();
}

uint64_t memory_bytes(const KnownAnswer& answer) {
  const bool on_disk = answer.is_file && answer.bytes->file.valid();
  return sizeof answer + answer.fields.size() * 2 + answer.path.size() + (on_disk ? 0 : answer.bytes->size_bytes);
}

bool holds_descriptor(const KnownAnswer& answer) {
  return answer.bytes->file.valid();
}

bool has_lost_its_file(const KnownAnswer& answer) {
  if (!answer.is_file || !answer.bytes->file.valid()) return false;
  struct stat held {};
  struct stat named {};
  if (fstat(answer.bytes->file.get(), &held) != 0) return true;
  return stat(answer.response.file.c_str(), &named) != 0 || named.st_ino != held.st_ino || named.st_dev != held.st_dev;
}

void write_known_reply(const ServerRequest& request, const KnownAnswer& answer, const ReplyContext& context,
                       Reply* reply) {
  if (is_conditional(request.headers)) {
    *reply = make_shared_reply(request, answer, context);
    return;
  }
  reply->clear();
  reply->status = 200;
  reply->keep_alive = context.keep_alive;
  write_head(reply, context, answer.fields);
  if (request.method == "HEAD") return;
  reply->shared = answer.bytes;
  if (answer.bytes->file.valid()) {
    reply->file = answer.bytes->file.get();
    reply->file_left = answer.bytes->size_bytes;
  } else {
    reply->shared_body = answer.bytes->memory;
  }
}

}  // namespace dae
