#pragma once
// Where the body of a request goes while it arrives: memory, or a file of its own. Internal to the HTTP server.
#include <string_view>

#include "base/http_server.h"

namespace dae {

class BodySink {
 public:
  // Throws Error io when the file cannot be made.
  BodySink(const Route& route, const Path& spool_dir, ServerRequest* request);
  ~BodySink();  // removes the file
  BodySink(const BodySink&) = delete;
  BodySink& operator=(const BodySink&) = delete;

  // 0, or the status to answer: 413 over the limit, 507 when the disk does not take it.
  int take(std::string_view piece);

 private:
  uint64_t limit_bytes_;
  ServerRequest* request_;
  Fd fd_;
  Sha256 hash_;  // on the way past: a large file read again for it costs as much as receiving it
};

}  // namespace dae
