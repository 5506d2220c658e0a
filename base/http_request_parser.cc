#include "base/http_request_parser.h"

#include <algorithm>
#include <boost/beast/http/basic_parser.hpp>
#include <utility>

#include "base/strings.h"

namespace dae {

namespace http = boost::beast::http;
using boost::beast::error_code;
using boost::beast::string_view;

namespace {

std::string_view plain(string_view text) {
  return {text.data(), text.size()};
}

size_t count_fields(const Headers& headers, std::string_view name) {
  const auto& fields = headers.fields();
  return static_cast<size_t>(
      std::count_if(fields.begin(), fields.end(), [&](const auto& field) { return iequals(field.first, name); }));
}

class BeastParser final : public http::basic_parser<true> {
 public:
  explicit BeastParser(ServerRequest& into) : request(into) {
    header_limit(kMaxRequestHeaderBytes);
    // Counted by the connection, whose limit is the route's. Not `boost::none`: Boost 1.74 compares a Content-Length
    // with it as if it were the smallest number.
    body_limit(UINT64_MAX);
    eager(false);
  }

  ServerRequest& request;
  std::function<bool(std::string_view)> sink;
  int http_version = 11;
  int error_status = 0;
  std::string error_reason;

 private:
  void on_request_impl(http::verb, string_view method, string_view target, int version, error_code&) override {
    request.method = plain(method);
    request.target = plain(target);
    http_version = version;
  }
  void on_response_impl(int, string_view, int, error_code&) override {}
  void on_field_impl(http::field, string_view name, string_view value, error_code& ec) override {
    if (header_complete_) return;  // a trailer must not change what was decided from the header
    if (plain(value).find('\0') != std::string_view::npos) return refuse(400, "NUL in a header field", ec);
    request.headers.add(std::string(plain(name)), std::string(plain(value)));
  }
  void on_header_impl(error_code& ec) override {
    header_complete_ = true;
    const Headers& headers = request.headers;
    size_t hosts = count_fields(headers, "Host");
    if (hosts > 1 || (hosts == 0 && http_version == 11)) return refuse(400, "exactly one Host field is needed", ec);
    size_t encodings = count_fields(headers, "Transfer-Encoding"), lengths = count_fields(headers, "Content-Length");
    // RFC 9112 section 6.1 and 6.3: each of these has let a proxy and a server see different requests.
    if (encodings + lengths > 1) return refuse(400, "the length of the body is given more than once", ec);
    if (encodings == 1) {
      if (http_version == 10) return refuse(400, "Transfer-Encoding in an HTTP/1.0 request", ec);
      if (!iequals(headers.get("Transfer-Encoding"), "chunked")) {
        return refuse(501, "only the chunked transfer coding is known", ec);
      }
    }
    std::string_view length = headers.get("Content-Length");
    if (lengths == 1 && (length.empty() || length.find_first_not_of("0123456789") != std::string_view::npos)) {
      refuse(400, "Content-Length is not a number", ec);
    }
  }
  void on_body_init_impl(boost::optional<std::uint64_t> const&, error_code&) override {}
  std::size_t on_body_impl(string_view body, error_code& ec) override { return take(body, ec); }
  void on_chunk_header_impl(std::uint64_t, string_view, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, string_view body, error_code& ec) override { return take(body, ec); }
  void on_finish_impl(error_code&) override {}

  size_t take(string_view body, error_code& ec) {
    if (sink && !sink(plain(body))) refuse(error_status != 0 ? error_status : 400, "the body was refused", ec);
    return body.size();
  }
  void refuse(int status, const char* reason, error_code& ec) {
    error_status = status;
    error_reason = reason;
    ec = http::error::bad_value;
  }

  bool header_complete_ = false;
};

}  // namespace

struct RequestParser::Impl {
  ServerRequest request;
  std::optional<BeastParser> parser{std::in_place, request};
  bool header_reported = false;
};

RequestParser::RequestParser() : impl_(std::make_unique<Impl>()) {}
RequestParser::~RequestParser() = default;
void RequestParser::reset() {
  // What was allocated for one request serves the next.
  ServerRequest& request = impl_->request;
  request.method.clear();
  request.target.clear();
  request.path.clear();
  request.query.clear();
  request.headers.clear();
  std::string().swap(request.body);
  request.body_file.clear();
  request.announced_bytes.reset();
  request.body_size_bytes = 0;
  request.captures.clear();
  request.cancelled = nullptr;
  impl_->parser.emplace(request);
  impl_->header_reported = false;
}

RequestParser::Progress RequestParser::feed(std::string_view bytes, size_t* consumed) {
  BeastParser& parser = *impl_->parser;
  *consumed = 0;
  while (true) {
    if (parser.is_header_done() && !impl_->header_reported) {
      impl_->header_reported = true;
      return Progress::header_done;
    }
    if (parser.is_done()) return Progress::message_done;
    error_code ec;
    std::string_view rest = bytes.substr(*consumed);
    size_t used = parser.put(boost::asio::const_buffer(rest.data(), rest.size()), ec);
    *consumed += used;
    if (ec == http::error::need_more || (!ec && used == 0)) {
      // Chunk extensions and trailers have no limit of their own in Beast.
      if (bytes.size() - *consumed <= kMaxRequestHeaderBytes) return Progress::need_more;
      ec = http::error::header_limit;
    }
    if (ec) {
      if (parser.error_status == 0) {
        parser.error_status = ec == http::error::header_limit ? 431 : 400;
        parser.error_reason = ec == http::error::header_limit ? "the header is too large" : ec.message();
      }
      return Progress::failed;
    }
  }
}

void RequestParser::on_body(std::function<bool(std::string_view)> sink) {
  impl_->parser->sink = std::move(sink);
}
void RequestParser::fail_with(int status) {
  impl_->parser->error_status = status;
}
ServerRequest& RequestParser::request() {
  return impl_->request;
}
int RequestParser::error_status() const {
  return impl_->parser->error_status;
}
const std::string& RequestParser::error_reason() const {
  return impl_->parser->error_reason;
}
int RequestParser::http_minor() const {
  return impl_->parser->http_version % 10;
}
bool RequestParser::keep_alive() const {
  return impl_->parser->keep_alive();
}
bool RequestParser::has_body() const {
  return !impl_->parser->is_done();
}
std::optional<uint64_t> RequestParser::content_length() const {
  auto length = impl_->parser->content_length();
  return length ? std::optional<uint64_t>(*length) : std::nullopt;
}
bool RequestParser::expects_continue() const {
  return http_minor() == 1 && iequals(impl_->request.headers.get("Expect"), "100-continue");
}

}  // namespace dae
