#pragma once
// A lease of etcd v3 through its JSON gateway (/v3/lease, /v3/kv): the key belongs to whoever created it, as long as
// its lease is kept alive; its fencing number is the revision of that creation.
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/http_client.h"
#include "mirror/storage/lease.h"

namespace dae::mirror {

// etcd://host:2379,host2:2379/key, or etcds:// for TLS; user and password from $ETCDCTL_USER ("name:password").
struct EtcdPlace {
  std::vector<std::string> endpoints;  // origins, tried in turn
  std::string key;
  std::string text() const;
};
EtcdPlace parse_etcd_url(std::string_view text);  // Error bad_input

// `holder` says who it is, for people: host and process. `ttl_ms` after a holder's death another gets it.
std::unique_ptr<Lease> make_etcd_lease(const EtcdPlace& place, const std::string& holder, Transport& transport,
                                       Clock& clock, int64_t ttl_ms = 10'000);

}  // namespace dae::mirror
