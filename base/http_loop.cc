// asio adds fences to what its mutexes order already; GCC 12 warns that ThreadSanitizer does not model them.
#if defined(__SANITIZE_THREAD__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wtsan"
#endif

#include "base/http_loop.h"

#include <utility>  // asio of Boost 1.74 uses std::exchange without including it

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

namespace dae {

namespace asio = boost::asio;
using boost::system::error_code;

struct EventLoop::Impl {
  asio::io_context context{1};  // a single thread runs it
  asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
  asio::steady_timer timer{context};
  bool stopping = false;  // loop's thread only

  void tick(int64_t interval_ms, std::function<void()> task) {
    timer.expires_after(std::chrono::milliseconds(interval_ms));
    timer.async_wait([this, interval_ms, task = std::move(task)](error_code ec) {
      if (ec || stopping) return;
      task();
      tick(interval_ms, task);
    });
  }
};

EventLoop::EventLoop() : impl_(std::make_unique<Impl>()) {}
EventLoop::~EventLoop() = default;
void EventLoop::run() {
  impl_->context.run();
}
void EventLoop::stop() {
  impl_->context.stop();
}
void EventLoop::post(std::function<void()> task) {
  asio::post(impl_->context, std::move(task));
}
void EventLoop::every(int64_t interval_ms, std::function<void()> task) {
  impl_->tick(interval_ms, std::move(task));
}

struct EventLoop::Watch::Impl {
  asio::posix::stream_descriptor descriptor;

  void wait(asio::posix::descriptor_base::wait_type what, std::function<void()> then) {
    descriptor.async_wait(what, [then = std::move(then)](error_code ec) {
      if (!ec) then();
    });
  }
};

EventLoop::Watch::Watch(EventLoop& loop, Fd fd)
    : impl_(std::make_unique<Impl>(Impl{asio::posix::stream_descriptor(loop.impl_->context)})), fd_(fd.get()) {
  impl_->descriptor.assign(fd.get());
  fd.release();
}

EventLoop::Watch::~Watch() {
  close();
}

void EventLoop::Watch::wait_readable(std::function<void()> then) {
  impl_->wait(asio::posix::descriptor_base::wait_read, std::move(then));
}

void EventLoop::Watch::wait_writable(std::function<void()> then) {
  impl_->wait(asio::posix::descriptor_base::wait_write, std::move(then));
}

void EventLoop::Watch::close() {
  error_code ignored;
  impl_->descriptor.close(ignored);
  fd_ = -1;
}

}  // namespace dae
