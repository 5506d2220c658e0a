#include "mirror/storage/s3_object_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>

#include "base/strings.h"
#include "mirror/storage/s3_client.h"
#include "mirror/storage/s3_transfers.h"

namespace dae::mirror {
namespace {

// Of requests whose bodies are small: everything, retries too.
constexpr int64_t kPatienceMs = 60'000;
// A server may be silent for minutes while it copies gigabytes.
constexpr int64_t kCopyPatienceMs = 15 * 60'000;
constexpr uint64_t kMaxPage = 16 << 20;
constexpr int kMaxConflicts = 20, kMaxCopyRetries = 4, kMaxEmptyPages = 1000;
constexpr int64_t kConflictPauseMs = 20, kCopyPauseMs = 250;
// Where an object is on its way to itself (touch), and for how long at most.
constexpr const char* kAside = "touching/";
constexpr int64_t kLeftoverMs = 24 * 3'600'000;
// Last-Modified is in whole seconds.
constexpr int64_t kSecondMs = 2000;

std::string quoted_etag(std::string etag) {
  return etag.empty() || etag.find('"') != std::string::npos ? etag : '"' + etag + '"';
}

class S3ObjectStore final : public ObjectStore {
 public:
  S3ObjectStore(const S3Place& place, const S3Credentials& credentials, Transport& transport, Clock& clock)
      : client_(place, credentials, transport, clock) {}

  std::optional<ObjectInfo> head(const std::string& key) override { return s3_head(client_, key); }

  std::optional<ObjectBytes> get(const std::string& key, uint64_t limit_bytes) override {
    return get_unless(key, "", limit_bytes).object;
  }

  Fresh get_unless(const std::string& key, const std::string& etag, uint64_t limit_bytes) override {
    constexpr const char* kCannot = "cannot read the object";
    HttpRequest request = client_.object_request("GET", key);
    if (!etag.empty()) request.headers.set("If-None-Match", etag);
    request.body_limit_bytes = limit_bytes;
    HttpResponse response = client_.send(std::move(request));
    if (response.status == 304 && !etag.empty()) return {.unchanged = true, .object = std::nullopt};
    if (S3Client::is_missing_object(response)) return {};
    if (response.status != 200) throw client_.error(kCannot, key, response);
    const std::string now(response.headers.get("ETag"));
    if (now.empty()) throw client_.unusable(kCannot, key, "the answer has no etag");
    return {.unchanged = false, .object = ObjectBytes{std::move(response.body), now}};
  }

  std::optional<ObjectInfo> get_file(const std::string& key, const Fetch& fetch) override {
    return s3_get_file(client_, key, fetch);
  }

  std::string put(const std::string& key, std::string_view bytes) override {
    HttpRequest request = put_request(key, bytes);
    return stored(key, client_.send(std::move(request)));
  }

  void put_files(const std::vector<ObjectFile>& files) override { s3_put_files(client_, files); }

  std::optional<std::string> put_if(const std::string& key, std::string_view bytes, const std::string& etag) override {
    for (int conflict = 0;; ++conflict) {
      HttpRequest request = put_request(key, bytes);
      if (etag.empty()) {
        request.headers.set("If-None-Match", "*");
      } else {
        request.headers.set("If-Match", etag);
      }
      // A repetition of what was done already would be answered as if somebody else had done it.
      request.send_once = true;
      const HttpResponse response = client_.send(std::move(request));
      if (response.status == 412) return std::nullopt;
      // It had that etag once and is gone.
      if (!etag.empty() && S3Client::is_missing_object(response)) return std::nullopt;
      // Another write of it was under way; this one was not done. Who asks again learns which it is.
      if (!is_conflict(response) || conflict >= kMaxConflicts) return stored(key, response);
      client_.clock().sleep_ms(kConflictPauseMs * (conflict + 1));
    }
  }

  // Amazon S3 sets the time of an object that is copied onto itself. versitygw (1.8.0, on disk) does not: there it goes
  // to another key and back.
  bool touch(const std::string& key) override {
    if (!copying_keeps_time_) {
      const auto copied = try_copy(key, key);
      if (!copied) return false;
      if (copied->is_new) return true;
      remove_leftovers();
      copying_keeps_time_ = true;
    }
    const std::string aside = kAside + random_hex();
    if (!try_copy(key, aside)) return false;
    copy(aside, key);
    remove(aside);
    return true;
  }

  void copy(const std::string& from, const std::string& to) override {
    if (!try_copy(from, to)) throw Error(ErrorKind::not_found, "there is no such object", client_.subject(from));
  }

  void remove(const std::string& key) override {
    HttpRequest request = client_.object_request("DELETE", key);
    request.timeout_ms = kPatienceMs;
    const HttpResponse response = client_.send(std::move(request));
    if (!response.ok() && !S3Client::is_missing_object(response)) {
      throw client_.error("cannot remove the object", key, response);
    }
  }

  void list(const std::string& prefix, const std::function<void(const ObjectInfo&)>& visit) override {
    std::string token, last;
    int empty_pages = 0;
    do {
      const XmlElement page = list_page(prefix, token);
      const std::vector<ObjectInfo> objects = objects_of(page, prefix, last);
      for (const ObjectInfo& object : objects) visit(object);
      const std::string next = page.text_of("IsTruncated") == "true" ? page.text_of("NextContinuationToken") : "";
      empty_pages = objects.empty() ? empty_pages + 1 : 0;
      if (page.text_of("IsTruncated") == "true" && (next.empty() || next == token || empty_pages > kMaxEmptyPages)) {
        throw client_.unusable(kCannotList, prefix, "the listing does not go on where it ended");
      }
      token = next;
    } while (!token.empty());
  }

 private:
  static constexpr const char* kCannotStore = "cannot store the object";
  static constexpr const char* kCannotCopy = "cannot copy the object";
  static constexpr const char* kCannotList = "cannot list the objects";

  static bool is_conflict(const HttpResponse& response) {
    if (response.status != 409) return false;
    const std::string code = s3_refusal(response.body).code;
    return code == "ConditionalRequestConflict" || code == "OperationAborted" || code.empty();
  }

  // Of a touch() that was killed.
  void remove_leftovers() {
    std::vector<std::string> old;
    list(kAside, [&](const ObjectInfo& object) {
      if (object.modified_ms < client_.clock().wall_ms() - kLeftoverMs) old.push_back(object.key);
    });
    for (const std::string& key : old) remove(key);
  }

  HttpRequest put_request(const std::string& key, std::string_view bytes) const {
    HttpRequest request = client_.object_request("PUT", key);
    request.body = bytes;
    return request;
  }

  std::string stored(const std::string& key, const HttpResponse& response) const {
    if (!response.ok()) throw client_.error(kCannotStore, key, response);
    const std::string etag(response.headers.get("ETag"));
    if (etag.empty()) throw client_.unusable(kCannotStore, key, "the answer has no etag");
    return etag;
  }

  struct Copied {
    bool is_new = false;  // the object's time is of this copy
  };

  // nullopt: no such object. The answer is a 200 before the copy is made, so only the body says how it went.
  std::optional<Copied> try_copy(const std::string& from, const std::string& to) {
    for (int attempt = 0;; ++attempt) {
      HttpRequest request = client_.object_request("PUT", to);
      request.headers.set("x-amz-copy-source", client_.copy_source(from));
      if (from == to) request.headers.set("x-amz-metadata-directive", "REPLACE");
      request.timeout_ms = kCopyPatienceMs;
      const HttpResponse response = client_.send(std::move(request));
      if (S3Client::is_missing_object(response)) return std::nullopt;
      if (!response.ok()) throw client_.error(kCannotCopy, from, response);
      const S3Refusal refusal = s3_refusal(response.body);
      if (refusal.code == "NoSuchKey") return std::nullopt;
      if (refusal.code.empty()) return copied(from, response);
      const bool passing = refusal.code == "InternalError" || refusal.code == "SlowDown" ||
                           refusal.code == "ServiceUnavailable" || refusal.code == "OperationAborted";
      if (!passing || attempt >= kMaxCopyRetries) throw client_.error(kCannotCopy, from, refusal, response.status);
      client_.clock().sleep_ms(kCopyPauseMs << attempt);
    }
  }

  Copied copied(const std::string& from, const HttpResponse& response) const {
    const XmlElement root = client_.parse(kCannotCopy, from, response.body, "CopyObjectResult");
    // Both by the server's clock: a time before the request came in is not of this copy.
    const int64_t answered_ms = parse_http_date(response.headers.get("Date"));
    const std::string& modified = root.text_of("LastModified");
    if (modified.empty() || answered_ms < 0) return {};
    return {.is_new = time_of(modified, from) >= answered_ms - response.duration_ms - kSecondMs};
  }

  XmlElement list_page(const std::string& prefix, const std::string& token) const {
    std::vector<std::pair<std::string, std::string>> query = {
        {"encoding-type", "url"}, {"list-type", "2"}, {"prefix", client_.place().prefix + prefix}};
    if (!token.empty()) query.emplace_back("continuation-token", token);
    HttpRequest request = client_.bucket_request(query);
    request.timeout_ms = kPatienceMs;
    request.body_limit_bytes = kMaxPage;
    const HttpResponse response = client_.send(std::move(request));
    if (response.status != 200) throw client_.error(kCannotList, prefix, response);
    return client_.parse(kCannotList, prefix, response.body, "ListBucketResult");
  }

  // Of those that a mirror could have put there; `last` is the key before, over pages.
  std::vector<ObjectInfo> objects_of(const XmlElement& page, const std::string& prefix, std::string& last) const {
    const bool encoded = page.text_of("EncodingType") == "url";
    const std::string& root = client_.place().prefix;
    std::vector<ObjectInfo> out;
    for (const XmlElement& entry : page.children) {
      if (entry.name != "Contents") continue;
      std::string key = encoded ? percent_decode(entry.text_of("Key")) : entry.text_of("Key");
      if (!key.starts_with(root + prefix)) throw client_.unusable(kCannotList, prefix, "a key that was not asked for");
      key.erase(0, root.size());
      if (key <= last && !last.empty()) throw client_.unusable(kCannotList, prefix, "the keys are not in order");
      last = key;
      if (!is_key(key)) continue;
      const auto size = parse_int(entry.text_of("Size"));
      if (!size || *size < 0) throw client_.unusable(kCannotList, prefix, "an object without a size");
      out.push_back({key, quoted_etag(entry.text_of("ETag")), static_cast<uint64_t>(*size),
                     time_of(entry.text_of("LastModified"), prefix)});
    }
    return out;
  }

  int64_t time_of(const std::string& text, const std::string& key) const {
    try {
      return parse_utc(text);
    } catch (const Error&) {
      throw client_.unusable("cannot read the object's time", key, "LastModified is no time");
    }
  }

  // Other tools make objects that stand for folders, `a/`.
  static bool is_key(const std::string& key) {
    try {
      check_object_key(key);
      return true;
    } catch (const Error&) {
      return false;
    }
  }

  S3Client client_;
  std::atomic<bool> copying_keeps_time_{false};
};

}  // namespace

ObjectInfo s3_info(const S3Client& client, const std::string& key, const HttpResponse& response) {
  const auto length = parse_int(response.headers.get("Content-Length"));
  ObjectInfo info{key, std::string(response.headers.get("ETag")),
                  static_cast<uint64_t>(std::max<int64_t>(0, length.value_or(0))),
                  parse_http_date(response.headers.get("Last-Modified"))};
  if (info.etag.empty() || info.modified_ms < 0) {
    throw client.unusable("cannot read the object", key, "the answer has no etag or no Last-Modified");
  }
  return info;
}

std::optional<ObjectInfo> s3_head(const S3Client& client, const std::string& key) {
  HttpRequest request = client.object_request("HEAD", key);
  request.timeout_ms = kPatienceMs;
  request.body_limit_bytes = UINT64_MAX;  // of what is announced nothing comes
  const HttpResponse response = client.send(std::move(request));
  if (response.status == 404) return std::nullopt;
  if (response.status != 200) throw client.error("cannot read the object", key, response);
  if (!parse_int(response.headers.get("Content-Length"))) {
    throw client.unusable("cannot read the object", key, "the answer does not say its length");
  }
  return s3_info(client, key, response);
}

std::unique_ptr<ObjectStore> open_s3(const S3Place& place, const S3Credentials& credentials, Transport& transport,
                                     Clock& clock) {
  return std::make_unique<S3ObjectStore>(place, credentials, transport, clock);
}

}  // namespace dae::mirror
