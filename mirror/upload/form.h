#pragma once
// The form of an upload as twine and uv publish send it (the "legacy" upload API): fields of text, and one file.
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/fs.h"
#include "base/hash.h"

namespace dae::mirror {

struct UploadForm {
  std::map<std::string, std::vector<std::string>> fields;
  std::string file_name;  // as sent: not judged yet
  uint64_t size_bytes = 0;
  Digest sha256;
  std::string md5, blake2_256;  // hex

  // The one value of a field, trimmed; "" when it is absent. Throws Error bad_input when there are different ones.
  std::string one(std::string_view field) const;
  // Its values that are not empty, trimmed. Clients send an empty value for nothing.
  std::vector<std::string> all(std::string_view field) const;
};

// Reads the request's body; the part `content` goes to the new file `content_file` and is hashed on the way. Throws
// Error bad_input for what is no such form.
UploadForm read_upload_form(const Path& body, std::string_view content_type, const Path& content_file);

}  // namespace dae::mirror
