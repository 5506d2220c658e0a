#include "mirror/index/index_routes.h"

#include <algorithm>
#include <limits>

#include "base/http_conditional.h"
#include "base/strings.h"
#include "mirror/index/negotiate.h"
#include "mirror/policy/refusal.h"
#include "resolver/standards/names.h"

namespace dae::mirror {
namespace {

constexpr const char* kHtmlOnly = "v1+html";
constexpr const char* kPageCaching = "public, max-age=600";
constexpr int64_t kPageMaxAgeS = 600, kStaleMaxAgeS = 30;
constexpr const char* kAbsentCaching = "public, max-age=60";
// Kept, and asked about each time by its validator. pip does that with every page anyway; uv, poetry and proxies go by
// what the page says.
constexpr const char* kCheckedCaching = "no-cache";
constexpr const char* kFileCaching = "public, max-age=31536000, immutable";

constexpr int64_t kAlways = std::numeric_limits<int64_t>::max();

// With how long it holds as long as the catalog stays as it is; 0: it depends on more.
struct Answer {
  Answer(ServerResponse to_send, int64_t until_ms = 0) : response(std::move(to_send)), valid_until_ms(until_ms) {}
  ServerResponse response;
  int64_t valid_until_ms;
};

// /<index>/simple/[v1+html/][<name>[/]]
struct PageRequest {
  bool html_only = false;
  std::string name;  // empty: the list
  bool slash = true;
  bool valid = true;
};

PageRequest parse_page_path(const std::string& path, const std::string& index) {
  PageRequest page;
  std::string_view rest = path;
  rest.remove_prefix(std::min(rest.size(), index.size() + std::string_view("//simple").size()));
  page.slash = !rest.empty() && rest.back() == '/';
  rest = rest.substr(std::min<size_t>(rest.size(), 1));
  if (page.slash && !rest.empty()) rest.remove_suffix(1);
  const std::string_view html_only = kHtmlOnly;
  if (rest.substr(0, html_only.size()) == html_only &&
      (rest.size() == html_only.size() || rest[html_only.size()] == '/')) {
    page.html_only = true;
    rest.remove_prefix(std::min(rest.size(), html_only.size() + 1));
  }
  page.name = rest;
  const bool empty_segment = page.name.empty() && path.ends_with("//");
  page.valid = rest.find('/') == std::string_view::npos && !empty_segment;
  return page;
}

std::string query_of(const ServerRequest& request) {
  const size_t at = request.target.find('?');
  return at == std::string::npos ? "" : request.target.substr(at);
}

// Relative, so that a mirror behind another path prefix stays there. The name is a valid one: no way out of here.
ServerResponse redirect(const ServerRequest& request, std::string location) {
  ServerResponse response;
  response.status = 301;
  response.headers.set("Location", location + query_of(request));
  response.headers.set("Cache-Control", kPageCaching);
  return response;
}

ServerResponse absent(const std::string& name, bool seen_at_once) {
  ServerResponse response = ServerResponse::text(404, "no project `" + name + "` here\n");
  response.headers.set("Cache-Control", seen_at_once ? kCheckedCaching : kAbsentCaching);
  response.headers.set("Vary", "Accept");
  return response;
}

ServerResponse page_response(PageFormat format, std::string body, std::string etag, const std::string& caching) {
  ServerResponse response;
  response.body = std::move(body);
  response.etag = std::move(etag);
  response.headers.set("Content-Type", page_content_type(format));
  response.headers.set("Cache-Control", caching);
  response.headers.set("Vary", "Accept");
  response.headers.set("X-Content-Type-Options", "nosniff");
  return response;
}

std::optional<PageFormat> choose_format(const ServerRequest& request, bool html_only) {
  if (html_only) return PageFormat::text_html;
  const std::string wanted = request.query_value("format");
  return negotiate_page(wanted.empty() ? request.headers.get("Accept") : std::string_view(wanted));
}

ServerResponse not_acceptable() {
  ServerResponse response = ServerResponse::text(
      406, std::string("this index has: ") + resolver::kSimpleJson + ", " + resolver::kSimpleHtml + ", text/html\n");
  response.headers.set("Vary", "Accept");
  return response;
}

// An index as it is, or as a snapshot froze it.
struct Shown {
  std::string path;     // between the first slash and "/simple/"
  std::string to_root;  // from "/<path>/simple/"
  std::function<std::vector<std::string>()> names;
  std::function<std::optional<Listing>(const std::string& project)> list;
  bool tells_serials = false;  // `path` is an index, and what it lists changes with its revisions alone
  bool seen_at_once = false;   // people put things there, and look for them right after
};

Shown show_index(IndexService& service, const std::string& index) {
  return {index,
          "../../",
          [&service, index] { return service.policies.overlays().names(index); },
          [&service, index](const std::string& project) {
            return list_project(service.indexes, service.policies, index, project);
          },
          tells_serials(service.indexes, service.policies, index),
          service.policies.overlays().has_own(index)};
}

Shown show_snapshot(IndexService& service, const Snapshot& frozen) {
  return {"snapshots/" + frozen.id, "../../../",
          [&service, frozen] { return service.pages.names_at(frozen.index, frozen.revision); },
          [&service, frozen](const std::string& project) {
            return list_frozen_project(service.pages, service.policies, frozen, project);
          }};
}

// Equal bytes under two types, and under two codings, are two representations.
ServerResponse rendered_response(PageFormat format, const RenderedPage& page, bool gzip_wanted,
                                 const std::string& caching) {
  const bool gzipped = gzip_wanted && !page.gzipped.empty();
  ServerResponse response = page_response(format, gzipped ? page.gzipped : page.body, page.etag, caching);
  if (format == PageFormat::v1_html) response.etag += "-v1";
  if (gzipped) {
    response.etag += "-gz";
    response.headers.set("Content-Encoding", "gzip");
  }
  response.headers.set("Vary", "Accept, Accept-Encoding");
  return response;
}

// Rendered once for all that the catalog holds at a time: with 700,000 names that is 25 MB.
Answer list_page(IndexService& service, const Shown& shown, PageFormat format, bool gzip_wanted) {
  const bool json = format == PageFormat::json;
  const std::string version = std::to_string(service.answers.mark());
  const auto rendered = service.rendered.get(
      "list/" + shown.path + (json ? "/json" : "/html"), version, service.policies.now_ms(), [&]() -> Rendering {
        PageStore::Names listed;
        if (shown.tells_serials) {
          listed = service.pages.names_since(shown.path);
        } else {
          listed.names = shown.names();
        }
        return json ? resolver::render_list_json(listed.names, listed.since) : resolver::render_list_html(listed.names);
      });
  // It grows with every project that somebody asks for.
  return {rendered_response(format, *rendered, gzip_wanted, kCheckedCaching), kAlways};
}

Answer project_page(IndexService& service, const Shown& shown, const std::string& name, bool html_only,
                    PageFormat format, bool gzip_wanted) {
  // Before the page, which is then not older than this says.
  const int64_t serial = shown.tells_serials ? service.pages.listed_since(shown.path, name) : 0;
  const std::optional<Listing> listing = shown.list(name);
  if (!listing) return absent(name, shown.seen_at_once);
  const int64_t now_ms = service.policies.now_ms();
  const bool json = format == PageFormat::json;
  const std::string to_root = shown.to_root + (html_only ? "../../" : "../");
  const std::string key = listing->key + (json ? "json" : "html") + to_root;
  const auto rendered = service.rendered.get(key, listing->version, now_ms, [&] {
    PolicyPage offered = offered_page(*listing, service.pages, now_ms);
    announce_from_here(offered.page, to_root);
    return Rendering(json ? resolver::render_project_json(offered.page) : resolver::render_project_html(offered.page),
                     offered.next_change_ms);
  });
  const Lifetime life = lifetime(rendered->valid_until_ms, now_ms, listing->stale ? kStaleMaxAgeS : kPageMaxAgeS);
  ServerResponse response =
      rendered_response(format, *rendered, gzip_wanted,
                        shown.seen_at_once ? kCheckedCaching : "public, max-age=" + std::to_string(life.max_age_s));
  if (serial > 0) response.headers.set("X-PyPI-Last-Serial", std::to_string(serial));
  // A stale one is asked for again soon, whatever the catalog says.
  return {std::move(response), listing->stale ? 0 : std::min(listing->fresh_until_ms, life.valid_until_ms)};
}

Answer simple(IndexService& service, const Shown& shown, const ServerRequest& request) {
  const PageRequest wanted = parse_page_path(request.path, shown.path);
  if (!wanted.valid || (!wanted.name.empty() && !resolver::is_valid_name(wanted.name))) {
    return ServerResponse::not_found(request.path);
  }
  const std::string normal = resolver::normalize_name(wanted.name);
  if (wanted.name.empty()) {
    if (!wanted.slash) return redirect(request, wanted.html_only ? std::string(kHtmlOnly) + "/" : "simple/");
  } else if (!wanted.slash) {
    return redirect(request, normal + "/");
  } else if (normal != wanted.name) {
    return redirect(request, "../" + normal + "/");
  }
  const auto format = choose_format(request, wanted.html_only);
  if (!format) return not_acceptable();
  const bool gzip_wanted = prefers_gzip(request.headers.get("Accept-Encoding"));
  if (wanted.name.empty()) return list_page(service, shown, *format, gzip_wanted);
  return project_page(service, shown, normal, wanted.html_only, *format, gzip_wanted);
}

// Whatever of it is here or on its way; HEAD fetches nothing whose size is known.
void attach_package(IndexService& service, const ServerRequest& request, const Digest& digest, const std::string& file,
                    ServerResponse* response) {
  if (request.method == "HEAD") {
    const auto size_bytes = service.files.size_bytes(digest, file);
    if (size_bytes && !service.blobs.is_near(digest)) response->growing = std::make_shared<GrowingFile>(*size_bytes);
  } else if (wants_the_end(request)) {
    response->growing = service.files.open(digest, file);
  }
  if (!response->growing) response->file = service.files.path(service.files.package(digest, file));
}

bool has_suffix(const std::string& file, std::string_view suffix) {
  return file.size() > suffix.size() && file.ends_with(suffix);
}

// What was never announced with a hash may still be replaced by what upstream announces later.
void attach_sidecar(IndexService& service, const Digest& held, const char* type, ServerResponse* response) {
  response->file = service.files.path(held);
  response->etag = held.hex();
  response->headers.set("Content-Type", type);
  response->headers.set("Cache-Control", kPageCaching);
}

// What is allowed was decided here; which bytes, their ranges and how they go out are nginx's (share/nginx).
void leave_to_nginx(const ServerRequest& request, ServerResponse* response) {
  response->file.clear();
  // nginx does not know the validator, and would follow the field of a 304, too.
  if (is_not_modified(request.headers, {.etag = response->etag})) return;
  response->headers.set("X-Accel-Redirect", "/dae-blobs/" + response->etag.substr(0, 2) + "/" + response->etag);
}

Answer package(IndexService& service, const ServerRequest& request) {
  const std::string &prefix = request.captures.at(0), &hex = request.captures.at(1), &file = request.captures.at(2);
  const bool known_form = Digest::is_valid(hex) && hex.size() == 64 && Digest::parse(hex).hex() == hex &&
                          hex.substr(0, 2) == prefix && resolver::is_safe_file_name(file);
  if (!known_form) return ServerResponse::not_found(request.path);
  const Digest digest = Digest::parse(hex);
  ServerResponse response;
  response.etag = hex;
  response.headers.set("Content-Type", "application/octet-stream");
  response.headers.set("Cache-Control", kFileCaching);
  response.headers.set("X-Content-Type-Options", "nosniff");
  std::string published = file;  // the wheel or sdist
  if (has_suffix(file, kMetadataSuffix)) {
    published.resize(file.size() - kMetadataSuffix.size());
    attach_sidecar(service, service.files.metadata(digest, published), "text/plain; charset=utf-8", &response);
  } else if (has_suffix(file, kProvenanceSuffix)) {
    published.resize(file.size() - kProvenanceSuffix.size());
    attach_sidecar(service, service.files.provenance(digest, published), kProvenanceType, &response);
  } else {
    attach_package(service, request, digest, file, &response);
  }
  // nginx would compare `If-Match` with a validator of its own.
  const bool leaves = request.headers.get(kAccelField) == "on" && request.headers.get("If-Match").empty();
  if (leaves && !response.file.empty()) {
    leave_to_nginx(request, &response);
    if (service.on_left_to_nginx) service.on_left_to_nginx(digest, published);
  }
  const bool on_its_way = response.growing != nullptr;
  return {std::move(response), on_its_way ? 0 : service.files.offered_until_ms(digest, published)};
}

Route route_to(IndexService& service, std::string pattern, std::function<Answer(const ServerRequest&)> handle) {
  const auto guarded = [&service, handle = std::move(handle)](const ServerRequest& request) {
    try {
      const uint64_t mark = service.answers.mark();
      Answer answer = handle(request);
      if (answer.valid_until_ms > 0 && answer.response.status == 200) {
        service.answers.keep(request, answer.response, mark, answer.valid_until_ms);
      } else {
        service.answers.forget(request);
      }
      return std::move(answer.response);
    } catch (const PolicyRefusal& refusal) {
      service.answers.forget(request);
      return refusal_answer(refusal);
    } catch (const TooBusy& busy) {
      ServerResponse response = ServerResponse::problem(503, busy.message(), "", busy.hint());
      response.headers.set("Retry-After", "1");
      return response;
    }
  };
  return {.method = "GET", .pattern = std::move(pattern), .handle = guarded};
}

}  // namespace

void add_index_routes(std::vector<Route>& routes, IndexService& service) {
  routes.push_back(route_to(service, "/packages/{}/{}/{}",
                            [&service](const ServerRequest& request) { return package(service, request); }));
  for (const std::string& name : service.policies.indexes()) {
    for (const char* pattern : {"/simple", "/simple/", "/simple/{*}"}) {
      routes.push_back(route_to(service, "/" + name + pattern, [&service, name](const ServerRequest& request) {
        return simple(service, show_index(service, name), request);
      }));
    }
  }
  for (const char* pattern : {"/snapshots/{}/simple", "/snapshots/{}/simple/", "/snapshots/{}/simple/{*}"}) {
    routes.push_back(route_to(service, pattern, [&service](const ServerRequest& request) -> Answer {
      const std::optional<Snapshot> frozen = service.snapshots.find(request.captures.at(0));
      if (!frozen) return ServerResponse::not_found(request.path);
      return simple(service, show_snapshot(service, *frozen), request);
    }));
  }
}

}  // namespace dae::mirror
