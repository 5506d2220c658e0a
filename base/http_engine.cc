#include "base/http_engine.h"

#include <curl/curl.h>
#include <signal.h>

#include <algorithm>

#include "base/clock.h"
#include "base/error.h"

#if defined(__SANITIZE_THREAD__)
// The reference count of an exception that crosses threads in a future lives in libstdc++.so, which is not
// instrumented: ThreadSanitizer sees the last release free what another thread has read, and not the count that orders
// the two.
extern "C" const char* __tsan_default_suppressions();
extern "C" const char* __tsan_default_suppressions() {
  return "race:std::__exception_ptr::exception_ptr::_M_release\n";
}
#endif

namespace dae {

namespace {

constexpr size_t kMaxIdleHandles = 64;
constexpr int kLongestPollMs = 60'000;
constexpr int kUnconnectedPollMs = 50;

void init_curl_once() {
  static const CURLcode done = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (done != CURLE_OK) throw Error(ErrorKind::failed, "libcurl does not start").because(curl_easy_strerror(done));
}

}  // namespace

HttpEngine::HttpEngine(TransferSettings settings) : settings_(std::move(settings)) {
  init_curl_once();
  multi_ = curl_multi_init();
  DAE_CHECK(multi_ != nullptr);
  curl_multi_setopt(multi_, CURLMOPT_PIPELINING, static_cast<long>(CURLPIPE_MULTIPLEX));
  curl_multi_setopt(multi_, CURLMOPT_MAX_HOST_CONNECTIONS, static_cast<long>(settings_.options.max_per_host));
  curl_multi_setopt(multi_, CURLMOPT_MAX_TOTAL_CONNECTIONS, static_cast<long>(settings_.options.max_total));
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, static_cast<long>(settings_.options.max_total));
  // Signals belong to the program's other threads; a SIGPIPE of the TLS library must not end it.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

HttpEngine::~HttpEngine() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  curl_multi_wakeup(multi_);
  thread_.join();
  give_up_all();
  for (CURL* easy : idle_handles_) curl_easy_cleanup(easy);
  curl_multi_cleanup(multi_);
}

std::future<HttpResponse> HttpEngine::submit(HttpRequest request) {
  auto transfer = std::make_unique<Transfer>(std::move(request), settings_);
  std::future<HttpResponse> future = transfer->future();
  {
    std::lock_guard lock(mutex_);
    submitted_.push_back(std::move(transfer));
  }
  curl_multi_wakeup(multi_);
  return future;
}

void HttpEngine::run() {
  while (take_submitted()) {
    start_due();
    int active = 0;
    curl_multi_perform(multi_, &active);
    // The end of one transfer makes libcurl wake another that waits for a connection, but 7.88 may drop the timer that
    // says so: it has to be run again without waiting for an event.
    if (finish_done()) continue;
    curl_multi_poll(multi_, nullptr, 0, poll_timeout_ms(), nullptr);
  }
}

bool HttpEngine::take_submitted() {
  std::deque<TransferPtr> fresh;
  {
    std::lock_guard lock(mutex_);
    if (stopping_) return false;
    fresh.swap(submitted_);
  }
  for (TransferPtr& transfer : fresh) start(std::move(transfer));
  return true;
}

void HttpEngine::start(TransferPtr transfer) {
  CURL* easy = take_easy();
  if (transfer->prepare(easy)) {
    CURLMcode added = curl_multi_add_handle(multi_, easy);
    if (added == CURLM_OK) {
      running_.emplace(easy, std::move(transfer));
      return;
    }
    transfer->fail(std::make_exception_ptr(Error(ErrorKind::failed, "cannot start the transfer", transfer->subject())
                                               .because(curl_multi_strerror(added))));
  }
  idle_handles_.push_back(easy);
}

void HttpEngine::start_due() {
  int64_t now_ms = SystemClock().monotonic_ms();
  while (!waiting_.empty() && waiting_.begin()->first <= now_ms) {
    start(std::move(waiting_.extract(waiting_.begin()).mapped()));
  }
}

bool HttpEngine::finish_done() {
  int left = 0;
  bool any = false;
  while (CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    any = true;
    CURL* easy = message->easy_handle;
    CURLcode code = message->data.result;  // the message is gone once the handle is removed
    curl_multi_remove_handle(multi_, easy);
    TransferPtr transfer = std::move(running_.extract(easy).mapped());
    if (auto pause_ms = transfer->complete(easy, code)) {
      waiting_.emplace(SystemClock().monotonic_ms() + *pause_ms, std::move(transfer));
    }
    if (idle_handles_.size() < kMaxIdleHandles) {
      idle_handles_.push_back(easy);
    } else {
      curl_easy_cleanup(easy);
    }
  }
  return any;
}

// Some transfer has no connection yet; see run() for why it must not rely on libcurl's timers alone.
bool HttpEngine::any_unconnected() const {
  return std::any_of(running_.begin(), running_.end(), [](const auto& entry) {
    curl_off_t connected_us = 0;
    curl_easy_getinfo(entry.first, CURLINFO_PRETRANSFER_TIME_T, &connected_us);
    return connected_us == 0;
  });
}

int HttpEngine::poll_timeout_ms() const {
  int longest_ms = any_unconnected() ? kUnconnectedPollMs : kLongestPollMs;
  if (waiting_.empty()) return longest_ms;
  int64_t until_ms = waiting_.begin()->first - SystemClock().monotonic_ms();
  return static_cast<int>(std::clamp<int64_t>(until_ms, 0, longest_ms));
}

CURL* HttpEngine::take_easy() {
  if (idle_handles_.empty()) {
    CURL* easy = curl_easy_init();
    DAE_CHECK(easy != nullptr);
    return easy;
  }
  CURL* easy = idle_handles_.back();
  idle_handles_.pop_back();
  return easy;
}

void HttpEngine::give_up_all() {
  auto give_up = [](Transfer& transfer) {
    transfer.fail(
        std::make_exception_ptr(Error(ErrorKind::interrupted, "stopped before the answer came", transfer.subject())));
  };
  for (auto& [easy, transfer] : running_) {
    curl_multi_remove_handle(multi_, easy);
    curl_easy_cleanup(easy);
    give_up(*transfer);
  }
  for (auto& [due_ms, transfer] : waiting_) give_up(*transfer);
  for (TransferPtr& transfer : submitted_) give_up(*transfer);
}

}  // namespace dae
