#include "base/http_transfer.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <random>

#include "base/clock.h"
#include "base/http_retry.h"
#include "base/http_signing.h"
#include "base/http_transfer_error.h"
#include "base/inward_address.h"
#include "base/log.h"
#include "base/strings.h"

namespace dae {

namespace {

constexpr uint64_t kMaxHeaderBytes = 256 << 10;
// Of an error answer to a request with `on_body`: enough for any problem document.
constexpr uint64_t kMaxErrorBodyBytes = 1 << 20;
constexpr long kMaxRedirects = 10;
// Each transfer under way has one. With 256 KiB libcurl takes 0.04 s less CPU for a GiB; its SHA-256 takes 0.6.
constexpr long kBufferBytes = 64 << 10;

size_t write_callback(char* bytes, size_t, size_t size, void* transfer) {
  return static_cast<Transfer*>(transfer)->receive({bytes, size}) ? size : CURL_WRITEFUNC_ERROR;
}
size_t header_callback(char* bytes, size_t, size_t size, void* transfer) {
  return static_cast<Transfer*>(transfer)->header_line({bytes, size}) ? size : CURL_WRITEFUNC_ERROR;
}
size_t read_callback(char* into, size_t, size_t room, void* transfer) {
  return static_cast<Transfer*>(transfer)->read_body(into, room);
}
int seek_callback(void* transfer, curl_off_t offset, int origin) {
  bool ok = origin == SEEK_SET && static_cast<Transfer*>(transfer)->seek_body(offset);
  return ok ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_CANTSEEK;
}
// libcurl's own sockets would stay open in every program that this one starts.
curl_socket_t open_socket_callback(void* transfer, curlsocktype, curl_sockaddr* address) {
  if (!static_cast<Transfer*>(transfer)->may_connect(address->addr)) return CURL_SOCKET_BAD;
  return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

void check_fields(const Headers& headers, const std::string& subject) {
  static constexpr std::string_view kBreaks("\r\n\0", 3);
  for (const auto& [name, value] : headers.fields()) {
    if (name.empty() || name.find_first_of(": \t") != std::string::npos ||
        (name + value).find_first_of(kBreaks) != std::string::npos) {
      throw Error(ErrorKind::bad_input, fmt::format("header field `{}` cannot be sent", html_escape(name)), subject)
          .because("a line break, or a character that no field name has");
    }
  }
}

double random_jitter() {
  static thread_local std::minstd_rand engine{std::random_device{}()};
  return std::uniform_real_distribution<double>(-1.0, 1.0)(engine);
}

bool is_secret_key(std::string_view key) {
  std::string name = lower(key);
  static constexpr std::string_view kWords[] = {"token", "secret", "password", "signature", "credential", "key"};
  return std::any_of(std::begin(kWords), std::end(kWords),
                     [&](std::string_view word) { return name.find(word) != std::string::npos; });
}

int64_t now_ms() {
  return SystemClock().monotonic_ms();
}

}  // namespace

std::string safe_url(std::string_view url) {
  std::string text = redact_url(url.substr(0, url.find('#')));
  size_t mark = text.find('?');
  if (mark == std::string::npos) return text;
  std::vector<std::string> pairs = split(std::string_view(text).substr(mark + 1), '&');
  for (std::string& pair : pairs) {
    size_t equals = pair.find('=');
    if (equals != std::string::npos && is_secret_key(pair.substr(0, equals))) pair = pair.substr(0, equals) + "=***";
  }
  return text.substr(0, mark + 1) + join(pairs, "&");
}

Transfer::Transfer(HttpRequest request, const TransferSettings& settings)
    : request_(std::move(request)), settings_(settings), subject_(safe_url(request_.url)) {
  https_ = parse_url(request_.url).scheme == "https";
  if (request_.signing) make_signable(request_, subject_);
  if (request_.send_once) request_.retries = 0;
  if (!request_.bearer_token.empty()) request_.headers.set("Authorization", "Bearer " + request_.bearer_token);
  check_fields(request_.headers, subject_);
  started_ms_ = now_ms();
  if (request_.timeout_ms > 0) deadline_ms_ = started_ms_ + request_.timeout_ms;
}

Transfer::~Transfer() {
  curl_slist_free_all(header_list_);
}

void Transfer::reset_attempt() {
  if (delivered_bytes_ > 0 && request_.on_restart) request_.on_restart();
  response_ = {};
  current_url_ = request_.url;
  refused_ = nullptr;
  retry_pause_ms_.reset();
  answer_begun_ = false;
  header_bytes_ = received_bytes_ = delivered_bytes_ = body_offset_ = 0;
  curl_error_[0] = '\0';
  curl_slist_free_all(std::exchange(header_list_, nullptr));
  if (!request_.body_file.empty() && !body_fd_.valid()) {
    body_fd_.reset(open(request_.body_file.c_str(), O_RDONLY | O_CLOEXEC));
    if (!body_fd_.valid()) throw os_error("cannot open the file to send", request_.body_file, errno);
  }
}

bool Transfer::prepare(CURL* easy) {
  try {
    reset_attempt();
    curl_easy_reset(easy);
    curl_easy_setopt(easy, CURLOPT_URL, request_.url.c_str());
    curl_easy_setopt(easy, CURLOPT_PRIVATE, this);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, curl_error_.data());
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, write_callback);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, this);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, header_callback);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, this);
    set_connection(easy);
    set_limits(easy);
    set_method(easy);
    set_headers(easy);
    if (request_.signing) set_signing(easy, *request_.signing);
    return true;
  } catch (...) {
    fail(std::current_exception());
    return false;
  }
}

void Transfer::set_connection(CURL* easy) {
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket_callback);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, this);
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, https_ ? "https" : "http,https");
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, request_.follow_redirects ? 1L : 0L);
  curl_easy_setopt(easy, CURLOPT_MAXREDIRS, kMaxRedirects);
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
  // Waiting for a running handshake makes one HTTP/2 connection out of many; plain HTTP cannot share and must not wait.
  curl_easy_setopt(easy, CURLOPT_PIPEWAIT, https_ ? 1L : 0L);
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, request_.send_once ? 1L : 0L);
  curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, kBufferBytes);
  curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  curl_easy_setopt(easy, CURLOPT_NOPROXY, settings_.no_proxy.c_str());
  if (!settings_.ca_file.empty()) {
    curl_easy_setopt(easy, CURLOPT_CAINFO, settings_.ca_file.c_str());
    curl_easy_setopt(easy, CURLOPT_PROXY_CAINFO, settings_.ca_file.c_str());
  }
  if (!request_.unix_socket.empty()) {
    curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, request_.unix_socket.c_str());
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
  } else if (!request_.headers.has("Authorization") && !request_.signing) {
    curl_easy_setopt(easy, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_OPTIONAL));
  }
}

void Transfer::set_limits(CURL* easy) {
  const HttpClientOptions& options = settings_.options;
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options.connect_timeout_ms));
  if (deadline_ms_ != 0) {
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(std::max<int64_t>(1, deadline_ms_ - now_ms())));
  } else {
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, static_cast<long>((options.idle_timeout_ms + 999) / 1000));
  }
}

void Transfer::set_method(CURL* easy) {
  const std::string& method = request_.method;
  bool has_body =
      !request_.body.empty() || body_fd_.valid() || method == "POST" || method == "PUT" || method == "PATCH";
  if (method == "HEAD") {
    curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  } else if (!has_body) {
    curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    if (method != "GET") curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method.c_str());
  } else {
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    if (method != "POST") {
      curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method.c_str());
      // libcurl would keep the method's name on 301 and 302 and lose the body.
      curl_easy_setopt(easy, CURLOPT_POSTREDIR, static_cast<long>(CURL_REDIR_POST_301 | CURL_REDIR_POST_302));
    }
    if (body_fd_.valid()) {
      struct stat info {};
      if (fstat(body_fd_.get(), &info) != 0) throw os_error("cannot read", request_.body_file, errno);
      curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(info.st_size));
      curl_easy_setopt(easy, CURLOPT_READFUNCTION, read_callback);
      curl_easy_setopt(easy, CURLOPT_READDATA, this);
      curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, seek_callback);
      curl_easy_setopt(easy, CURLOPT_SEEKDATA, this);
    } else {
      curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
      curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request_.body.data());
    }
  }
}

void Transfer::set_headers(CURL* easy) {
  auto append = [this](const std::string& line) {
    if (curl_slist* list = curl_slist_append(header_list_, line.c_str())) header_list_ = list;
  };
  for (const auto& [name, value] : request_.headers.fields()) {
    append(value.empty() ? name + ";" : name + ": " + value);  // libcurl's form for a field without value
  }
  // libcurl would name a form type for bodies that are none. (And it would sign the field that this leaves out.)
  if (!request_.signing && !request_.headers.has("Content-Type")) append("Content-Type:");
  decoding_ = false;
  if (request_.signing) {
    // Not in our list, which is signed: gateways on the way write this field anew.
    curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "identity");
  } else if (!request_.headers.has("Accept-Encoding")) {
    // A range, and a HEAD's Content-Length, are about the bytes as they are stored.
    decoding_ = !request_.headers.has("Range") && request_.method != "HEAD";
    if (decoding_) {
      curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip, deflate");
    } else {
      append("Accept-Encoding: identity");
    }
  }
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, header_list_);
  curl_easy_setopt(easy, CURLOPT_USERAGENT, settings_.options.user_agent.c_str());
}

bool Transfer::header_line(std::string_view line) noexcept {
  try {
    parse_header_line(line);
    return true;
  } catch (...) {
    error_ = std::current_exception();
    return false;
  }
}

void Transfer::parse_header_line(std::string_view line) {
  if (answer_begun_) return;  // trailers
  header_bytes_ += line.size();
  if (header_bytes_ > kMaxHeaderBytes) {
    throw Error(ErrorKind::bad_input, "the answer's header is too large", subject_)
        .because(fmt::format("more than {}", format_bytes(kMaxHeaderBytes)));
  }
  if (line.starts_with("HTTP/")) {  // a 1xx answer or a redirect came before: only the last header counts
    response_.headers = {};
    size_t space = line.find(' ');
    auto status = space == std::string_view::npos ? std::nullopt : parse_int(line.substr(space + 1, 3));
    response_.status = static_cast<int>(status.value_or(0));
    return;
  }
  size_t colon = line.find(':');
  if (colon == std::string_view::npos) return;
  response_.headers.add(std::string(line.substr(0, colon)), std::string(trim(line.substr(colon + 1))));
  const bool redirect = response_.status >= 300 && response_.status < 400 && request_.follow_redirects;
  if (redirect && iequals(line.substr(0, colon), "Location")) follow(trim(line.substr(colon + 1)));
}

bool Transfer::is_inward_host_allowed() const {
  return !request_.reach.outward_only || iequals(parse_url(current_url_).host, request_.reach.inward_host);
}

Error Transfer::out_of_reach() const {
  return Error(ErrorKind::refused, "an address inside this network is not asked for somebody else's sake", subject_)
      .because("the request leads to " + safe_url(current_url_));
}

// Before a connection that is open already could be used for it.
void Transfer::follow(std::string_view location) {
  if (!request_.reach.outward_only) return;
  current_url_ = resolve_url(current_url_, location);
  if (!is_inward_host_allowed() && is_inward_host(parse_url(current_url_).host)) throw out_of_reach();
}

bool Transfer::may_connect(const sockaddr& address) noexcept {
  try {
    const bool harmless = !request_.reach.outward_only || settings_.proxied || !is_inward_address(address);
    if (harmless || is_inward_host_allowed()) return true;
    throw out_of_reach();
  } catch (...) {
    refused_ = std::current_exception();
    return false;
  }
}

bool Transfer::attempts_left(int limit) const {
  return attempt_ < std::min(limit, request_.retries) && is_idempotent(request_.method);
}

std::optional<int64_t> Transfer::pause(int64_t at_least_ms) const {
  int64_t pause_ms = std::max(at_least_ms, backoff_ms(attempt_, settings_.options.retry_base_ms, random_jitter()));
  if (deadline_ms_ != 0 && now_ms() + pause_ms >= deadline_ms_) return std::nullopt;
  return pause_ms;
}

// The header is complete: is this the answer, or one to forget and ask again?
void Transfer::begin_answer() {
  answer_begun_ = true;
  if (is_retryable_status(response_.status) && attempts_left(request_.retries)) {
    int64_t asked_ms = retry_after_ms(response_.headers.get("Retry-After"), SystemClock().wall_ms());
    if (asked_ms <= kMaxRetryAfterMs) retry_pause_ms_ = pause(asked_ms);
  }
  if (!retry_pause_ms_ && request_.on_headers) request_.on_headers(response_.status, response_.headers);
}

bool Transfer::receive(std::string_view piece) noexcept {
  try {
    if (!answer_begun_) begin_answer();
    if (!retry_pause_ms_) take_piece(piece);
    return true;
  } catch (...) {
    error_ = std::current_exception();
    return false;
  }
}

void Transfer::take_piece(std::string_view piece) {
  auto announced = parse_int(response_.headers.get("Content-Length"));
  received_bytes_ += piece.size();
  bool announced_too_large =
      announced && *announced > 0 && static_cast<uint64_t>(*announced) > request_.body_limit_bytes;
  if (received_bytes_ > request_.body_limit_bytes || (announced_too_large && response_.ok())) {
    throw Error(ErrorKind::bad_input, "the answer is too large", subject_)
        .because(fmt::format("more than {}", format_bytes(request_.body_limit_bytes)));
  }
  if (!request_.on_body) {
    response_.body.append(piece);
  } else if (response_.ok()) {
    delivered_bytes_ += piece.size();
    request_.on_body(piece);
  } else if (response_.body.size() < kMaxErrorBodyBytes) {
    response_.body.append(piece.substr(0, kMaxErrorBodyBytes - response_.body.size()));
  }
}

size_t Transfer::read_body(char* into, size_t room) noexcept {
  ssize_t got = 0;
  do {
    got = pread(body_fd_.get(), into, room, static_cast<off_t>(body_offset_));
  } while (got < 0 && errno == EINTR);
  if (got < 0) {
    error_ = std::make_exception_ptr(os_error("cannot read the file to send", request_.body_file, errno));
    return CURL_READFUNC_ABORT;
  }
  body_offset_ += static_cast<uint64_t>(got);
  return static_cast<size_t>(got);
}

bool Transfer::seek_body(int64_t offset) noexcept {
  body_offset_ = static_cast<uint64_t>(offset);
  return offset >= 0;
}

void Transfer::succeed(CURL* easy) {
  const char* url = nullptr;
  curl_easy_getinfo(easy, CURLINFO_EFFECTIVE_URL, &url);
  response_.effective_url = url != nullptr ? url : request_.url;
  response_.duration_ms = now_ms() - started_ms_;
  if (decoding_ && response_.headers.has("Content-Encoding")) {
    // The caller sees the decoded body: what described the encoded one is no longer true.
    response_.headers.erase("Content-Encoding");
    response_.headers.erase("Content-Length");
  }
  promise_.set_value(std::move(response_));
  if (request_.on_done) request_.on_done();
}

void Transfer::fail(std::exception_ptr error) {
  promise_.set_exception(std::move(error));
  if (request_.on_done) request_.on_done();
}

std::optional<int64_t> Transfer::retry_after_failure(CURL* easy, int code) {
  TransferFailure failure{.code = code, .text = curl_error_.data(), .waited_ms = now_ms() - started_ms_};
  long os_errno = 0;
  curl_off_t connect_us = 0;
  curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &os_errno);
  curl_easy_getinfo(easy, CURLINFO_CONNECT_TIME_T, &connect_us);
  failure.os_errno = static_cast<int>(os_errno);
  failure.connected = connect_us > 0;
  // Bytes that were handed out cannot be taken back unless the caller knows how to begin again.
  bool can_begin_again = delivered_bytes_ == 0 || request_.on_restart;
  if (is_broken_connection(code) && can_begin_again && attempts_left(is_unreachable(failure) ? 1 : request_.retries)) {
    if (auto pause_ms = pause(0)) return pause_ms;
  }
  fail(std::make_exception_ptr(transfer_error(failure, subject_)));
  return std::nullopt;
}

std::optional<int64_t> Transfer::complete(CURL* easy, int code) {
  if (code == CURLE_OK && !answer_begun_) receive({});  // an answer without a body
  std::optional<int64_t> pause_ms;
  if (error_) {
    fail(error_);
  } else if (code != CURLE_OK && refused_) {
    fail(refused_);
  } else if (code != CURLE_OK) {
    pause_ms = retry_after_failure(easy, code);
  } else if (retry_pause_ms_) {
    pause_ms = retry_pause_ms_;
  } else {
    succeed(easy);
  }
  ++attempt_;
  return pause_ms;
}

}  // namespace dae
