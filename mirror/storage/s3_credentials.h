#pragma once
// The file in which the tools of AWS keep credentials.
#include <optional>
#include <string>
#include <string_view>

#include "mirror/storage/s3_object_store.h"

namespace dae::mirror {

// Those of one profile; nullopt: there is none of that name, or it has no keys (it names other ways to get them).
// `name` is the file, for messages: Error bad_input "NAME:LINE: …", which never shows a value.
std::optional<S3Credentials> parse_s3_profile(std::string_view ini, const std::string& profile,
                                              const std::string& name);

}  // namespace dae::mirror
