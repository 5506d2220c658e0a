#include "mirror/storage/etcd_client.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/clock.h"
#include "base/hash.h"
#include "base/strings.h"

namespace dae::mirror {
namespace {

constexpr uint64_t kMaxAnswer = 1 << 20;
constexpr size_t kLongestReason = 300;

// google.rpc.Code, as the gateway passes it on.
enum Code {
  kInvalidArgument = 3,
  kNotFound = 5,
  kPermissionDenied = 7,
  kFailedPrecondition = 9,
  kUnauthenticated = 16
};

struct Refusal {
  int64_t code = 0;
  std::string message;
};

std::string shown(std::string_view text) {
  std::string out = html_escape(text.substr(0, kLongestReason));
  std::replace_if(
      out.begin(), out.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, ' ');
  return out;
}

// {"error": "…", "message": "…", "code": 5}, or in a stream {"error": {"grpc_code": 5, "message": "…"}}.
Refusal refusal_in(const std::string& body) {
  Refusal out;
  try {
    const Value root = parse_json(body, "etcd").root;
    const Value* inner = root.find("error");
    const Value& error = inner != nullptr && inner->is_object() ? *inner : root;
    for (const char* key : {"code", "grpc_code"}) {
      if (const Value* code = error.find(key); code != nullptr && code->is_integer()) out.code = code->as_integer();
    }
    const Value* message = error.find("message");
    if (message != nullptr && message->is_string()) out.message = shown(message->as_string());
  } catch (const Error&) {
    // A proxy's page, or nothing.
  }
  return out;
}

}  // namespace

int64_t etcd_integer(const Value& object, std::string_view key) {
  const Value* value = object.find(key);
  if (value == nullptr || value->is_null()) return 0;
  if (value->is_integer()) return value->as_integer();
  const auto number = value->is_string() ? parse_int(value->as_string()) : std::nullopt;
  if (!number) throw Error(ErrorKind::network, "etcd's answer has no number where one must be", std::string(key));
  return *number;
}

EtcdClient::EtcdClient(EtcdPlace place, std::string user, Transport& transport)
    : place_(std::move(place)), user_(std::move(user)), transport_(transport) {}

Error EtcdClient::error(const std::string& path, ErrorKind kind, std::string why) const {
  Error out(kind, "etcd does not do what is asked (" + path + ")", subject());
  out.because(std::move(why));
  return out;
}

HttpRequest EtcdClient::request(const std::string& endpoint, const std::string& path, const Value& body,
                                int64_t timeout_ms) {
  HttpRequest out;
  out.method = "POST";
  out.url = endpoint + path;
  out.body = canonical_json(body);
  out.headers.set("Content-Type", "application/json");
  out.body_limit_bytes = kMaxAnswer;
  out.timeout_ms = timeout_ms;
  out.follow_redirects = false;
  std::lock_guard lock(mutex_);
  if (!token_.empty()) out.headers.set("Authorization", token_);
  return out;
}

void EtcdClient::log_in(const std::string& endpoint, int64_t timeout_ms) {
  constexpr const char* kPath = "/v3/auth/authenticate";
  const size_t colon = user_.find(':');
  {
    std::lock_guard lock(mutex_);
    token_.clear();
  }
  const Value body = Value::object({{"name", user_.substr(0, colon)}, {"password", user_.substr(colon + 1)}});
  const HttpResponse response = transport_.send(request(endpoint, kPath, body, timeout_ms));
  if (!response.ok()) {
    const Refusal refusal = refusal_in(response.body);
    // etcd wants no names: then it needs none.
    if (refusal.code == kFailedPrecondition) return;
    if (refusal.code != kInvalidArgument && response.status >= 500) {
      throw error(kPath, ErrorKind::network, fmt::format("{} {}", response.status, refusal.message));
    }
    throw error(kPath, ErrorKind::refused, refusal.message).with_hint("are ETCDCTL_USER's name and password right?");
  }
  const auto parsed = answer(kPath, response);
  std::lock_guard lock(mutex_);
  token_ = parsed ? parsed->get_string("token") : "";
}

bool EtcdClient::is_logged_out(const HttpResponse& response) const {
  if (user_.empty() || response.ok()) return false;
  const Refusal refusal = refusal_in(response.body);
  // The second: there was no token at all, and etcd answers as if that were a wrong name.
  return refusal.code == kUnauthenticated || response.status == 401 ||
         (refusal.code == kInvalidArgument && refusal.message.find("user name is empty") != std::string::npos);
}

std::optional<Value> EtcdClient::answer(const std::string& path, const HttpResponse& response) const {
  if (!response.ok()) {
    const Refusal refusal = refusal_in(response.body);
    if (refusal.code == kNotFound && !refusal.message.empty()) return std::nullopt;
    const bool denied = refusal.code == kPermissionDenied || refusal.code == kUnauthenticated ||
                        refusal.code == kInvalidArgument || response.status == 401 || response.status == 403;
    Error out = error(path, denied ? ErrorKind::refused : ErrorKind::network,
                      fmt::format("{} {}", response.status,
                                  refusal.message.empty() ? http_reason(response.status) : refusal.message));
    if (denied && refusal.code != kInvalidArgument)
      out.with_hint("set ETCDCTL_USER to a `name:password` that may write");
    if (denied && refusal.message.find("user name is empty") != std::string::npos) {
      out.with_hint("set ETCDCTL_USER=name:password");
    }
    throw out;
  }
  try {
    const Value root = parse_json(response.body, "etcd").root;
    if (!root.is_object()) throw Error(ErrorKind::network, "no object");
    if (const Value* failed = root.find("error")) {
      const Refusal refusal = refusal_in(response.body);
      if (failed->is_object() && refusal.code == kNotFound) return std::nullopt;
      throw Error(ErrorKind::network, refusal.message.empty() ? "an error" : refusal.message);
    }
    const Value* result = root.find("result");  // of a stream
    return result != nullptr ? *result : root;
  } catch (const Error& wrong) {
    throw error(path, ErrorKind::network, "its answer cannot be read: " + wrong.message());
  }
}

std::optional<Value> EtcdClient::call(const std::string& path, const Value& body, int64_t timeout_ms) {
  const int64_t deadline_ms = SystemClock().monotonic_ms() + timeout_ms;
  size_t first = 0;
  bool anonymous = false;
  {
    std::lock_guard lock(mutex_);
    first = preferred_;
    anonymous = token_.empty();
  }
  for (size_t tried = 0;; ++tried) {
    const size_t member = (first + tried) % place_.endpoints.size();
    const std::string& endpoint = place_.endpoints[member];
    const int64_t left_ms = std::max<int64_t>(1, deadline_ms - SystemClock().monotonic_ms());
    // Each of those that are left gets its share of the time.
    const int64_t share_ms = std::max<int64_t>(1, left_ms / static_cast<int64_t>(place_.endpoints.size() - tried));
    try {
      if (!user_.empty() && anonymous) log_in(endpoint, share_ms);
      HttpResponse response = transport_.send(request(endpoint, path, body, share_ms));
      if (is_logged_out(response)) {
        log_in(endpoint, share_ms);
        response = transport_.send(request(endpoint, path, body, share_ms));
      }
      auto out = answer(path, response);
      std::lock_guard lock(mutex_);
      preferred_ = member;
      return out;
    } catch (const Error& error) {
      const bool out_of_time = SystemClock().monotonic_ms() >= deadline_ms;
      if (error.kind() != ErrorKind::network || tried + 1 >= place_.endpoints.size() || out_of_time) throw;
    }
  }
}

void EtcdClient::wait_for_change(const std::string& key, int64_t after_revision, int64_t timeout_ms) {
  struct Changed {};
  std::string heard;
  const Value body =
      Value::object({{"create_request",
                      Value::object({{"key", base64(key)}, {"start_revision", std::to_string(after_revision + 1)}})}});
  size_t member = 0;
  {
    std::lock_guard lock(mutex_);
    member = preferred_;
  }
  HttpRequest watch = request(place_.endpoints[member], "/v3/watch", body, timeout_ms);
  watch.on_body = [&](std::string_view bytes) {
    heard += bytes;
    if (heard.size() > kMaxAnswer || heard.find("\"events\"") != std::string::npos) throw Changed();
  };
  const int64_t began_ms = SystemClock().monotonic_ms();
  bool changed = false;
  try {
    transport_.send(std::move(watch));
  } catch (const Changed&) {
    changed = true;
  } catch (const Error&) {
    // The time is over, or this member is; whoever asks next sees.
  }
  // An answer at once that is none must not make a busy loop.
  constexpr int64_t kShortestMs = 50;
  const int64_t took_ms = SystemClock().monotonic_ms() - began_ms;
  if (!changed && took_ms < kShortestMs) SystemClock().sleep_ms(std::min(timeout_ms, kShortestMs - took_ms));
}

}  // namespace dae::mirror
