#pragma once
// A handler's ServerResponse as the bytes that go out: status line and header, then memory, a slice of a file, or a
// stream. Internal to the HTTP server.
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/fs.h"
#include "base/http_server.h"

namespace dae {

// Bytes that any number of replies send from at once.
struct SharedBytes {
  std::string memory;  // all of them, or none
  Fd file;
  uint64_t size_bytes = 0;
  int64_t mtime_ns = 0;
};

struct Reply {
  int status = 0;
  std::string reason;  // "": that of the status
  std::string head;    // through the empty line
  std::string body;
  std::shared_ptr<const SharedBytes> shared;  // keeps what the two below point to
  std::string_view shared_body;               // instead of `body`
  int file = -1;                              // when valid: sent after `body`
  uint64_t file_offset = 0, file_left = 0;
  std::shared_ptr<GrowingFile> growing;  // `file` is its: sent only as far as it may be read
  std::function<void(const std::function<bool(std::string_view)>&)> stream;
  bool chunked = false;
  bool event_stream = false;  // without an end of its own: a drain cuts it at once
  bool keep_alive = false;

  std::string_view memory() const { return shared_body.empty() ? std::string_view(body) : shared_body; }
  void clear();  // keeps the memory of `head`
};

struct ReplyContext {
  std::string_view server_name;
  int http_minor = 1;  // 0 or 1
  bool keep_alive = true;
};

class KnownAnswer {
 public:
  std::string path;         // decoded, for who reports requests
  std::string fields;       // of the plain 200, with Content-Length
  ServerResponse response;  // without body: for ranges and conditions
  bool is_file = false;
  std::shared_ptr<const SharedBytes> bytes;
};

// Does conditions and ranges, opens the file. Never throws: what goes wrong becomes a 500.
Reply make_reply(const ServerRequest& request, ServerResponse response, const ReplyContext& context);
// The same of an answer that is known. Clears `reply` first.
void write_known_reply(const ServerRequest& request, const KnownAnswer& answer, const ReplyContext& context,
                       Reply* reply);

// An Error as a problem document; the status follows from its kind.
ServerResponse problem_of(const Error& error);

}  // namespace dae
