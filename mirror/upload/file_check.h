#pragma once
// Is an uploaded file what its name, its form and its own metadata say, and is it safe to hand on? What public indexes
// refuse is refused here too.
#include <string>

#include "mirror/upload/form.h"

namespace dae::mirror {

struct CheckedUpload {
  std::string project;       // normalised
  std::string display_name;  // as the metadata has it
  std::string version;       // normalised
  std::string key;           // the file's name in its one normal form: two spellings of a name are one file
  bool is_wheel = false;
  std::string metadata;  // METADATA or PKG-INFO, verbatim
  std::string requires_python;
};

// The name and the form alone, before anything is opened; `metadata` stays empty. Throws Error bad_input, or
// verification when a digest in the form is not that of the bytes.
CheckedUpload check_upload_form(const UploadForm& form);
// All of it. Throws Error bad_input, verification or refused, subject = the file's name.
CheckedUpload check_upload(const UploadForm& form, const Path& content);

}  // namespace dae::mirror
