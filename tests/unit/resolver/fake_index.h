#pragma once
// A package index on loopback that does as it is told, and counts what it was asked.
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/hash.h"
#include "base/http_server.h"

namespace dae::resolver::testing {

class FakeIndex {
 public:
  FakeIndex() {
    ServerOptions options;
    options.loops = 1;
    std::vector<Route> routes;
    routes.push_back({"GET", "/{*}", [this](const ServerRequest& request) { return answer(request); }});
    server_ = start_http_server(options, std::move(routes));
  }

  struct Entry {
    ServerResponse response;
    bool ranges = false;        // the server answers Range requests of this one
    std::string last_modified;  // with it, If-Modified-Since is answered 304
    int to_strangers = 0;       // the status for who sends no Authorization field; 0: they get it too
  };

  std::string url() const { return server_->url(); }
  std::string simple() const { return url() + "/simple/"; }
  void set(const std::string& path, Entry entry) {
    std::scoped_lock lock(mutex_);
    entries_[path] = std::move(entry);
  }
  void set_text(const std::string& path, std::string body, std::string type = "application/octet-stream") {
    set(path, {ServerResponse::text(200, std::move(body), std::move(type)), false, ""});
  }
  void set_status(const std::string& path, int status) { set(path, {ServerResponse::text(status, "no"), false, ""}); }
  void remove(const std::string& path) {
    std::scoped_lock lock(mutex_);
    entries_.erase(path);
  }
  int asked(const std::string& path) const {
    std::scoped_lock lock(mutex_);
    const auto found = asked_.find(path);
    return found == asked_.end() ? 0 : found->second;
  }
  int asked() const {
    std::scoped_lock lock(mutex_);
    int sum = 0;
    for (const auto& [path, count] : asked_) sum += count;
    return sum;
  }
  std::string last_header(const std::string& path, const std::string& name) const {
    std::scoped_lock lock(mutex_);
    const auto found = last_.find(path);
    return found == last_.end() ? "" : std::string(found->second.get(name));
  }

  // A page in the old form: nothing but links, hashes in the fragments.
  void set_html_page(const std::string& project, const std::vector<std::pair<std::string, std::string>>& files) {
    std::string body = "<!DOCTYPE html><html><body>\n";
    for (const auto& [name, bytes] : files) {
      body += "<a href=\"../../files/" + name + "#sha256=" + Digest::of(bytes).hex() + "\">" + name + "</a>\n";
    }
    set_text("/simple/" + project + "/", body + "</body></html>\n", "text/html");
  }

 private:
  ServerResponse answer(const ServerRequest& request) {
    std::scoped_lock lock(mutex_);
    ++asked_[request.path];
    last_[request.path] = request.headers;
    const auto found = entries_.find(request.path);
    if (found == entries_.end()) return ServerResponse::not_found();
    const Entry& entry = found->second;
    if (entry.to_strangers != 0 && !request.headers.has("Authorization")) {
      return ServerResponse::text(entry.to_strangers, "no");
    }
    if (!entry.last_modified.empty() && request.headers.get("If-Modified-Since") == entry.last_modified) {
      ServerResponse unchanged;
      unchanged.status = 304;
      return unchanged;
    }
    ServerResponse out = entry.response;
    if (!entry.last_modified.empty()) out.headers.add("Last-Modified", entry.last_modified);
    if (entry.ranges) cut(request, out);
    return out;
  }

  static void cut(const ServerRequest& request, ServerResponse& out) {
    std::string_view range = request.headers.get("Range");
    if (!range.starts_with("bytes=")) return;
    range.remove_prefix(6);
    const size_t dash = range.find('-');
    const uint64_t size = out.body.size();
    uint64_t first = 0, last = size - 1;
    if (dash == 0) {
      first = size - std::min<uint64_t>(size, std::stoull(std::string(range.substr(1))));
    } else {
      first = std::stoull(std::string(range.substr(0, dash)));
      last = std::min<uint64_t>(last, std::stoull(std::string(range.substr(dash + 1))));
    }
    out.body = out.body.substr(first, last - first + 1);
    out.status = 206;
    out.headers.add("Content-Range",
                    "bytes " + std::to_string(first) + "-" + std::to_string(last) + "/" + std::to_string(size));
  }

  mutable std::mutex mutex_;
  std::map<std::string, Entry> entries_;
  std::map<std::string, int> asked_;
  std::map<std::string, Headers> last_;
  std::unique_ptr<HttpServer> server_;
};

}  // namespace dae::resolver::testing
