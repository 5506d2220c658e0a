// Who we are to a git server: what the URL says, else what the user's own git would say.
#include "base/error.h"
#include "base/http.h"
#include "base/strings.h"
#include "resolver/source/git_http.h"

namespace dae::resolver::git {
namespace {

constexpr int64_t kHelperTimeoutMs = 20'000;

// A line break in a value would be another field of the helper's protocol (CVE-2020-5260).
bool is_plain(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
}

}  // namespace

std::optional<Login> stored_login(const std::string& url, ProcessRunner& runner) {
  const Url parts = parse_url(url);
  const std::string host = parts.origin().substr(parts.scheme.size() + 3), path = percent_decode(parts.path);
  if (!is_plain(host) || !is_plain(path)) return std::nullopt;
  ProcessSpec spec;
  spec.argv = {"git", "-c", "core.askPass=", "credential", "fill"};
  // Nobody is there to answer a question.
  spec.env = {{"GIT_TERMINAL_PROMPT", "0"}, {"GIT_ASKPASS", ""}, {"SSH_ASKPASS", ""}, {"GCM_INTERACTIVE", "never"}};
  spec.stdin_bytes = "protocol=" + parts.scheme + "\nhost=" + host + "\npath=" + path.substr(1) + "\n\n";
  spec.timeout_ms = kHelperTimeoutMs;
  ProcessResult result;
  try {
    result = runner.run(spec);
  } catch (const Error&) {
    return std::nullopt;  // no git here
  }
  if (result.exit_code != 0) return std::nullopt;
  Login login;
  for (const std::string& line : split_lines(result.out)) {
    if (line.starts_with("username=")) login.user = line.substr(9);
    if (line.starts_with("password=")) login.password = line.substr(9);
  }
  return login.password.empty() ? std::nullopt : std::optional(login);
}

}  // namespace dae::resolver::git
