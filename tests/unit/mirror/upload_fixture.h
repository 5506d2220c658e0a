#pragma once
// Files to upload, and the forms they are uploaded with.
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/fs.h"
#include "fixture.h"
#include "mirror/upload/form.h"

namespace dae::mirror::testing {

// Of one member: a tar with these files, packed by gzip.
std::string make_tar_gz(const std::vector<std::pair<std::string, std::string>>& files);
// "<name>-<version>.tar.gz" with PKG-INFO.
std::string make_sdist(const std::string& name, const std::string& version, const std::string& more_metadata = "");
// A wheel whose RECORD fits.
std::string good_wheel(const std::string& distribution, const std::string& version,
                       const std::string& code = "x = 1\n");

using Fields = std::vector<std::pair<std::string, std::string>>;
constexpr const char* kFormType = "multipart/form-data; boundary=frontier";
std::string form_body(const Fields& fields, const std::string& file_name, const std::string& bytes);
// What clients send with every file: name, version, digests and so on.
Fields usual_fields(const std::string& name, const std::string& version, const std::string& file_name,
                    const std::string& bytes);
// What reading that form gives; the file's bytes are in `content`.
UploadForm read_form(const Path& dir, const Fields& fields, const std::string& file_name, const std::string& bytes);

std::string basic(const std::string& password, const std::string& user = "__token__");

}  // namespace dae::mirror::testing
