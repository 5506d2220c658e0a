#include <fmt/format.h>

#include <deque>
#include <exception>
#include <future>

#include "base/strings.h"
#include "mirror/storage/s3_transfers.h"

namespace dae::mirror {
namespace {

constexpr const char* kCannot = "cannot store the object";
// Fewer than the connections that the client opens to one host: a head that is to be replaced does not wait for these.
constexpr size_t kAtOnce = 12;
constexpr uint64_t kMaxPutBytes = 5ull << 30;
// A server may be silent for long while it makes gigabytes durable: no idle limit, but one that no usable line needs.
constexpr int64_t kPatienceMs = 60'000;
constexpr uint64_t kSlowestBytesPerMs = 256;

HttpRequest put_request(const S3Client& client, const ObjectFile& file) {
  const auto info = file_info(file.file);
  if (!info) throw Error(ErrorKind::not_found, "the file to store is not there", file.file);
  if (info->size_bytes > kMaxPutBytes) {
    throw Error(ErrorKind::bad_input, "the file is too large for one object", file.file)
        .because(fmt::format("{} are more than {}", format_bytes(info->size_bytes), format_bytes(kMaxPutBytes)));
  }
  HttpRequest request = client.object_request("PUT", file.key);
  request.body_file = file.file;
  // The server refuses other bytes than these.
  request.headers.set("x-amz-content-sha256", file.sha256.hex());
  request.timeout_ms = kPatienceMs + static_cast<int64_t>(info->size_bytes / kSlowestBytesPerMs);
  return request;
}

}  // namespace

void s3_put_files(const S3Client& client, const std::vector<ObjectFile>& files) {
  std::exception_ptr failure;
  std::deque<std::pair<const ObjectFile*, std::future<HttpResponse>>> on_the_way;
  const auto finish_first = [&] {
    const ObjectFile& file = *on_the_way.front().first;
    std::future<HttpResponse> answer = std::move(on_the_way.front().second);
    on_the_way.pop_front();
    try {
      const HttpResponse response = answer.get();
      if (!response.ok()) throw client.error(kCannot, file.key, response);
    } catch (...) {
      if (!failure) failure = std::current_exception();
    }
  };
  for (const ObjectFile& file : files) {
    if (failure) break;
    try {
      on_the_way.emplace_back(&file, client.transport().send_async(put_request(client, file)));
    } catch (...) {
      failure = std::current_exception();
    }
    if (on_the_way.size() >= kAtOnce) finish_first();
  }
  // All of them, after a failure too: their files may go when this returns.
  while (!on_the_way.empty()) finish_first();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace dae::mirror
