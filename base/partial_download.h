#pragma once
// One file on its way, for whoever drives many transfers at once: it says what to ask, takes what comes, and tells
// whether to ask again. download_file() is the loop around one of them.
#include <atomic>
#include <future>
#include <memory>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/http_client.h"

namespace dae {

class PartFile;

class PartialDownload : public std::enable_shared_from_this<PartialDownload> {
 public:
  // Goes on with what an earlier run left in the file `part`; `destination` plays no role. With a known digest any
  // beginning will do, as the digest decides in the end; without one the server's validator has to say that it is the
  // beginning of the same bytes. Null when somebody else is writing the part.
  static std::shared_ptr<PartialDownload> begin(Download download, const Path& part);
  ~PartialDownload();  // the part stays when a later run can go on with it

  // All bytes are there and are right.
  bool complete() const { return complete_; }
  // What to send next, once, unless complete().
  HttpRequest request();
  // What came of it. None: complete. A value: send request() again after so many milliseconds. Throws what ended it.
  std::optional<int64_t> take_answer(std::future<HttpResponse> answer);
  uint64_t done_bytes() const { return done_bytes_; }  // any thread

  const Digest& digest() const { return digest_; }  // of the bytes, when complete
  const Path& part() const;
  void move_to(const Path& destination);

 private:
  PartialDownload(Download download, std::unique_ptr<PartFile> part);
  void resume();
  std::optional<int64_t> take_response(const HttpResponse& response);
  std::optional<int64_t> check();
  std::optional<int64_t> start_over();
  void forget();
  std::optional<int64_t> go_on_after(const Error& error);
  bool can_resume() const;
  void begin_body(int status, const Headers& headers);
  void take(std::string_view bytes);
  void verify(const Digest& digest) const;

  const Download want_;
  const std::unique_ptr<PartFile> part_;
  const std::string subject_;
  std::string validator_;
  uint64_t offset_ = 0, total_ = 0;  // of the request that is under way
  bool body_begun_ = false, wrong_part_ = false;
  bool stitched_ = false;      // bytes of several answers
  bool started_over_ = false;  // because those did not fit together
  bool complete_ = false, discarded_ = false;
  int rounds_ = 0, poor_rounds_ = 0;
  Digest digest_;
  std::atomic<uint64_t> done_bytes_{0};
};

}  // namespace dae
