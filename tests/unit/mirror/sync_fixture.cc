#include "sync_fixture.h"

#include <gtest/gtest.h>

#include "base/hash.h"
#include "base/strings.h"

namespace dae::mirror::testing {

std::string wheel_name(const std::string& project, const std::string& version) {
  return replace_all(project, "-", "_") + "-" + version + "-py3-none-any.whl";
}

SyncUpstream::SyncUpstream() {
  ServerOptions options;
  options.workers = 16;
  options.loops = 1;
  server_ = start_http_server(
      options, {{.method = "GET", .pattern = "/simple/", .handle = [this](const ServerRequest&) { return list(); }},
                {.method = "GET",
                 .pattern = "/simple/{}/",
                 .handle = [this](const ServerRequest& request) { return page(request); }},
                {.method = "GET", .pattern = "/files/{}", .handle = [this](const ServerRequest& request) {
                   return file(request);
                 }}});
}

void SyncUpstream::set_wheels(const std::string& project, const std::vector<std::string>& versions) {
  std::vector<File> wheels;
  for (const std::string& version : versions) {
    wheels.push_back({wheel_name(project, version), make_wheel(replace_all(project, "-", "_"), version), "", "", true});
  }
  set_files(project, std::move(wheels));
}

void SyncUpstream::set_files(const std::string& project, std::vector<File> files_of, const std::string& status) {
  std::lock_guard lock(mutex_);
  for (const File& one : files_of) bytes_[one.name] = one.bytes;
  projects_[project] = {std::move(files_of), status, ++last_serial_};
}

void SyncUpstream::remove(const std::string& project) {
  std::lock_guard lock(mutex_);
  projects_.erase(project);
  ++last_serial_;
}

void SyncUpstream::set_bytes(const std::string& name, std::string bytes) {
  std::lock_guard lock(mutex_);
  bytes_[name] = std::move(bytes);
}

void SyncUpstream::set_down_file(const std::string& name) {
  std::lock_guard lock(mutex_);
  down_file_ = name;
}

ServerResponse SyncUpstream::list() {
  std::lock_guard lock(mutex_);
  ++lists;
  if (html) {
    std::vector<std::string> names;
    for (const auto& [name, project] : projects_) names.push_back(name);
    return ServerResponse::text(200, resolver::render_list_html(names), "text/html");
  }
  std::vector<std::string> items;
  for (const auto& [name, project] : projects_) {
    items.push_back("{\"name\":\"" + name + "\"" +
                    (serials ? ",\"_last-serial\":" + std::to_string(project.serial) : "") + "}");
  }
  return ServerResponse::text(200, R"({"meta":{"api-version":"1.4"},"projects":[)" + join(items, ",") + "]}",
                              resolver::kSimpleJson);
}

ServerResponse SyncUpstream::page(const ServerRequest& request) {
  std::lock_guard lock(mutex_);
  const auto found = projects_.find(request.captures[0]);
  if (found == projects_.end()) return ServerResponse::not_found();
  const Project& project = found->second;
  resolver::ProjectPage page;
  page.name = found->first;
  page.status = project.status;
  std::vector<std::string> files_json;
  for (const File& one : project.files) {
    const std::string sha256 = one.sha256.empty() ? Digest::of(one.bytes).hex() : one.sha256;
    resolver::IndexFile& file = page.files.emplace_back();
    file.name = one.name;
    file.url = "../../files/" + one.name;
    file.sha256 = sha256;
    files_json.push_back(json_file(one.name, sha256,
                                   (one.told_size ? ",\"size\":" + std::to_string(one.bytes.size()) : "") + one.extra));
  }
  if (html) {
    ++pages;
    return ServerResponse::text(200, resolver::render_project_html(page), "text/html");
  }
  std::string body = json_page(found->first, files_json);
  if (!project.status.empty()) {
    body.insert(1, R"("project-status":{"status":")" + project.status + "\"},");
  }
  ServerResponse response = ServerResponse::text(200, body, resolver::kSimpleJson);
  response.etag = std::to_string(project.serial);
  if (serials) {
    const bool stale = stale_pages > 0;
    if (stale) --stale_pages;
    response.headers.set("X-PyPI-Last-Serial", std::to_string(project.serial - (stale ? 1 : 0)));
  }
  ++(request.headers.get("If-None-Match") == "\"" + response.etag + "\"" ? not_modified : pages);
  return response;
}

ServerResponse SyncUpstream::file(const ServerRequest& request) {
  std::lock_guard lock(mutex_);
  const std::string& name = request.captures[0];
  ++(name.ends_with(".metadata") ? metadata : files);
  if (name == down_file_) return ServerResponse::text(500, "broken");
  const auto found = bytes_.find(name);
  if (found == bytes_.end()) return ServerResponse::not_found();
  return ServerResponse::text(200, found->second, "application/octet-stream");
}

SyncBench::SyncBench(const SyncUpstream& upstream, const std::string& keys) : upstream_url(upstream.simple_url()) {
  HttpClientOptions options;
  options.retry_base_ms = 1;
  transport = make_http_client(options);
  set_keys(keys);
}

void SyncBench::set_keys(const std::string& keys) {
  const std::string text = "storage: " + (dir.path() / "storage").string() +
                           "\nlisten: 127.0.0.1:0\nindexes:\n  pypi:\n" +
                           "    mode: sync\n    upstream: " + upstream_url + "\n" + keys;
  config = parse_mirror_config(parse_yaml(text, (dir.path() / "mirror.yaml").string()));
}

sync::SyncReport SyncBench::run(const sync::SyncOptions& options) {
  sync::SyncOptions unflushed = options;
  unflushed.flush = false;
  return sync::run_sync(config, config.indexes[0], *transport, *runner, clock, events, unflushed);
}

std::vector<std::string> SyncBench::listed(const std::string& project) {
  Catalog catalog(config.storage / "catalog.db");
  std::vector<std::string> out;
  if (const auto document = PageStore(catalog).document("pypi", project)) {
    for (const resolver::IndexFile& file : document->page.files) out.push_back(file.name);
  }
  return out;
}

std::vector<std::string> SyncBench::projects() {
  Catalog catalog(config.storage / "catalog.db");
  return PageStore(catalog).names("pypi");
}

void SyncBench::expect_whole() {
  Catalog catalog(config.storage / "catalog.db");
  PageStore pages(catalog);
  const auto blobs = open_blob_store(config.storage / "blobs");
  for (const std::string& project : pages.names("pypi")) {
    for (const resolver::IndexFile& file : pages.document("pypi", project)->page.files) {
      EXPECT_TRUE(blobs->verify(Digest::parse(file.sha256))) << file.name;
      EXPECT_TRUE(file.metadata_sha256.empty() || blobs->verify(Digest::parse(file.metadata_sha256))) << file.name;
    }
  }
}

}  // namespace dae::mirror::testing
