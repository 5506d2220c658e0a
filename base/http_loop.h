#pragma once
// One event loop: tasks posted from any thread, readiness of descriptors, a coarse tick. Internal to the HTTP server.
// epoll(7) itself, edge-triggered: asio re-arms a descriptor by epoll_ctl for each wait, takes a lock for each handler
// and allocates both.
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/fs.h"

namespace dae {

// What happened to a descriptor since its owner was told last.
struct Readiness {
  bool readable = false;
  bool writable = false;
  bool hung_up = false;  // the other side will send no more: read until the end, not until less came than fitted
};

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
  int64_t now_ms() const;                                       // monotonic, as of this turn; loop's thread

  // A descriptor of the loop. Each edge is told once: the owner remembers it until a call said EAGAIN. After close()
  // nothing is told any more. Loop's thread only, but for construction.
  class Watch {
   public:
    Watch(EventLoop& loop, Fd fd, std::function<void(Readiness)> tell);  // the descriptor must be non-blocking
    ~Watch();
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;
    int fd() const { return fd_.get(); }
    void start();  // throws Error io
    void close();

   private:
    friend class EventLoop;
    struct Entry;
    EventLoop& loop_;
    Fd fd_;
    std::unique_ptr<Entry> entry_;
  };

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dae
