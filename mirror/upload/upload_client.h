#pragma once
// The other end of the legacy upload API: one wheel or sdist to any index that speaks it.
#include <string>
#include <utility>
#include <vector>

#include "base/fs.h"
#include "base/hash.h"
#include "base/http_client.h"

namespace dae::mirror {

struct FileToUpload {
  Path path;
  std::string name, metadata;  // the file's; METADATA or PKG-INFO
};

// The fields of the form, in order, as the metadata has them; `sha256`: of the file.
std::vector<std::pair<std::string, std::string>> upload_fields(const FileToUpload& file, const Digest& sha256);

// What the index answered, on one line, or "". `token`: the password of user `__token__`; never in a message. Throws
// Error refused with the index's reason, network when there is no answer.
std::string upload_file(Transport& transport, const std::string& url, const std::string& token,
                        const FileToUpload& file);

}  // namespace dae::mirror
