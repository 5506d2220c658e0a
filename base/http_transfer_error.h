#pragma once
// libcurl's result codes as Errors with a cause and a hint that a person can use. Internal to the HTTP client.
#include <string>
#include <string_view>

#include "base/error.h"

namespace dae {

struct TransferFailure {
  int code = 0;           // CURLcode
  std::string_view text;  // libcurl's own words, may be empty
  int os_errno = 0;
  bool connected = false;  // the connection stood when it failed
  int64_t waited_ms = 0;
};

Error transfer_error(const TransferFailure& failure, const std::string& subject);
// The answer did not come, but might the next time.
bool is_broken_connection(int code);
// Nobody was there at all (refused, unknown host): asking many times only makes the user wait for the message.
bool is_unreachable(const TransferFailure& failure);

}  // namespace dae
