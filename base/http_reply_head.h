#pragma once
// The header of an answer as text. Internal to the HTTP server.
#include <cstdint>
#include <optional>
#include <string>

#include "base/http.h"
#include "base/http_reply.h"

namespace dae {

bool has_no_body(int status);
// Fit for a status line: printable ASCII, at most 300 bytes.
std::string clean_reason(std::string_view text);
// Without those that the server itself answers for; with Content-Length when `length` is given and `status` may have
// one. Throws Error failed for a line break in a field.
void append_fields(std::string* text, int status, const Headers& headers, std::optional<uint64_t> length);
// Status line, Server, Date; then `fields`; then what concerns the connection, and the empty line.
void write_head(Reply* reply, const ReplyContext& context, std::string_view fields);

}  // namespace dae
