#pragma once
// The thread that drives all transfers of one client through a libcurl multi handle. Internal to the HTTP client.
#include <deque>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/http_transfer.h"

typedef void CURLM;

namespace dae {

class HttpEngine {
 public:
  explicit HttpEngine(TransferSettings settings);
  ~HttpEngine();  // transfers that are not done fail with Error interrupted

  // Any thread. Throws Error bad_input for an unusable request.
  std::future<HttpResponse> submit(HttpRequest request);
  bool on_engine_thread() const { return std::this_thread::get_id() == thread_.get_id(); }

 private:
  using TransferPtr = std::unique_ptr<Transfer>;
  void run();
  bool take_submitted();  // false: stop
  void start(TransferPtr transfer);
  void start_due();
  bool finish_done();  // true: something ended
  bool any_unconnected() const;
  int poll_timeout_ms() const;
  CURL* take_easy();
  void give_up_all();

  TransferSettings settings_;
  CURLM* multi_;
  std::map<CURL*, TransferPtr> running_;
  std::multimap<int64_t, TransferPtr> waiting_;  // by due time, monotonic milliseconds
  std::vector<CURL*> idle_handles_;

  std::mutex mutex_;  // guards the two below
  std::deque<TransferPtr> submitted_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace dae
