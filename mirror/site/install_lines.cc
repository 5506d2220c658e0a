#include "mirror/site/install_lines.h"

#include "base/http.h"

namespace dae::mirror {

Html install_lines(const std::string& origin, const std::string& index, const std::string& project) {
  if (origin.empty()) return {};
  const std::string url = origin + "/" + index + "/simple/";
  // pip wants a host that is neither this machine nor behind TLS to be named once more.
  std::string trusted;
  if (origin.starts_with("http://")) {
    const std::string host = parse_url(origin + "/").host;
    if (host != "localhost" && !host.starts_with("127.") && host != "[::1]") trusted = " --trusted-host " + host;
  }
  return Html(
      "<h2>Install</h2>\n<pre tabindex=\"0\" aria-label=\"Commands that install it\"><code>pip install --index-url ",
      url, trusted, " ", project, "\nuv pip install --index-url ", url, " ", project, "\ndae install --index ", url,
      " ", project, "</code></pre>\n");
}

}  // namespace dae::mirror
