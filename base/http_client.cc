#include "base/http_client.h"

#include <mutex>

#include "base/error.h"
#include "base/http_engine.h"

namespace dae {

namespace {

constexpr const char* kDefaultUserAgent = "dae/0.1.0";
// A proxy cannot reach this machine's own loopback, where mirrors and control planes of tests and single hosts listen.
constexpr const char* kNeverProxied = "localhost,127.0.0.0/8,::1";

TransferSettings settings_from(HttpClientOptions options) {
  TransferSettings settings;
  if (options.user_agent.empty()) options.user_agent = kDefaultUserAgent;
  settings.ca_file = options.ca_file;
  for (const char* name : {"SSL_CERT_FILE", "CURL_CA_BUNDLE"}) {
    if (settings.ca_file.empty()) settings.ca_file = env_var(name).value_or("");
  }
  std::string no_proxy = env_var("no_proxy").value_or(env_var("NO_PROXY").value_or(""));
  // libcurl knows "*" only when it stands alone.
  settings.no_proxy = no_proxy == "*" ? no_proxy : no_proxy.empty() ? kNeverProxied : no_proxy + "," + kNeverProxied;
  for (const char* name : {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"}) {
    if (!env_var(name).value_or("").empty()) settings.proxied = true;
  }
  settings.options = std::move(options);
  return settings;
}

class HttpClient final : public Transport {
 public:
  explicit HttpClient(HttpClientOptions options)
      : offline_(options.offline), settings_(settings_from(std::move(options))) {}

  HttpResponse send(HttpRequest request) override {
    if (!offline_ && engine().on_engine_thread()) {
      throw Error(ErrorKind::failed, "a request was sent from inside another one's callback", safe_url(request.url))
          .with_hint("this is a bug: use send_async, or send after the first has ended");
    }
    return submit(std::move(request)).get();
  }

  std::future<HttpResponse> send_async(HttpRequest request) override {
    try {
      return submit(std::move(request));
    } catch (...) {
      std::promise<HttpResponse> refused;
      refused.set_exception(std::current_exception());
      return refused.get_future();
    }
  }

 private:
  std::future<HttpResponse> submit(HttpRequest request) {
    if (offline_) {
      throw Error(ErrorKind::refused, "not fetched: working offline", safe_url(request.url))
          .with_hint("leave out `--offline`, or fetch it once while online");
    }
    return engine().submit(std::move(request));
  }

  // Started by the first request: a run that finds all it needs in the cache loads no libcurl and starts no thread.
  HttpEngine& engine() {
    std::call_once(started_, [&] { engine_ = std::make_unique<HttpEngine>(settings_); });
    return *engine_;
  }

  bool offline_;
  TransferSettings settings_;
  std::once_flag started_;
  std::unique_ptr<HttpEngine> engine_;
};

}  // namespace

std::unique_ptr<Transport> make_http_client(HttpClientOptions options) {
  return std::make_unique<HttpClient>(std::move(options));
}

}  // namespace dae
