#pragma once
// A bucket of an S3 server: AWS Signature Version 4 (libcurl's), ListObjectsV2, conditional writes (If-Match and
// If-None-Match of PutObject). Any server that has these. Path style when there is an endpoint, else virtual hosts.
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/http_client.h"
#include "mirror/storage/object_store.h"

namespace dae::mirror {

// s3://bucket/prefix?endpoint=https%3A%2F%2Fs3.example%3A9000&region=eu-central-1, without secrets.
struct S3Place {
  std::string bucket;
  std::string prefix;    // "" or ends with '/'
  std::string endpoint;  // origin; default: the region's of AWS
  std::string region = "us-east-1";
  std::string text() const;  // the URL again
};
bool is_s3_url(std::string_view text);
S3Place parse_s3_url(std::string_view text);  // Error bad_input: what is wrong with it, and a hint

// $AWS_ACCESS_KEY_ID, $AWS_SECRET_ACCESS_KEY, $AWS_SESSION_TOKEN, else the profile ($AWS_PROFILE, `default`) of
// $AWS_SHARED_CREDENTIALS_FILE or ~/.aws/credentials. Never logged.
struct S3Credentials {
  std::string access_key, secret_key, session_token;
};
S3Credentials find_s3_credentials();  // Error refused with a hint when there are none

// `transport` and `clock` outlive it. head() cannot tell a missing bucket from a missing object; get() can (refused).
// An object whose key is a folder of another's (`a` beside `a/b`) is refused by servers that keep objects as files.
std::unique_ptr<ObjectStore> open_s3(const S3Place& place, const S3Credentials& credentials, Transport& transport,
                                     Clock& clock);

}  // namespace dae::mirror
