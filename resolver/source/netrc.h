#pragma once
// The netrc file: logins by host name, as many programs read it.
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace dae::resolver {

struct Login {
  std::string user, password;
};

class Netrc {
 public:
  // Throws Error bad_input "NAME:LINE: …", which never holds a value of the file. Macros are skipped.
  static Netrc parse(std::string_view text, const std::string& name);
  // Of the file that $NETRC names, else ~/.netrc, else ~/_netrc; without one there are no logins.
  static Netrc of_user();
  // The host's own entry, else the `default` one.
  std::optional<Login> login(const std::string& host) const;

 private:
  std::map<std::string, Login> logins_;  // by host in lower case; the first of several counts
  std::optional<Login> default_;
};

}  // namespace dae::resolver
