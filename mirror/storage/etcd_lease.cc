#include "mirror/storage/etcd_lease.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "base/env.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/strings.h"
#include "mirror/storage/etcd_client.h"

namespace dae::mirror {
namespace {

// The end of a held lease waits for a keep-alive that is under way, and for the revocation: two of these.
constexpr int64_t kHeldCallMs = 1000;
constexpr int64_t kCallMs = 4000;
constexpr int64_t kFirstPauseMs = 50, kLongestPauseMs = 500;
// A change of the key is told at once; the rest is for members that tell nothing.
constexpr int64_t kWatchMs = 5000;
constexpr size_t kLongestHolder = 200;

std::string shown(std::string_view text) {
  std::string out = html_escape(text.substr(0, kLongestHolder));
  std::replace_if(
      out.begin(), out.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, ' ');
  return out;
}

// A lease of etcd, known by its number, and until when it is surely there: counted from before the request that made
// or renewed it was sent, with a tenth less for clocks that run differently.
struct Grant {
  int64_t id = 0;
  int64_t sure_until_ms = 0;  // monotonic
};

int64_t sure_until(int64_t sent_ms, int64_t ttl_seconds) {
  return sent_ms + ttl_seconds * 900;
}

// The key as etcd has it.
struct KeyState {
  int64_t create_revision = 0, lease = 0;  // 0: it is not there
  std::string holder;
  int64_t seen_revision = 0;  // of the store when this was so
};

KeyState key_state(const Value& answer) {
  KeyState out;
  if (const Value* header = answer.find("header")) out.seen_revision = etcd_integer(*header, "revision");
  const Value* found = answer.find("kvs");
  if (found == nullptr || !found->is_array() || found->size() == 0) return out;
  const Value& entry = found->as_array().front();
  out.create_revision = etcd_integer(entry, "create_revision");
  out.lease = etcd_integer(entry, "lease");
  out.holder = shown(decode_base64(entry.get_string("value")).value_or(""));
  return out;
}

KeyState read_key(EtcdClient& client, int64_t timeout_ms) {
  const auto answer = client.call("/v3/kv/range", Value::object({{"key", base64(client.place().key)}}), timeout_ms);
  return answer ? key_state(*answer) : KeyState();
}

void revoke(EtcdClient& client, int64_t id) noexcept {
  try {
    client.call("/v3/lease/revoke", Value::object({{"ID", std::to_string(id)}}), kHeldCallMs);
  } catch (const std::exception& error) {
    log_warn("a lease cannot be given back; others get it when its time is over", {{"error", error.what()}});
  }
}

class HeldKey final : public HeldLease {
 public:
  HeldKey(std::shared_ptr<EtcdClient> client, Grant grant, int64_t fence, Clock& clock, int64_t ttl_ms)
      : client_(std::move(client)), clock_(clock), id_(grant.id), fence_(fence), ttl_ms_(ttl_ms) {
    sure_until_ms_ = grant.sure_until_ms;
    keeper_ = std::thread([this] { keep_alive(); });
  }

  ~HeldKey() override {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    keeper_.join();
    if (!gone_) revoke(*client_, id_);
  }

  int64_t fence() const override { return fence_; }
  bool holds_for(int64_t ms) const override { return !gone_ && clock_.monotonic_ms() + ms < sure_until_ms_; }

 private:
  void keep_alive() {
    const int64_t interval_ms = std::max<int64_t>(ttl_ms_ / 3, 50);
    int64_t pause_ms = interval_ms;
    bool told = false;
    while (wait(pause_ms)) {
      try {
        if (!renew()) {
          gone_ = true;
          log_warn("a lease was lost: etcd gave it to others, or forgot it", {{"lease", client_->subject()}});
          return;
        }
        pause_ms = interval_ms;
        told = false;
      } catch (const std::exception& error) {
        if (!std::exchange(told, true)) {
          log_warn("a lease cannot be kept alive at the moment",
                   {{"lease", client_->subject()}, {"error", error.what()}});
        }
        pause_ms = std::max<int64_t>(interval_ms / 4, 50);
      }
    }
  }

  // False: it is to end.
  bool wait(int64_t pause_ms) {
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, std::chrono::milliseconds(pause_ms), [&] { return stopping_; });
    return !stopping_;
  }

  // False: the lease is gone, or the key is not ours any more. (Somebody may have removed it by hand: then the lease
  // lives on, and with it nothing.)
  bool renew() {
    const int64_t sent_ms = clock_.monotonic_ms();
    const auto answer = client_->call("/v3/lease/keepalive", Value::object({{"ID", std::to_string(id_)}}), kHeldCallMs);
    const int64_t ttl_seconds = answer ? etcd_integer(*answer, "TTL") : 0;
    if (ttl_seconds <= 0) return false;
    if (is_stopping()) return true;
    const KeyState key = read_key(*client_, kHeldCallMs);
    if (key.create_revision != fence_) return false;
    sure_until_ms_ = sure_until(sent_ms, ttl_seconds);
    return true;
  }

  bool is_stopping() {
    std::lock_guard lock(mutex_);
    return stopping_;
  }

  std::shared_ptr<EtcdClient> client_;
  Clock& clock_;
  const int64_t id_, fence_, ttl_ms_;
  std::atomic<int64_t> sure_until_ms_{0};
  std::atomic<bool> gone_{false};
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread keeper_;
};

class EtcdLease final : public Lease {
 public:
  EtcdLease(std::shared_ptr<EtcdClient> client, std::string holder, Clock& clock, int64_t ttl_ms)
      : client_(std::move(client)), holder_(std::move(holder)), clock_(clock), ttl_ms_(ttl_ms) {}

  std::unique_ptr<HeldLease> acquire(int64_t wait_ms) override { return Attempt(*this, wait_ms).run(); }

 private:
  // One acquire(): a lease that may be used for several tries, and what stood in the way.
  class Attempt {
   public:
    Attempt(EtcdLease& lease, int64_t wait_ms)
        : lease_(lease), client_(*lease.client_), deadline_ms_(lease.clock_.monotonic_ms() + wait_ms) {}
    ~Attempt() {
      if (grant_.id != 0) revoke(client_, grant_.id);
    }

    std::unique_ptr<HeldLease> run() {
      for (;;) {
        std::optional<Error> failure;
        try {
          if (auto held = try_once()) return held;
        } catch (const Error& error) {
          if (error.kind() != ErrorKind::network) throw;
          failure = error;
        }
        const int64_t left_ms = deadline_ms_ - lease_.clock_.monotonic_ms();
        if (left_ms <= 0) throw failure ? *failure : taken();
        if (failure) {
          lease_.clock_.sleep_ms(std::min(left_ms, pause_ms_));
          pause_ms_ = std::min(2 * pause_ms_, kLongestPauseMs);
        } else {
          client_.wait_for_change(client_.place().key, other_.seen_revision, std::min(left_ms, kWatchMs));
        }
      }
    }

   private:
    // nullptr: somebody else has it.
    std::unique_ptr<HeldLease> try_once() {
      if (other_.create_revision != 0) {
        other_ = read_key(client_, kCallMs);
        if (other_.create_revision != 0) return nullptr;
      }
      if (!is_fresh()) grant();
      const auto answer = client_.call("/v3/kv/txn", creation(), kCallMs);
      if (!answer) {  // the lease ended meanwhile
        grant_ = {};
        throw Error(ErrorKind::network, "etcd forgot a lease that was just granted", client_.subject());
      }
      const Value* header = answer->find("header");
      if (answer->get_bool("succeeded")) return hold(header == nullptr ? 0 : etcd_integer(*header, "revision"));
      other_ = key_in(*answer);
      if (header != nullptr) other_.seen_revision = etcd_integer(*header, "revision");
      // A request whose answer was lost is sent again by libcurl: the first one had created it.
      if (other_.create_revision != 0 && other_.lease == grant_.id) return hold(other_.create_revision);
      return nullptr;
    }

    std::unique_ptr<HeldLease> hold(int64_t fence) {
      if (fence <= 0) throw Error(ErrorKind::network, "etcd does not say the revision of the key", client_.subject());
      const Grant grant = std::exchange(grant_, {});
      return std::make_unique<HeldKey>(lease_.client_, grant, fence, lease_.clock_, lease_.ttl_ms_);
    }

    // It may be used while most of its time is left.
    bool is_fresh() const {
      return grant_.id != 0 && lease_.clock_.monotonic_ms() + lease_.ttl_ms_ / 2 < grant_.sure_until_ms;
    }

    void grant() {
      if (grant_.id != 0) revoke(client_, std::exchange(grant_, {}).id);
      const int64_t sent_ms = lease_.clock_.monotonic_ms();
      const int64_t seconds = std::max<int64_t>(1, (lease_.ttl_ms_ + 999) / 1000);
      const auto answer = client_.call("/v3/lease/grant", Value::object({{"TTL", std::to_string(seconds)}}), kCallMs);
      const int64_t id = answer ? etcd_integer(*answer, "ID") : 0;
      const int64_t ttl_seconds = answer ? etcd_integer(*answer, "TTL") : 0;
      if (id == 0 || ttl_seconds <= 0) throw Error(ErrorKind::network, "etcd grants no lease", client_.subject());
      grant_ = {id, sure_until(sent_ms, ttl_seconds)};
    }

    // Creates the key if there is none, else says whose it is.
    Value creation() const {
      const std::string key = base64(client_.place().key);
      Value put =
          Value::object({{"key", key}, {"value", base64(lease_.holder_)}, {"lease", std::to_string(grant_.id)}});
      Value compare = Value::object({{"target", "CREATE"}, {"key", key}, {"create_revision", "0"}});
      return Value::object(
          {{"compare", Value::Array{std::move(compare)}},
           {"success", Value::Array{Value::object({{"request_put", std::move(put)}})}},
           {"failure", Value::Array{Value::object({{"request_range", Value::object({{"key", key}})}})}}});
    }

    static KeyState key_in(const Value& answer) {
      const Value* responses = answer.find("responses");
      if (responses == nullptr || !responses->is_array() || responses->size() == 0) return {};
      const Value* range = responses->as_array().front().find("response_range");
      return range == nullptr ? KeyState() : key_state(*range);
    }

    Error taken() const {
      Error error(ErrorKind::refused, "another process writes to the storage", client_.subject());
      if (!other_.holder.empty()) error.because("`" + other_.holder + "` has the lease");
      return error;
    }

    EtcdLease& lease_;
    EtcdClient& client_;
    const int64_t deadline_ms_;
    Grant grant_;
    KeyState other_;
    int64_t pause_ms_ = kFirstPauseMs;
  };

  std::shared_ptr<EtcdClient> client_;  // of those that hold it, too
  std::string holder_;
  Clock& clock_;
  int64_t ttl_ms_;
};

}  // namespace

std::unique_ptr<Lease> make_etcd_lease(const EtcdPlace& place, const std::string& holder, Transport& transport,
                                       Clock& clock, int64_t ttl_ms) {
  const std::string user = env_var("ETCDCTL_USER").value_or("");
  if (!user.empty() && user.find(':') == std::string::npos) {
    throw Error(ErrorKind::refused, "`ETCDCTL_USER` has no password").with_hint("set it to `name:password`");
  }
  auto client = std::make_shared<EtcdClient>(place, user, transport);
  return std::make_unique<EtcdLease>(std::move(client), holder.substr(0, kLongestHolder), clock, ttl_ms);
}

}  // namespace dae::mirror
