#pragma once
// One bucket over HTTP: how its objects are addressed, what a request to it carries, and what its refusals mean.
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/http_client.h"
#include "mirror/storage/s3_object_store.h"
#include "mirror/storage/s3_xml.h"

namespace dae::mirror {

// What S3 says in the body of an error. Empty when that is no such document.
struct S3Refusal {
  std::string code, message;
};
S3Refusal s3_refusal(std::string_view body);

// Thread-safe.
class S3Client {
 public:
  S3Client(const S3Place& place, const S3Credentials& credentials, Transport& transport, Clock& clock);

  // Signed, for the object or for the bucket.
  HttpRequest object_request(const std::string& method, const std::string& key) const;
  HttpRequest bucket_request(const std::vector<std::pair<std::string, std::string>>& query) const;
  // What x-amz-copy-source needs: bucket and key, prefix included.
  std::string copy_source(const std::string& key) const { return "/" + place_.bucket + "/" + place_.prefix + key; }

  HttpResponse send(HttpRequest request) const { return transport_.send(std::move(request)); }
  Transport& transport() const { return transport_; }
  Clock& clock() const { return clock_; }
  const S3Place& place() const { return place_; }
  // Whether the object is not there; false when it is the bucket that is not.
  static bool is_missing_object(const HttpResponse& response);
  // `what`: "cannot read the object". `subject`: an address without secrets.
  Error error(const std::string& what, const std::string& key, const HttpResponse& response) const;
  // The same for a refusal that came in the body of a 200, as that of a copy may.
  Error error(const std::string& what, const std::string& key, const S3Refusal& refusal, int status) const;
  // An answer that is not what it must be.
  Error unusable(const std::string& what, const std::string& key, std::string why) const;
  // The body's root, which must have this name.
  XmlElement parse(const std::string& what, const std::string& key, const std::string& body, const char* root) const;
  std::string subject(const std::string& key) const;

 private:
  HttpRequest request(const std::string& method, const std::string& url) const;
  std::string hint_of(const S3Refusal& refusal, const HttpResponse& response) const;

  S3Place place_;
  RequestSigning signing_;
  Transport& transport_;
  Clock& clock_;
  std::string bucket_url_;  // ends with '/'
};

}  // namespace dae::mirror
