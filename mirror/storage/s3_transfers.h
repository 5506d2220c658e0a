#pragma once
// What of an S3 store takes more than one request: a file that is fetched on and on, many files that are sent at once.
#include <optional>
#include <string>
#include <vector>

#include "mirror/storage/object_store.h"
#include "mirror/storage/s3_client.h"

namespace dae::mirror {

// What the header of an answer says of the object.
ObjectInfo s3_info(const S3Client& client, const std::string& key, const HttpResponse& response);

std::optional<ObjectInfo> s3_head(const S3Client& client, const std::string& key);
std::optional<ObjectInfo> s3_get_file(const S3Client& client, const std::string& key, const ObjectStore::Fetch& fetch);
void s3_put_files(const S3Client& client, const std::vector<ObjectFile>& files);

}  // namespace dae::mirror
