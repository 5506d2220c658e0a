#pragma once
// The grammar and the error bodies of OCI distribution 1.1.
#include <functional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/http_server.h"

namespace dae::mirror {

inline constexpr const char* kIndexType = "application/vnd.oci.image.index.v1+json";
inline constexpr uint64_t kManifestLimitBytes = 4ull << 20;

// Said to a client of the registry: `code` is one of the specification's.
class OciRefusal : public Error {
 public:
  OciRefusal(int status, std::string code, std::string message, Headers headers = {});
  ServerResponse response() const;

 private:
  int status_;
  std::string code_;
  Headers headers_;
};

bool is_repository_name(std::string_view name);
bool is_tag(std::string_view tag);

// Throws OciRefusal NAME_INVALID.
const std::string& checked_repository(const std::string& name);

// Turns what a handler throws into the specification's error body.
using Handler = std::function<ServerResponse(const ServerRequest&)>;
Handler with_oci_errors(Handler handle);

}  // namespace dae::mirror
