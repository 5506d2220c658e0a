#pragma once
// direct_url.json ("Recording the Direct URL Origin of installed distributions", formerly PEP 610), read and written.
// Nothing secret is ever written: user names and passwords leave the URL unless the specification lets them stay.
#include <map>
#include <string>
#include <string_view>
#include <variant>

namespace dae::resolver {

struct DirectUrl {
  struct Vcs {
    std::string vcs;                 // "git", "hg"
    std::string requested_revision;  // branch, tag or commit as asked for, or ""
    std::string commit_id;
    bool operator==(const Vcs&) const = default;
  };
  struct Archive {                              // sdist or wheel
    std::map<std::string, std::string> hashes;  // algorithm -> hex
    bool operator==(const Archive&) const = default;
  };
  struct Directory {  // file: URL of a source tree
    bool editable = false;
    bool operator==(const Directory&) const = default;
  };
  std::string url;  // of vcs without "git+" and without "@revision"
  std::string subdirectory;
  std::variant<Archive, Vcs, Directory> info;
  bool operator==(const DirectUrl&) const = default;
};

// Throws Error bad_input (subject = `source`) on what the specification does not allow. Unknown keys are passed over.
DirectUrl parse_direct_url(std::string_view text, std::string_view source);
// Canonical JSON without a line break; credentials and fragment (pip's options) are taken off the URL on the way.
std::string render_direct_url(const DirectUrl& direct);

// The URL without user name and password; "${NAME}" and "${NAME}:${OTHER}" stay, and for repositories (`vcs` is not
// empty) the user name "git", which is no secret. Texts without an authority come back as they are.
std::string strip_url_credentials(std::string_view url, std::string_view vcs = "");

}  // namespace dae::resolver
