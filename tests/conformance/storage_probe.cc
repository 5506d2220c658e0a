// What a mirror's shared storage is made of, one call a line, for tests with real servers:
//   storage_probe s3 URL
//   storage_probe lease (URL of etcd | FILE) [TTL_MS]
// Reads {"do": name, …} lines, answers each with {"is": value} or {"error": kind, "text": …, "hint": …}.
#include <unistd.h>

#include <iostream>
#include <string>

#include "base/clock.h"
#include "base/error.h"
#include "base/http_client.h"
#include "base/value.h"
#include "mirror/storage/etcd_lease.h"
#include "mirror/storage/s3_object_store.h"

namespace {

using namespace dae;
using namespace dae::mirror;

Value info_value(const std::optional<ObjectInfo>& info) {
  if (!info) return {};
  return Value::object(
      {{"key", info->key}, {"etag", info->etag}, {"size", info->size_bytes}, {"modified_ms", info->modified_ms}});
}

Value bytes_value(const std::optional<ObjectBytes>& bytes) {
  if (!bytes) return {};
  return Value::object({{"text", bytes->bytes}, {"etag", bytes->etag}});
}

Value put_files(ObjectStore& store, const Value& call) {
  std::vector<ObjectFile> files;
  for (const Value& file : call.at("files").as_array()) {
    files.push_back({file.get_string("key"), file.get_string("file"), Digest::parse(file.get_string("sha256"))});
  }
  store.put_files(files);
  return true;
}

Value list(ObjectStore& store, const std::string& prefix) {
  Value out = Value::array();
  store.list(prefix, [&](const ObjectInfo& object) { out.push_back(info_value(object)); });
  return out;
}

Value objects_call(ObjectStore& store, const std::string& name, const Value& call) {
  const std::string key = call.get_string("key"), text = call.get_string("text"), etag = call.get_string("etag");
  const auto limit = static_cast<uint64_t>(call.get_integer("limit", 64 << 20));
  if (name == "head") return info_value(store.head(key));
  if (name == "get") return bytes_value(store.get(key, limit));
  if (name == "get_unless") {
    const auto fresh = store.get_unless(key, etag, limit);
    return fresh.unchanged ? Value("unchanged") : bytes_value(fresh.object);
  }
  if (name == "get_file") {
    ObjectStore::Fetch fetch;
    fetch.into = call.get_string("into");
    fetch.limit_bytes = static_cast<uint64_t>(call.get_integer("limit", 5LL << 30));
    return info_value(store.get_file(key, fetch));
  }
  if (name == "put") return store.put(key, text);
  if (name == "put_files") return put_files(store, call);
  if (name == "put_if") {
    const auto made = store.put_if(key, text, etag);
    return made ? Value(*made) : Value();
  }
  if (name == "touch") return store.touch(key);
  if (name == "copy") store.copy(key, call.get_string("to"));
  if (name == "remove") store.remove(key);
  if (name == "list") return list(store, key);
  return true;
}

class LeaseCalls {
 public:
  LeaseCalls(const std::string& place, int64_t ttl_ms, Transport& transport, Clock& clock) {
    const std::string holder = "probe " + std::to_string(getpid());
    lease_ = place.starts_with("etcd") ? make_etcd_lease(parse_etcd_url(place), holder, transport, clock, ttl_ms)
                                       : make_file_lease(place);
  }

  Value call(const std::string& name, const Value& call) {
    if (name == "acquire") {
      held_ = lease_->acquire(call.get_integer("wait_ms"));
      return held_->fence();
    }
    if (name == "holds") return held_ && held_->holds_for(call.get_integer("ms"));
    held_.reset();  // release
    return true;
  }

 private:
  std::unique_ptr<Lease> lease_;
  std::unique_ptr<HeldLease> held_;
};

template <typename Call>
void answer_lines(Call&& call) {
  for (std::string line; std::getline(std::cin, line);) {
    Value answer;
    try {
      const Value asked = parse_json(line, "line").root;
      answer = Value::object({{"is", call(asked.get_string("do"), asked)}});
    } catch (const Error& error) {
      answer =
          Value::object({{"error", error_kind_name(error.kind())}, {"text", error.what()}, {"hint", error.hint()}});
    }
    std::cout << canonical_json(answer) << std::endl;
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string kind = argc > 2 ? argv[1] : "";
  SystemClock clock;
  const auto transport = make_http_client();
  try {
    if (kind == "s3") {
      const auto store = open_s3(parse_s3_url(argv[2]), find_s3_credentials(), *transport, clock);
      answer_lines([&](const std::string& name, const Value& call) { return objects_call(*store, name, call); });
    } else if (kind == "lease") {
      LeaseCalls calls(argv[2], argc > 3 ? std::stoll(argv[3]) : 10'000, *transport, clock);
      answer_lines([&](const std::string& name, const Value& call) { return calls.call(name, call); });
    } else {
      std::cerr << "storage_probe (s3 URL | lease PLACE [TTL_MS])\n";
      return 2;
    }
  } catch (const Error& error) {
    std::cerr << render_error(error);
    return exit_code(error.kind());
  }
  return 0;
}
