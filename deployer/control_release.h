#pragma once
// From an artifact's digest to a release: what is read from the registry when somebody submits.
#include <string>

#include "base/http_client.h"
#include "deployer/model.h"

namespace dae::deployer {

// Throws not_found when the registry does not have it, verification when the bytes are not what the digest says,
// bad_input when it is another app's.
Release read_release_from_registry(Transport& transport, const std::string& mirror, const std::string& app,
                                   const std::string& artifact, int64_t now_ms);

// The same from a configuration that is at hand: for plans of what is not published yet.
Release make_release(const Document& config, const std::string& app, const Digest& artifact, int64_t now_ms);

}  // namespace dae::deployer
