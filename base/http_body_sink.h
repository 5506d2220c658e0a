#pragma once
// Where the body of a request goes while it arrives: memory, or a file of its own. Internal to the HTTP server.
#include <atomic>
#include <memory>
#include <string_view>

#include "base/http_server.h"
#include "base/worker_pool.h"

namespace dae {

class BodySink {
 public:
  // Throws Error io when the file cannot be made. `pool` gets what may wait for the disk.
  BodySink(const Route& route, const Path& spool_dir, ServerRequest* request, WorkerPool& pool);
  ~BodySink();  // removes the file
  BodySink(const BodySink&) = delete;
  BodySink& operator=(const BodySink&) = delete;

  // 0, or the status to answer: 413 over the limit, 507 when the disk does not take it.
  int take(std::string_view piece);

 private:
  struct File {
    Fd fd;
    std::atomic<bool> is_written_back = false;
  };
  bool store(std::string_view piece);
  void write_back();

  uint64_t limit_bytes_;
  ServerRequest* request_;
  WorkerPool& pool_;
  std::shared_ptr<File> file_;  // null: to memory
  uint64_t handed_over_bytes_ = 0;
  Sha256 hash_;  // on the way past: a large file read again for it costs as much as receiving it
};

}  // namespace dae
