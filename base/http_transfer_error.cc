#include "base/http_transfer_error.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <cerrno>
#include <cstring>

#include "base/clock.h"
#include "base/strings.h"

namespace dae {

bool is_broken_connection(int code) {
  switch (code) {
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_WEIRD_SERVER_REPLY:
      return true;
    default:
      return false;
  }
}

bool is_unreachable(const TransferFailure& failure) {
  return failure.code == CURLE_COULDNT_CONNECT || failure.code == CURLE_COULDNT_RESOLVE_HOST ||
         failure.code == CURLE_COULDNT_RESOLVE_PROXY ||
         (failure.code == CURLE_OPERATION_TIMEDOUT && !failure.connected);
}

namespace {

std::string curl_words(const TransferFailure& failure) {
  std::string_view text = trim(failure.text);
  if (text.empty()) text = curl_easy_strerror(static_cast<CURLcode>(failure.code));
  return std::string(text);
}

Error unreachable(const TransferFailure& failure, const std::string& subject) {
  Error error(ErrorKind::network, "cannot connect", subject);
  if (failure.os_errno == ECONNREFUSED) {
    return error.because("connection refused").with_hint("is it running, and are host and port right?");
  }
  if (failure.os_errno == ENOENT || failure.os_errno == EACCES) {
    return error.because(lower(std::strerror(failure.os_errno)))
        .with_hint("is it running, and may you use its socket?");
  }
  return error.because(failure.os_errno != 0 ? lower(std::strerror(failure.os_errno)) : curl_words(failure))
      .with_hint("is it running, and does this machine reach its network?");
}

Error timed_out(const TransferFailure& failure, const std::string& subject) {
  std::string waited = format_duration(failure.waited_ms);
  if (!failure.connected) {
    return Error(ErrorKind::network, "cannot connect", subject)
        .because("no answer after " + waited)
        .with_hint("is the host up, and does a firewall or proxy stand between?");
  }
  return Error(ErrorKind::network, "the request timed out", subject)
      .because(fmt::format("not done after {}", waited))
      .with_hint("the other side is slow or stuck; look at its log, then try again");
}

}  // namespace

Error transfer_error(const TransferFailure& failure, const std::string& subject) {
  switch (failure.code) {
    case CURLE_COULDNT_CONNECT:
      return unreachable(failure, subject);
    case CURLE_OPERATION_TIMEDOUT:
      return timed_out(failure, subject);
    case CURLE_COULDNT_RESOLVE_HOST:
      return Error(ErrorKind::network, "cannot find the host", subject)
          .because(curl_words(failure))
          .with_hint("check the spelling of the host name and that this machine has a network");
    case CURLE_COULDNT_RESOLVE_PROXY:
      return Error(ErrorKind::network, "cannot find the proxy", subject)
          .because(curl_words(failure))
          .with_hint("check http_proxy, https_proxy and no_proxy in the environment");
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
      return Error(ErrorKind::network, "cannot trust the certificate", subject)
          .because(curl_words(failure))
          .with_hint("if a private authority or a proxy signed it, name its certificate file in SSL_CERT_FILE");
    case CURLE_SSL_CONNECT_ERROR:
      return Error(ErrorKind::network, "cannot agree on TLS", subject)
          .because(curl_words(failure))
          .with_hint("does the other side speak https on that port?");
    case CURLE_TOO_MANY_REDIRECTS:
      return Error(ErrorKind::network, "too many redirects", subject)
          .because(curl_words(failure))
          .with_hint("the address redirects in a circle");
    case CURLE_UNSUPPORTED_PROTOCOL:
      return Error(ErrorKind::network, "refused to follow a redirect", subject)
          .because(curl_words(failure))
          .with_hint("only http and https are followed, and never from https to http");
    case CURLE_BAD_CONTENT_ENCODING:
      return Error(ErrorKind::network, "cannot decode the answer", subject).because(curl_words(failure));
    default:
      return Error(ErrorKind::network, "the connection broke", subject)
          .because(curl_words(failure))
          .with_hint("try again; if it stays, look at the log of the other side");
  }
}

}  // namespace dae
