#pragma once
// One line for each answer. Event loops only put it into memory; a thread of its own writes.
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>

#include "base/http_server.h"
#include "mirror/serving/config.h"

namespace dae::mirror {

// Without a line break inside, with one at its end. `now_ms` is wall time.
std::string access_line(ServingConfig::LogFormat format, const ServerRequest& request, int status, uint64_t bytes,
                        int64_t duration_ms, int64_t now_ms);

// Thread-safe. The file is opened for each write, several times a second at most: whoever renames it gets a new one.
// SIGHUP, which says that in other programs, is ignored by the process from the first log on.
class AccessLog {
 public:
  explicit AccessLog(const ServingConfig& config);
  ~AccessLog();  // writes what is there
  void add(const ServerRequest& request, int status, uint64_t bytes, int64_t duration_ms);

 private:
  void run();
  void write(const std::string& lines);

  const Path file_;
  const ServingConfig::LogFormat format_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::string waiting_;
  uint64_t lost_lines_ = 0;  // the disk takes them too slowly
  bool stopping_ = false, failed_ = false;
  std::thread thread_;
};

}  // namespace dae::mirror
