#pragma once
// What a direct reference says, before anything is asked of anybody: repository, address or path, and the options that
// pip's spellings put in revision and fragment ("VCS Support", "Direct URL Reference").
#include <optional>
#include <string>
#include <string_view>

#include "base/fs.h"

namespace dae::resolver {

struct DirectReference {
  enum class Kind { vcs, url, path };
  Kind kind = Kind::url;
  std::string vcs;                     // "git", "hg"
  std::string url;                     // without "git+", "@revision" and fragment; may hold credentials
  std::string revision, subdirectory;  // "" when not given
  std::string name;                    // of "name @ …" or "#egg=name", normalised, or ""
  std::string sha256;                  // hex, of the fragment, or ""
  Path path;                           // of a local one: absolute
  std::string written_path;            // the same as it stands there
  std::string label;                   // for messages: without credentials and fragment
};

// "git+https://host/repo@rev#egg=name&subdirectory=dir", "hg+https://…", "https://…/x.tar.gz#sha256=…", "file:///…",
// "./path", "name @ any of these". Relative paths start at `base_dir`. Throws Error bad_input (or refused, for a
// protocol that is never used) whose subject has no credentials.
DirectReference parse_direct_reference(std::string_view text, const Path& base_dir);

// A repository's URL as it may be written down: without credentials, but with the user of ssh, who is part of the
// address and no secret.
std::string shareable_url(const std::string& url, const std::string& vcs);

// "git@host:path", which git alone understands, as "git+ssh://git@host/path"; nullopt: it is none.
std::optional<std::string> long_ssh_form(std::string_view text);

// A relative path that stays below where it starts; "" stays "". Throws Error bad_input.
std::string checked_subdirectory(std::string_view text, const std::string& subject);

// ".tar.gz", ".zip" … by the name's end.
bool is_archive_name(std::string_view file_name);

}  // namespace dae::resolver
