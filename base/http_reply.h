#pragma once
// A handler's ServerResponse as the bytes that go out: status line and header, then memory, a slice of a file, or a
// stream. Internal to the HTTP server.
#include <cstdint>
#include <functional>
#include <string>

#include "base/error.h"
#include "base/fs.h"
#include "base/http_server.h"

namespace dae {

struct Reply {
  int status = 0;
  std::string head;  // through the empty line
  std::string body;
  Fd file;  // when valid: sent instead of `body`
  uint64_t file_offset = 0, file_left = 0;
  std::function<void(const std::function<bool(std::string_view)>&)> stream;
  bool chunked = false;
  bool event_stream = false;  // without an end of its own: a drain cuts it at once
  bool keep_alive = false;
};

struct ReplyContext {
  std::string_view server_name;
  int http_minor = 1;  // 0 or 1
  bool keep_alive = true;
};

// Does conditions and ranges, opens the file. Never throws: what goes wrong becomes a 500.
Reply make_reply(const ServerRequest& request, ServerResponse response, const ReplyContext& context);

// An Error as a problem document; the status follows from its kind.
ServerResponse problem_of(const Error& error);

}  // namespace dae
