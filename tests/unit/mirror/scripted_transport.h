#pragma once
// A transport whose other side is a function, for answers that no real server would give.
#include <functional>
#include <future>
#include <mutex>
#include <string>
#include <vector>

#include "base/http_client.h"

namespace dae::mirror::testing {

class ScriptedTransport final : public Transport {
 public:
  using Script = std::function<HttpResponse(const HttpRequest&)>;
  explicit ScriptedTransport(Script script) : script_(std::move(script)) {}

  HttpResponse send(HttpRequest request) override {
    {
      std::lock_guard lock(mutex_);
      requests_.push_back(request);
    }
    HttpResponse response = script_(request);
    if (request.on_headers) request.on_headers(response.status, response.headers);
    if (request.on_body && response.ok()) request.on_body(std::exchange(response.body, ""));
    return response;
  }
  std::future<HttpResponse> send_async(HttpRequest request) override {
    std::promise<HttpResponse> promise;
    try {
      promise.set_value(send(std::move(request)));
    } catch (...) {
      promise.set_exception(std::current_exception());
    }
    return promise.get_future();
  }
  std::vector<HttpRequest> requests() const {
    std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  Script script_;
  mutable std::mutex mutex_;
  std::vector<HttpRequest> requests_;
};

inline HttpResponse answer(int status, std::string body = "", Headers headers = {}) {
  HttpResponse out;
  out.status = status;
  out.body = std::move(body);
  out.headers = std::move(headers);
  return out;
}

}  // namespace dae::mirror::testing
