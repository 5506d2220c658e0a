#include "base/http_loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <mutex>
#include <thread>

#include "base/clock.h"
#include "base/error.h"

namespace dae {

namespace {

constexpr size_t kEventsPerTurn = 256;

Fd checked(int fd, const char* what) {
  if (fd < 0) throw os_error(what, "", errno);
  return Fd(fd);
}

}  // namespace

struct EventLoop::Watch::Entry {
  std::function<void(Readiness)> tell;
  bool started = false, closed = false;
};

struct EventLoop::Impl {
  // Before `posted`, whose tasks may close a watch as they go.
  std::vector<std::unique_ptr<Watch::Entry>> closed;  // loop's thread; an event of this turn may still point to them
  Fd epoll = checked(epoll_create1(EPOLL_CLOEXEC), "cannot make an epoll instance");
  Fd wake = checked(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "cannot make an eventfd");
  std::mutex mutex;
  std::vector<std::function<void()>> posted;  // under the mutex
  std::atomic<bool> stopping{false};
  std::atomic<std::thread::id> thread{};

  // Loop's thread only.
  std::function<void()> tick;
  int64_t tick_ms = 0, next_tick_ms = 0, now_ms = SystemClock().monotonic_ms();

  void ring() {
    const uint64_t one = 1;
    (void)!write(wake.get(), &one, sizeof one);  // full: it rings already
  }

  // Whether there were any. Those that they post wait for the next turn, so that descriptors have theirs.
  void run_posted() {
    std::vector<std::function<void()>> tasks;
    {
      std::lock_guard lock(mutex);
      tasks.swap(posted);
    }
    for (auto& task : tasks) task();
  }

  int wait_ms() {
    {
      std::lock_guard lock(mutex);
      if (!posted.empty()) return 0;
    }
    if (!tick) return -1;
    return static_cast<int>(std::clamp<int64_t>(next_tick_ms - now_ms, 0, tick_ms));
  }

  void tell(const epoll_event& event) {
    auto* entry = static_cast<Watch::Entry*>(event.data.ptr);
    if (entry == nullptr) {
      uint64_t rings = 0;
      (void)!read(wake.get(), &rings, sizeof rings);
    } else if (!entry->closed) {
      const bool hung_up = (event.events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
      entry->tell({.readable = hung_up || (event.events & EPOLLIN) != 0,
                   .writable = (event.events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0,
                   .hung_up = hung_up});
    }
  }

  void turn() {
    std::array<epoll_event, kEventsPerTurn> events;
    const int count = epoll_wait(epoll.get(), events.data(), static_cast<int>(events.size()), wait_ms());
    now_ms = SystemClock().monotonic_ms();
    for (int i = 0; i < count; ++i) tell(events[static_cast<size_t>(i)]);
    closed.clear();
    run_posted();
    closed.clear();
    if (!tick || now_ms < next_tick_ms) return;
    next_tick_ms = now_ms + tick_ms;
    tick();
    closed.clear();
  }
};

EventLoop::EventLoop() : impl_(std::make_unique<Impl>()) {
  epoll_event event{};
  event.events = EPOLLIN;
  if (epoll_ctl(impl_->epoll.get(), EPOLL_CTL_ADD, impl_->wake.get(), &event) != 0) {
    throw os_error("cannot watch an eventfd", "", errno);
  }
}
EventLoop::~EventLoop() = default;

void EventLoop::run() {
  impl_->thread = std::this_thread::get_id();
  while (!impl_->stopping) impl_->turn();
}

void EventLoop::stop() {
  impl_->stopping = true;
  impl_->ring();
}

void EventLoop::post(std::function<void()> task) {
  bool first = false;
  {
    std::lock_guard lock(impl_->mutex);
    first = impl_->posted.empty();
    impl_->posted.push_back(std::move(task));
  }
  if (first && impl_->thread.load() != std::this_thread::get_id()) impl_->ring();
}

void EventLoop::every(int64_t interval_ms, std::function<void()> task) {
  impl_->tick = std::move(task);
  impl_->tick_ms = interval_ms;
  impl_->next_tick_ms = SystemClock().monotonic_ms() + interval_ms;
}

int64_t EventLoop::now_ms() const {
  return impl_->now_ms;
}

EventLoop::Watch::Watch(EventLoop& loop, Fd fd, std::function<void(Readiness)> tell)
    : loop_(loop), fd_(std::move(fd)), entry_(std::make_unique<Entry>(Entry{std::move(tell)})) {}

EventLoop::Watch::~Watch() {
  close();
}

void EventLoop::Watch::start() {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.ptr = entry_.get();
  if (epoll_ctl(loop_.impl_->epoll.get(), EPOLL_CTL_ADD, fd_.get(), &event) != 0) {
    throw os_error("cannot watch a descriptor", "", errno);
  }
  entry_->started = true;
}

void EventLoop::Watch::close() {
  if (!entry_) return;
  entry_->closed = true;
  fd_ = Fd();  // which takes it out of the epoll set too
  if (entry_->started) loop_.impl_->closed.push_back(std::move(entry_));
  entry_.reset();
}

}  // namespace dae
