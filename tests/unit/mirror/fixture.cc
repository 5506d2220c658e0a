#include "fixture.h"

#include "base/hash.h"
#include "base/strings.h"
#include "support/zip_writer.h"

namespace dae::mirror::testing {

std::string make_zip(const std::vector<std::pair<std::string, std::string>>& members) {
  std::vector<dae::testing::ZipMember> stored;
  for (const auto& [name, bytes] : members) stored.push_back({.name = name, .bytes = bytes});
  return dae::testing::make_zip(stored);
}

std::string metadata_text(const std::string& name, const std::string& version) {
  return "Metadata-Version: 2.1\nName: " + name + "\nVersion: " + version + "\nRequires-Dist: other>=1\n\nAbout it.\n";
}

std::string make_wheel(const std::string& distribution, const std::string& version) {
  const std::string info = distribution + "-" + version + ".dist-info/";
  return make_zip({{distribution + "/__init__.py", "answer = 42\n"},
                   {info + "METADATA", metadata_text(distribution, version)},
                   {info + "WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"},
                   {info + "RECORD", ""}});
}

FakeIndex::FakeIndex() {
  ServerOptions options;
  options.workers = 32;
  options.loops = 1;
  server_ = start_http_server(
      options, {{.method = "GET",
                 .pattern = "/simple/{}/",
                 .handle = [this](const ServerRequest& request) { return page(request); }},
                {.method = "GET", .pattern = "/files/{}", .handle = [this](const ServerRequest& request) {
                   return file(request);
                 }}});
}

void FakeIndex::set_page(const std::string& project, std::string body, std::string content_type, std::string etag) {
  std::lock_guard lock(mutex_);
  pages_[project] = {std::move(body), std::move(content_type), std::move(etag)};
}

void FakeIndex::remove_page(const std::string& project) {
  std::lock_guard lock(mutex_);
  pages_.erase(project);
}

void FakeIndex::set_file(const std::string& name, std::string bytes) {
  std::lock_guard lock(mutex_);
  files_[name] = std::move(bytes);
}

ServerResponse FakeIndex::page(const ServerRequest& request) {
  if (down_) return ServerResponse::text(503, "down");
  SystemClock().sleep_ms(delay_ms_);
  std::lock_guard lock(mutex_);
  const auto found = pages_.find(request.captures[0]);
  if (found == pages_.end()) {
    ++absent;
    return ServerResponse::not_found();
  }
  const Page& page = found->second;
  if (!page.etag.empty() && request.headers.get("If-None-Match") == "\"" + page.etag + "\"") {
    ++not_modified;
  } else {
    ++pages;
  }
  ServerResponse response = ServerResponse::text(200, page.body, page.type);
  response.etag = page.etag;
  return response;
}

ServerResponse FakeIndex::file(const ServerRequest& request) {
  if (down_) return ServerResponse::text(503, "down");
  SystemClock().sleep_ms(delay_ms_);
  const std::string& name = request.captures[0];
  std::lock_guard lock(mutex_);
  ++(name.ends_with(".metadata") ? metadata : files);
  const auto found = files_.find(name);
  if (found == files_.end()) return ServerResponse::not_found();
  return ServerResponse::text(200, found->second, "application/octet-stream");
}

std::string json_file(const std::string& name, const std::string& sha256, const std::string& extra) {
  return R"({"filename":")" + name + R"(","url":"../../files/)" + name + R"(","hashes":{"sha256":")" + sha256 + "\"}" +
         extra + "}";
}

std::string json_page(const std::string& project, const std::vector<std::string>& files) {
  return R"({"meta":{"api-version":"1.4"},"name":")" + project + R"(","versions":[],"files":[)" + join(files, ",") +
         "]}";
}

void add_team_and_overlay(MirrorConfig& config, std::vector<std::string> claims) {
  IndexConfig team;
  team.name = "team";
  team.mode = "private";
  team.upstream = "";
  team.frozen = true;
  config.indexes.push_back(team);
  IndexConfig all = team;
  all.name = "all";
  all.mode = "overlay";
  all.overlay = {{"team", "pypi"}, std::move(claims), {}};
  config.indexes.push_back(std::move(all));
}

TestMirror::TestMirror(const std::string& upstream, const std::function<void(MirrorConfig&)>& adjust)
    : config(default_mirror_config(dir.path() / "storage")), runner_(make_process_runner()) {
  HttpClientOptions options;
  options.retry_base_ms = 1;
  options.max_per_host = 64;
  transport = make_http_client(options);
  config.port = 0;
  config.indexes = {IndexConfig{.name = "pypi", .upstream = upstream, .mode = "pull-through"}};
  if (adjust) adjust(config);
  restart();
}

void TestMirror::restart() {
  mirror_.reset();
  mirror_ = start_mirror(config, *transport, *runner_, clock);
  url_ = mirror_->url();
}

HttpResponse TestMirror::send(const std::string& method, const std::string& path, Headers headers, std::string body) {
  HttpRequest request;
  request.method = method;
  request.url = path.starts_with("http://") ? path : url_ + path;
  request.headers = std::move(headers);
  request.body = std::move(body);
  request.follow_redirects = false;
  request.retries = 0;
  return transport->send(std::move(request));
}

Value TestMirror::page(const std::string& project) {
  const HttpResponse response =
      get("/pypi/simple/" + project + "/", {{"Accept", "application/vnd.pypi.simple.v1+json"}});
  if (response.status != 200) throw Error(ErrorKind::failed, "page answered " + std::to_string(response.status));
  return parse_json(response.body, "page").root;
}

std::string TestMirror::file_path(const std::string& project, const std::string& file) {
  const std::string page_url = url_ + "/pypi/simple/" + project + "/";
  const Value root = page(project);
  for (const Value& entry : root.at("files").as_array()) {
    if (entry.get_string("filename") != file) continue;
    return resolve_url(page_url, entry.get_string("url")).substr(url_.size());
  }
  throw Error(ErrorKind::not_found, "the page does not list it", file);
}

}  // namespace dae::mirror::testing
