#include "resolver/standards/simple_page.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/http.h"
#include "base/strings.h"
#include "resolver/standards/names.h"
#include "resolver/standards/simple_parse.h"

namespace dae::resolver {
namespace {

constexpr int64_t kKnownMinor = 4;

enum class PageForm { json, html };

PageForm page_form(std::string_view content_type, std::string_view page_url) {
  const std::string type = lower(trim(content_type.substr(0, content_type.find(';'))));
  if (type == kSimpleJson) return PageForm::json;
  if (type == kSimpleHtml || type == "text/html") return PageForm::html;
  if (type.starts_with("application/vnd.pypi.simple.")) {
    throw Error(ErrorKind::bad_input, "the index speaks a version of the protocol that is not supported",
                std::string(page_url))
        .because("it answered with `" + type.substr(0, 100) + "`");
  }
  throw Error(ErrorKind::bad_input, "this is no index page", std::string(page_url),
              "is the URL that of a package index, such as https://host/simple/?")
      .because("its content type is `" + type.substr(0, 100) + "`");
}

void check_size(std::string_view body, std::string_view page_url) {
  if (body.size() > kMaxPageBytes) {
    throw Error(ErrorKind::bad_input, "the index page is too large", std::string(page_url));
  }
}

// Hexadecimal digits each algorithm has; others are kept when they look like a digest.
size_t digest_size(std::string_view algorithm) {
  static constexpr std::array<std::pair<std::string_view, size_t>, 8> known = {{{"md5", 32},
                                                                                {"sha1", 40},
                                                                                {"sha224", 56},
                                                                                {"sha256", 64},
                                                                                {"sha384", 96},
                                                                                {"sha512", 128},
                                                                                {"sha3_256", 64},
                                                                                {"blake2b", 128}}};
  for (const auto& [name, size] : known) {
    if (name == algorithm) return size;
  }
  return 0;
}

bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_digest(std::string_view algorithm, std::string_view hex) {
  const size_t size = digest_size(algorithm);
  return !hex.empty() && hex.size() <= 256 && is_hex(hex) && (size == 0 || hex.size() == size);
}

bool is_unfit(char c) {
  return static_cast<unsigned char>(c) <= ' ' || c == 0x7f;
}

// http(s) from anywhere; files only from a page that is a file itself.
bool is_fetchable(std::string_view url, std::string_view base_url) {
  if (url.starts_with("file://")) return base_url.starts_with("file://");
  return url.starts_with("https://") || url.starts_with("http://");
}

}  // namespace

bool place_file(IndexFile& file, std::string_view base_url, std::string_view reference) {
  reference = reference.substr(0, reference.find('#'));
  if (reference.empty()) return false;
  // Most indexes give absolute URLs; there is nothing to resolve then.
  const bool absolute = reference.starts_with("https://") && reference.find("/.") == std::string_view::npos;
  file.url = absolute ? std::string(reference) : resolve_url(base_url, reference);
  if (!is_fetchable(file.url, base_url) || std::any_of(file.url.begin(), file.url.end(), is_unfit)) {
    file.url.clear();
    return false;
  }
  if (file.name.empty()) {
    const std::string_view path = std::string_view(file.url).substr(0, file.url.find('?'));
    file.name = percent_decode(path.substr(path.rfind('/') + 1));
  }
  return is_safe_file_name(file.name);
}

void add_hash(IndexFile& file, std::string_view algorithm, std::string_view hex) {
  const std::string name = lower(algorithm), digest = lower(hex);
  const auto is_name_char = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; };
  if (name.empty() || name.size() > 32 || !std::all_of(name.begin(), name.end(), is_name_char)) return;
  if (!is_digest(name, digest)) return;
  if (name == "sha256") file.sha256 = digest;
  file.hashes.insert_or_assign(name, digest);
}

void announce_metadata(IndexFile& file, std::string_view value) {
  if (value == "false") return;
  file.has_metadata = true;
  constexpr std::string_view prefix = "sha256=";
  if (!value.starts_with(prefix)) return;
  const std::string digest = lower(value.substr(prefix.size()));
  if (is_digest("sha256", digest)) file.metadata_sha256 = digest;
}

void place_provenance(IndexFile& file, std::string_view base_url, std::string_view reference) {
  if (reference.empty()) return;
  std::string url = resolve_url(base_url, reference);
  if (is_fetchable(url, base_url) && std::none_of(url.begin(), url.end(), is_unfit)) file.provenance = std::move(url);
}

bool check_api_version(std::string_view version, std::string_view page_url) {
  const size_t dot = std::min(version.find('.'), version.size());
  const auto major = parse_int(version.substr(0, dot));
  const int64_t minor = dot < version.size() ? parse_int(version.substr(dot + 1)).value_or(-1) : -1;
  // A higher minor version only adds what we pass over.
  if (major.value_or(0) == 1 && minor >= 0) return minor > kKnownMinor;
  throw Error(ErrorKind::bad_input, "the index speaks a version of the protocol that is not supported",
              std::string(page_url))
      .because("its version is `" + std::string(version.substr(0, 40)) + "`, known is 1.x");
}

ProjectPage parse_project_page(std::string_view body, std::string_view content_type, std::string_view page_url,
                               std::string_view project) {
  const PageForm form = page_form(content_type, page_url);
  check_size(body, page_url);
  ProjectPage out;
  out.name = normalize_name(project);
  if (form == PageForm::json) {
    parse_project_json(body, page_url, out);
  } else {
    parse_project_html(body, page_url, out);
  }
  if (!out.name.empty()) {
    std::erase_if(out.files, [&](const IndexFile& file) { return !is_file_of_project(file.name, out.name); });
  }
  if (out.status == "active") out.status.clear();
  return out;
}

std::vector<std::string> parse_project_list(std::string_view body, std::string_view content_type,
                                            std::string_view page_url) {
  std::vector<std::string> names;
  visit_project_list(body, content_type, page_url, [&](std::string_view name, int64_t) { names.emplace_back(name); });
  return names;
}

void visit_project_list(std::string_view body, std::string_view content_type, std::string_view page_url,
                        const VisitProject& visit) {
  const PageForm form = page_form(content_type, page_url);
  check_size(body, page_url);
  if (form == PageForm::json) return visit_list_json(body, page_url, visit);
  for (const std::string& name : parse_list_html(body, page_url)) visit(name, 0);
}

}  // namespace dae::resolver
