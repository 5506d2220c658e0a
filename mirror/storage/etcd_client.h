#pragma once
// Calls of etcd's JSON gateway: which member answers, who is asking, and what its errors mean.
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/http_client.h"
#include "base/value.h"
#include "mirror/storage/etcd_lease.h"

namespace dae::mirror {

// 64-bit numbers of the gateway are strings; 0, and what it leaves out, are the same.
int64_t etcd_integer(const Value& object, std::string_view key);

// Thread-safe.
class EtcdClient {
 public:
  // `user`: "name:password", or empty.
  EtcdClient(EtcdPlace place, std::string user, Transport& transport);

  // The answer's object, of the first member that gives one; nullopt: what was asked for is not there (a lease).
  // Throws Error network when none does, refused when etcd denies it.
  std::optional<Value> call(const std::string& path, const Value& body, int64_t timeout_ms);
  // Waits until the key changes after the revision, for at most so long. Returns also when it cannot be known.
  void wait_for_change(const std::string& key, int64_t after_revision, int64_t timeout_ms);

  const EtcdPlace& place() const { return place_; }
  std::string subject() const { return place_.text(); }

 private:
  HttpRequest request(const std::string& endpoint, const std::string& path, const Value& body, int64_t timeout_ms);
  std::optional<Value> answer(const std::string& path, const HttpResponse& response) const;
  Error error(const std::string& path, ErrorKind kind, std::string why) const;
  void log_in(const std::string& endpoint, int64_t timeout_ms);
  bool is_logged_out(const HttpResponse& response) const;

  const EtcdPlace place_;
  std::string user_;
  Transport& transport_;
  std::mutex mutex_;
  std::string token_;     // of the user, for some minutes
  size_t preferred_ = 0;  // the member that answered last
};

}  // namespace dae::mirror
