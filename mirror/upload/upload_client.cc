#include "mirror/upload/upload_client.h"

#include "base/error.h"
#include "base/log.h"
#include "base/strings.h"
#include "resolver/standards/metadata.h"

namespace dae::mirror {
namespace {

constexpr size_t kMostToldBytes = 500;
constexpr uint64_t kMostFileBytes = 2ull << 30;

std::string part(const std::string& boundary, const std::string& disposition) {
  return "--" + boundary + "\r\nContent-Disposition: form-data; " + disposition + "\r\n";
}

// One line of what an index says: it may be anything, up to a page of HTML.
std::string told(const std::string& body) {
  std::string out;
  for (const char c : trim(body).substr(0, kMostToldBytes)) out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  return out.find('<') == std::string::npos ? out : "";
}

[[noreturn]] void refused(const HttpResponse& answer, const std::string& file) {
  std::string hint;
  if (answer.status == 401 || answer.status == 403) hint = "is the token for this index and project, and still valid?";
  if (answer.status >= 300 && answer.status < 400) hint = "the index moved: a token is not sent after it";
  if (answer.status == 404 || answer.status == 405) hint = "is this where the index takes uploads, as in `…/legacy/`?";
  throw Error(ErrorKind::refused, "the index answered " + std::to_string(answer.status), file, hint)
      .because(told(answer.body));
}

}  // namespace

std::vector<std::pair<std::string, std::string>> upload_fields(const FileToUpload& file, const Digest& sha256) {
  const resolver::CoreMetadata metadata = resolver::parse_core_metadata(file.metadata, file.name);
  const bool wheel = file.name.ends_with(".whl");
  std::vector<std::pair<std::string, std::string>> out = {
      {":action", "file_upload"},
      {"protocol_version", "1"},
      {"metadata_version", metadata.metadata_version},
      {"name", metadata.name},
      {"version", metadata.version},
      {"filetype", wheel ? "bdist_wheel" : "sdist"},
      {"pyversion", wheel ? "py3" : "source"},
      {"sha256_digest", sha256.hex()},
  };
  const auto add = [&](const char* field, const std::string& value) {
    if (!value.empty()) out.emplace_back(field, value);
  };
  const auto add_all = [&](const char* field, const std::vector<std::string>& values) {
    for (const std::string& value : values) add(field, value);
  };
  add("summary", metadata.summary);
  add("description", resolver::metadata_description(file.metadata));
  add("author", metadata.author);
  add("author_email", metadata.author_email);
  add("home_page", metadata.home_page);
  add("license", metadata.license);
  add("license_expression", metadata.license_expression);
  add("requires_python", metadata.requires_python);
  add_all("requires_dist", metadata.requires_dist);
  add_all("classifiers", metadata.classifiers);
  add_all("project_urls", metadata.project_urls);
  return out;
}

std::string upload_file(Transport& transport, const std::string& url, const std::string& token,
                        const FileToUpload& file) {
  const std::string boundary = "dae-" + random_hex();  // 128 random bits stand in no file
  const std::string bytes = read_file(file.path, kMostFileBytes);
  HttpRequest request;
  for (const auto& [name, value] : upload_fields(file, Digest::of(bytes))) {
    request.body += part(boundary, "name=\"" + name + "\"") + "\r\n" + value + "\r\n";
  }
  request.body += part(boundary, "name=\"content\"; filename=\"" + file.name + "\"") +
                  "Content-Type: application/octet-stream\r\n\r\n";
  request.body += bytes;
  request.body += "\r\n--" + boundary + "--\r\n";
  request.method = "POST";
  request.url = url;
  request.headers.set("Content-Type", "multipart/form-data; boundary=" + boundary);
  request.headers.set("Authorization", "Basic " + base64("__token__:" + token));
  request.follow_redirects = false;
  request.retries = 0;
  const HttpResponse answer = transport.send(std::move(request));
  if (!answer.ok()) refused(answer, file.name);
  return told(answer.body);
}

}  // namespace dae::mirror
