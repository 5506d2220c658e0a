#pragma once
// Git repositories made on the spot with the git executable, and a smart HTTP server over them.
#include <gtest/gtest.h>

#include <atomic>

#include "base/error.h"
#include "base/hash.h"
#include "base/http_server.h"
#include "base/process.h"
#include "base/strings.h"

namespace dae::resolver::testing {

class GitFolder {
 public:
  GitFolder(Path dir, ProcessRunner& runner) : dir_(std::move(dir)), runner_(runner) {
    make_dirs(dir_);
    git({"init", "-q", "-b", "main"});
  }

  std::string git(std::vector<std::string> arguments, std::optional<std::string> input = {}) const {
    ProcessSpec spec;
    spec.argv = {"git", "-c", "protocol.file.allow=always", "-c", "commit.gpgsign=false"};
    spec.argv.insert(spec.argv.end(), arguments.begin(), arguments.end());
    spec.cwd = dir_;
    spec.stdin_bytes = std::move(input);
    spec.env = {{"GIT_AUTHOR_NAME", "t"},           {"GIT_AUTHOR_EMAIL", "t@example.invalid"},
                {"GIT_COMMITTER_NAME", "t"},        {"GIT_COMMITTER_EMAIL", "t@example.invalid"},
                {"GIT_CONFIG_GLOBAL", "/dev/null"}, {"GIT_CONFIG_NOSYSTEM", "1"}};
    const ProcessResult result = runner_.run(spec);
    EXPECT_EQ(result.exit_code, 0) << join(arguments, " ") << "\n" << result.err;
    return std::string(trim(result.out));
  }

  GitFolder& file(const std::string& name, const std::string& text) {
    make_dirs((dir_ / name).parent_path());
    write_file_atomic(dir_ / name, text);
    return *this;
  }
  // Everything that is there; gives the commit.
  std::string commit(const std::string& message = "change") const {
    git({"add", "-A"});
    git({"commit", "-q", "--allow-empty", "-m", message});
    return git({"rev-parse", "HEAD"});
  }
  const Path& dir() const { return dir_; }
  std::string url() const { return "file://" + dir_.string(); }

 private:
  Path dir_;
  ProcessRunner& runner_;
};

// pyproject.toml of a project that builds itself without anything from elsewhere.
inline std::string self_building(const std::string& name, const std::string& version) {
  return "[build-system]\nrequires = []\nbuild-backend = \"backend\"\nbackend-path = [\".\"]\n[project]\nname = \"" +
         name + "\"\nversion = \"" + version + "\"\n";
}

// `git http-backend` behind our own server; with a login, nothing is answered without it.
class GitServer {
 public:
  GitServer(Path root, ProcessRunner& runner, std::string login = "")
      : root_(std::move(root)), runner_(runner), login_(std::move(login)) {
    std::vector<Route> routes;
    for (const char* method : {"GET", "POST"}) {
      routes.push_back({method, "/{*}", [this](const ServerRequest& request) { return answer(request); }, 64 << 20});
    }
    server_ = start_http_server({}, std::move(routes));
  }
  std::string url() const { return server_->url(); }
  int asked() const { return asked_; }

 private:
  ServerResponse answer(const ServerRequest& request) {
    ++asked_;
    if (request.path.starts_with("/moved/")) {
      ServerResponse moved;
      moved.status = 302;
      moved.headers.add("Location", request.target.substr(6));
      return moved;
    }
    if (!login_.empty() && request.headers.get("Authorization") != "Basic " + base64(login_)) {
      ServerResponse denied = ServerResponse::text(401, "who are you?");
      denied.headers.add("WWW-Authenticate", "Basic realm=\"git\"");
      return denied;
    }
    const size_t mark = request.target.find('?');
    ProcessSpec spec;
    spec.argv = {"git", "http-backend"};
    spec.env = {{"GIT_PROJECT_ROOT", root_.string()},
                {"GIT_HTTP_EXPORT_ALL", "1"},
                {"PATH_INFO", request.path},
                {"QUERY_STRING", mark == std::string::npos ? "" : request.target.substr(mark + 1)},
                {"REQUEST_METHOD", request.method},
                {"CONTENT_TYPE", std::string(request.headers.get("Content-Type"))},
                {"CONTENT_LENGTH", std::to_string(request.body.size())},
                {"GIT_CONFIG_GLOBAL", "/dev/null"}};
    spec.stdin_bytes = request.body;
    const ProcessResult result = runner_.run(spec);
    return cgi(result.out);
  }

  static ServerResponse cgi(const std::string& out) {
    ServerResponse response;
    const size_t end = out.find("\r\n\r\n");
    if (end == std::string::npos) return ServerResponse::text(500, "no header");
    for (const std::string& line : split_lines(out.substr(0, end))) {
      const size_t colon = line.find(':');
      const std::string name = line.substr(0, colon), value(trim(line.substr(colon + 1)));
      if (name == "Status") {
        response.status = static_cast<int>(parse_int(value.substr(0, 3)).value_or(500));
      } else {
        response.headers.add(name, value);
      }
    }
    response.body = out.substr(end + 4);
    return response;
  }

  const Path root_;
  ProcessRunner& runner_;
  const std::string login_;
  std::atomic<int> asked_ = 0;
  std::unique_ptr<HttpServer> server_;
};

}  // namespace dae::resolver::testing
