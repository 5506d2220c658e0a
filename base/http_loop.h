#pragma once
// One event loop: tasks posted from any thread, readiness of descriptors, a coarse tick. asio is behind it and nowhere
// else. Internal to the HTTP server.
#include <cstdint>
#include <functional>
#include <memory>

#include "base/fs.h"

namespace dae {

class EventLoop {
 public:
  EventLoop();
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  void run();                                                   // on the loop's thread, until stop()
  void stop();                                                  // any thread
  void post(std::function<void()> task);                        // any thread; runs on the loop's thread
  void every(int64_t interval_ms, std::function<void()> task);  // before run()

  // A descriptor of the loop. Loop's thread only, but for construction. After close() no callback is called any more.
  class Watch {
   public:
    Watch(EventLoop& loop, Fd fd);  // the descriptor must be non-blocking
    ~Watch();
    int fd() const { return fd_; }
    void wait_readable(std::function<void()> then);  // once
    void wait_writable(std::function<void()> then);  // once
    void close();

   private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
    int fd_;
  };

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dae
