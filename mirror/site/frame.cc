#include "mirror/site/frame.h"

#include <algorithm>

#include "base/error.h"
#include "base/hash.h"
#include "base/strings.h"

namespace dae::mirror {
namespace {

constexpr int64_t kMostPages = 1'000'000;

// System colours follow the reader's theme; the few of our own have 4.5:1 on both grounds (WCAG 2.2, 1.4.3).
constexpr char kStyle[] = R"css(
:root{color-scheme:light dark;--ink:#1c2430;--soft:#586374;--line:#d9dee6;--ground:#fff;--card:#f5f7fa;--link:#0b57b0;
--good:#17693a;--warn:#8a5300;--bad:#a8231d}
@media(prefers-color-scheme:dark){:root{--ink:#e4e8ee;--soft:#a3aebd;--line:#343d4a;--ground:#14181e;--card:#1c222b;
--link:#82b7ff;--good:#6fcf97;--warn:#f0b95a;--bad:#ff8f87}}
*{box-sizing:border-box}
body{margin:0;font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--ground)}
header,main,footer{max-width:62rem;margin:0 auto;padding:.75rem 1rem}
header{display:flex;flex-wrap:wrap;gap:.5rem 1.25rem;align-items:center;border-bottom:1px solid var(--line)}
header form{display:flex;gap:.5rem;flex:1 1 18rem;min-width:0;align-items:center}
input,button{font:inherit;color:inherit;background:var(--card);border:1px solid var(--soft);border-radius:.4rem;
padding:.35rem .6rem;min-width:0}
input{flex:1}
.brand{font-weight:700;color:inherit;text-decoration:none}
nav{display:flex;flex-wrap:wrap;gap:.25rem 1rem}
a{color:var(--link)}
:focus-visible{outline:3px solid var(--link);outline-offset:2px}
.skip{position:absolute;left:-99rem}.skip:focus{left:1rem;top:.5rem;background:var(--ground);padding:.3rem}
h1{font-size:1.7rem;line-height:1.2;margin:.8rem 0 .4rem;overflow-wrap:anywhere}
h2{font-size:1.2rem;margin:1.8rem 0 .5rem}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%}
caption{text-align:left;color:var(--soft);padding-bottom:.3rem}
th,td{text-align:left;padding:.35rem 1rem .35rem 0;border-bottom:1px solid var(--line);vertical-align:top}
th{color:var(--soft);font-weight:600;white-space:nowrap}
.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
code,pre{font-family:ui-monospace,monospace;font-size:.875em}
code{overflow-wrap:anywhere}
pre{background:var(--card);border:1px solid var(--line);border-radius:.4rem;padding:.6rem .8rem;overflow-x:auto;margin:.3rem 0}
.soft{color:var(--soft)}
.badge{display:inline-block;font-size:.8rem;font-weight:600;border:1px solid currentColor;border-radius:1rem;padding:0 .55rem}
.good{color:var(--good)}.warn{color:var(--warn)}.bad{color:var(--bad)}
.note{border-left:4px solid var(--warn);background:var(--card);padding:.5rem .9rem;margin:.8rem 0}
.note.bad{border-color:var(--bad);color:inherit}
details{border:1px solid var(--line);border-radius:.4rem;margin:.5rem 0;padding:0 .8rem}
summary{cursor:pointer;padding:.5rem 0}summary b{font-size:1.05rem;margin-right:.4rem}
ul.files,ul.found{list-style:none;padding:0;margin:0}
ul.files li,ul.found li{border-top:1px solid var(--line);padding:.5rem 0;overflow-wrap:anywhere}
dl{display:flex;flex-wrap:wrap;gap:.1rem 1.4rem;margin:.2rem 0}
dl div{display:flex;gap:.4rem;min-width:0}
dt{color:var(--soft);white-space:nowrap}dd{margin:0;min-width:0;overflow-wrap:anywhere}
.pager{display:flex;gap:1.2rem;margin:1rem 0}
footer{border-top:1px solid var(--line);margin-top:2rem;color:var(--soft);font-size:.875rem}
)css";

// The style, and nothing else, may take effect: not even what got past the escaping.
const std::string& content_security_policy() {
  static const std::string policy = [] {
    std::string raw;
    const std::string hex = Digest::of(kStyle).hex();
    for (size_t i = 0; i < hex.size(); i += 2) raw += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
    return "default-src 'none'; style-src 'sha256-" + base64(raw) +
           "'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
  }();
  return policy;
}

}  // namespace

std::string root_of(const ServerRequest& request) {
  const std::string_view path = std::string_view(request.target).substr(0, request.target.find('?'));
  std::string out;
  for (auto slashes = std::count(path.begin(), path.end(), '/'); slashes > 1; --slashes) out += "../";
  return out.empty() ? "./" : out;
}

std::string origin_of(const ServerRequest& request) {
  const std::string host(request.headers.get("Host"));
  const bool sane = !host.empty() && host.size() < 256 && std::ranges::all_of(host, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
           c == '_' || c == ':' || c == '[' || c == ']';
  });
  const bool tls = iequals(request.headers.get("X-Forwarded-Proto"), "https");
  const std::string origin = (tls ? "https://" : "http://") + host;
  try {
    if (sane && parse_url(origin + "/").path == "/") return origin;
  } catch (const Error&) {
    // A port that is none, for one.
  }
  return "";
}

ServerResponse answer(const ServerRequest& request, const SitePage& page) {
  const std::string root = root_of(request);
  const Html html(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>",
      page.title, "</title>\n<style>", kStyle,
      "</style></head>\n<body>\n<a class=\"skip\" href=\"#main\">Skip to content</a>\n<header><a class=\"brand\" "
      "href=\"",
      root, "\">dae mirror</a>\n<nav aria-label=\"Main\"><a href=\"", root, "ui/search\">Packages</a> <a href=\"", root,
      "ui/artifacts\">Artifacts</a> <a href=\"", root, "ui/runs\">Runs</a></nav>\n<form role=\"search\" action=\"",
      root,
      "ui/search\"><label for=\"q\" class=\"soft\">Package</label><input id=\"q\" type=\"search\" name=\"q\" "
      "maxlength=\"100\" autocomplete=\"off\" autocapitalize=\"none\" spellcheck=\"false\" value=\"",
      page.search, "\"><button>Search</button></form></header>\n<main id=\"main\">\n", page.body,
      "</main>\n<footer>Times are UTC · <a href=\"", root, "healthz\">health</a> · <a href=\"", root,
      "metrics\">metrics</a></footer>\n</body></html>\n");
  ServerResponse response = ServerResponse::text(page.status, html.str(), "text/html; charset=utf-8");
  if (page.status == 200) response.etag = Digest::of(response.body).short_hex(32);
  response.headers.set("Cache-Control", "private, no-cache");
  response.headers.set("Content-Security-Policy", content_security_policy());
  response.headers.set("X-Content-Type-Options", "nosniff");
  response.headers.set("Referrer-Policy", "no-referrer");
  return response;
}

ServerResponse nothing_here(const ServerRequest& request, const std::string& what, const Html& advice) {
  return answer(request, {.title = "Nothing here · dae mirror",
                          .search = "",
                          .body = Html("<h1>Nothing here</h1>\n<p>", what, "</p>\n", advice),
                          .status = 404});
}

int64_t page_number(const ServerRequest& request) {
  return std::clamp<int64_t>(parse_int(request.query_value("page")).value_or(1), 1, kMostPages);
}

Html pager(int64_t page, int64_t pages, const std::string& query) {
  if (pages <= 1) return {};
  const std::string more = query.empty() ? "" : query + "&";
  Html out("<nav class=\"pager\" aria-label=\"Pages\">");
  if (page > 1) out.add("<a rel=\"prev\" href=\"?", more, "page=", page - 1, "\">← Previous</a>");
  out.add("<span>Page ", page, " of ", grouped(pages), "</span>");
  if (page < pages) out.add("<a rel=\"next\" href=\"?", more, "page=", page + 1, "\">Next →</a>");
  return out.add("</nav>\n");
}

}  // namespace dae::mirror
