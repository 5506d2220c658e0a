#pragma once
// One request on its way through libcurl: the options of each attempt, the callbacks, and what came of it. Internal to
// the HTTP client; lives on the engine's thread from submit to fulfilment.
#include <array>
#include <exception>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/http_client.h"

typedef void CURL;
struct curl_slist;
struct sockaddr;

namespace dae {

// The options of the client with everything that comes from the environment filled in.
struct TransferSettings {
  HttpClientOptions options;
  std::string ca_file;
  std::string no_proxy;
  bool proxied = false;  // some requests go through a proxy
};

// For messages: no user-info, and no value of a query parameter that looks like a secret.
std::string safe_url(std::string_view url);

class Transfer {
 public:
  // Throws Error bad_input for an unusable URL or header field. Any thread.
  Transfer(HttpRequest request, const TransferSettings& settings);
  ~Transfer();
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  std::future<HttpResponse> future() { return promise_.get_future(); }
  // Sets up `easy` for the next attempt. False: it failed, and the promise holds why.
  bool prepare(CURL* easy);
  // After an attempt with libcurl's result. A value: try again after so many milliseconds. None: fulfilled.
  std::optional<int64_t> complete(CURL* easy, int code);
  void fail(std::exception_ptr error);
  const std::string& subject() const { return subject_; }

  // Called by libcurl's C callbacks; an exception becomes the result.
  bool header_line(std::string_view line) noexcept;
  bool receive(std::string_view piece) noexcept;
  size_t read_body(char* into, size_t room) noexcept;
  bool seek_body(int64_t offset) noexcept;
  bool may_connect(const sockaddr& address) noexcept;

 private:
  void reset_attempt();
  void set_connection(CURL* easy);
  void set_limits(CURL* easy);
  void set_method(CURL* easy);
  void set_headers(CURL* easy);
  void parse_header_line(std::string_view line);
  void follow(std::string_view location);
  bool is_inward_host_allowed() const;
  Error out_of_reach() const;
  void begin_answer();
  void take_piece(std::string_view piece);
  void succeed(CURL* easy);
  std::optional<int64_t> retry_after_failure(CURL* easy, int code);
  bool attempts_left(int limit) const;
  // The pause before the next attempt, or none when the deadline would pass in it.
  std::optional<int64_t> pause(int64_t at_least_ms) const;

  HttpRequest request_;
  const TransferSettings& settings_;
  std::string subject_;
  bool https_ = false, decoding_ = false;
  std::promise<HttpResponse> promise_;
  int64_t started_ms_ = 0, deadline_ms_ = 0;  // monotonic; deadline 0: none
  int attempt_ = 0;

  // Of the current attempt.
  HttpResponse response_;
  std::string current_url_;  // after redirects
  std::exception_ptr error_;
  std::exception_ptr refused_;             // a connection; another address of the host may do
  std::optional<int64_t> retry_pause_ms_;  // decided when the header is complete: this answer is thrown away
  bool answer_begun_ = false;
  uint64_t header_bytes_ = 0, received_bytes_ = 0, delivered_bytes_ = 0;
  uint64_t body_offset_ = 0;
  Fd body_fd_;
  curl_slist* header_list_ = nullptr;
  std::array<char, 256> curl_error_{};  // CURL_ERROR_SIZE
};

}  // namespace dae
