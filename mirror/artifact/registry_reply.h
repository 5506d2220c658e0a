#pragma once
// Reading what a registry answers.
#include <optional>
#include <string>

#include "base/error.h"
#include "base/http_client.h"

namespace dae::mirror {

// "cannot push `sha256:…`: DENIED: tag is immutable" with a kind that fits the status.
Error registry_error(const std::string& what, const std::string& url, const HttpResponse& response);
// RFC 8288: the target of `rel="next"`, resolved against `url`; nullopt when there is none.
std::optional<std::string> next_link(const HttpResponse& response, const std::string& url);

}  // namespace dae::mirror
