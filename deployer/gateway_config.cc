#include "deployer/gateway_config.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/strings.h"

namespace dae::deployer {
namespace {

bool consists_of(std::string_view text, std::string_view extra) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return isalnum(static_cast<unsigned char>(c)) || extra.find(c) != std::string_view::npos;
  });
}

// Configuration comes from artifacts. What could end a word or a string, or name a variable, never gets into the file.
const std::string& checked(const std::string& text, std::string_view extra, std::string_view what,
                           const std::string& app) {
  if (!consists_of(text, extra)) {
    throw Error(ErrorKind::bad_input, fmt::format("{} `{}` has characters that a gateway cannot take", what, text),
                app);
  }
  return text;
}

std::string checked_path(const Path& path, const std::string& app) {
  const std::string text = path.string();
  for (char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || std::string_view("\"\\$'").find(c) != std::string_view::npos) {
      throw Error(ErrorKind::bad_input, fmt::format("path `{}` has characters that a gateway cannot take", text), app);
    }
  }
  return text;
}

using Places = std::vector<std::pair<std::string, std::string>>;

// @NAME@ -> text. Texts put in are not looked through again.
std::string fill(const Path& template_file, const Places& places) {
  const std::string text = read_file(template_file, 1u << 20);
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const auto place = std::find_if(places.begin(), places.end(), [&](const auto& item) {
      return text.compare(at, item.first.size() + 2, "@" + item.first + "@") == 0;
    });
    if (place == places.end()) {
      out += text[at++];
    } else {
      out += place->second;
      at += place->first.size() + 2;
    }
  }
  return out;
}

std::string static_locations(const NginxOptions& options, const GatewayApp& app) {
  std::string out;
  int number = 0;
  for (const auto& [prefix, directory] : app.static_files) {
    checked(prefix, "/._~-", "static prefix", app.app);
    if (!prefix.starts_with('/')) {
      throw Error(ErrorKind::bad_input, fmt::format("static prefix `{}` does not start with `/`", prefix), app.app);
    }
    // Both end with a slash, else `/static` with alias `…/static/` would also serve `/static../`.
    const std::string location = prefix.ends_with('/') ? prefix : prefix + "/";
    std::string target = checked_path(directory, app.app);
    if (!target.ends_with('/')) target += '/';
    const auto older = app.older_static_files.find(prefix);
    std::string error_page;
    if (older != app.older_static_files.end()) {
      error_page = fmt::format("\n            error_page 404 = @dae_older_{};", number);
      // The prefix stands in a regular expression there; of the characters allowed only the dot means something.
      out += fill(options.templates / "older.conf", {{"NUMBER", std::to_string(number++)},
                                                     {"PREFIX", replace_all(location, ".", "\\.")},
                                                     {"DIRECTORY", checked_path(older->second, app.app)}});
    }
    out +=
        fill(options.templates / "static.conf", {{"PREFIX", location}, {"DIRECTORY", target}, {"OLDER", error_page}});
  }
  return out;
}

std::string server_names(const GatewayApp& app) {
  if (app.hosts.empty()) return app.app + " " + app.app + ".localhost";
  std::vector<std::string> names = app.hosts;
  for (const std::string& name : names) checked(name, ".*-_", "host", app.app);
  return join(names, " ");
}

}  // namespace

std::string nginx_config(const NginxOptions& options, const std::vector<GatewayApp>& apps, bool as_root) {
  std::vector<GatewayApp> sorted = apps;
  std::sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.app < b.app; });
  const std::string port = std::to_string(options.port);
  checked(options.address, ".:[]", "address", "gateway");
  std::string servers;
  bool has_default = false;
  for (const GatewayApp& app : sorted) {
    checked(app.app, "-_", "name", app.app);
    const bool is_default = app.hosts.empty() && !has_default;
    has_default = has_default || is_default;
    servers += fill(options.templates / "app.conf", {{"APP", app.app},
                                                     {"SOCKET", checked_path(app.socket_link, app.app)},
                                                     {"ADDRESS", options.address},
                                                     {"PORT", port},
                                                     {"DEFAULT", is_default ? " default_server" : ""},
                                                     {"HOSTS", server_names(app)},
                                                     {"STATIC", static_locations(options, app)}});
  }
  if (!has_default) {
    servers += fill(options.templates / "nobody.conf", {{"ADDRESS", options.address}, {"PORT", port}});
  }
  // As root the workers would become `nobody` and could not reach the sockets.
  return fill(
      options.templates / "main.conf",
      {{"USER", as_root ? "user root;" : ""}, {"ROOT", checked_path(options.root, "gateway")}, {"SERVERS", servers}});
}

}  // namespace dae::deployer
