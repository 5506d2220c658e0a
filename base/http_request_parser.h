#pragma once
// Bytes of a connection into a ServerRequest: Beast's HTTP/1.1 parser, made stricter where a lenient reading lets two
// programs disagree about where a request ends (request smuggling). Internal to the HTTP server; one thread.
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/http_server.h"

namespace dae {

inline constexpr uint32_t kMaxRequestHeaderBytes = 32 << 10;

class RequestParser {
 public:
  enum class Progress {
    need_more,    // feed the unconsumed bytes again, with more behind them
    header_done,  // `request()` is complete but for its body; call again for the body
    message_done,
    failed,  // `error_status()` says what to answer; the connection must end
  };

  RequestParser();
  ~RequestParser();

  void reset();  // for the next request of the connection
  // Consumes from the front of `bytes`; never past the end of the message.
  Progress feed(std::string_view bytes, size_t* consumed);
  // Called with each piece of the body; false fails the request with `error_status`.
  void on_body(std::function<bool(std::string_view)> sink);
  void fail_with(int status);

  ServerRequest& request();
  int error_status() const;
  const std::string& error_reason() const;
  // After header_done.
  int http_minor() const;
  bool keep_alive() const;
  bool has_body() const;
  std::optional<uint64_t> content_length() const;
  bool expects_continue() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dae
