#include "deployer/agent_layout.h"

#include <fmt/format.h>
#include <sys/un.h>

#include <algorithm>

#include "base/error.h"
#include "base/hash.h"
#include "base/strings.h"

namespace dae::deployer {
namespace {

bool is_plain_name(const std::string& name) {
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'; };
  return !name.empty() && name.size() <= 63 && name[0] >= 'a' && name[0] <= 'z' &&
         std::all_of(name.begin(), name.end(), plain);
}

bool stays_inside(const std::string& directory) {
  if (directory.empty() || directory[0] == '/') return false;
  for (const std::string& segment : split(directory, '/')) {
    if (segment == "..") return false;
  }
  return true;
}

}  // namespace

Path NodeLayout::log_file(const std::string& name, const std::string& instance, int number) const {
  return log_dir(name) / fmt::format("{}.{}.log", instance, number);
}

Path NodeLayout::socket_link(const std::string& name, const std::string& instance) const {
  return run(name) / (instance + ".sock");
}

Path NodeLayout::socket(const std::string& name, const std::string& id, const std::string& instance, int number) const {
  Path path = run(name) / fmt::format("{}.{}.{}.sock", digest12(id), instance, number);
  constexpr size_t kLimit = sizeof(sockaddr_un::sun_path) - 1;
  if (path.string().size() > kLimit) {
    throw Error(
        ErrorKind::bad_input,
        fmt::format("the path of a socket would have {} characters, and {} is the most", path.string().size(), kLimit),
        path.string(), "give the agent a shorter `--root`");
  }
  return path;
}

std::optional<InstanceId> InstanceId::parse(const std::string& text) {
  const auto parts = split(text, '/');
  if (parts.size() != 3) return std::nullopt;
  const size_t dot = parts[2].rfind('.');
  const auto number = dot == std::string::npos ? std::nullopt : parse_int(parts[2].substr(dot + 1));
  if (!number || *number < 0 || *number > 9999) return std::nullopt;
  return InstanceId{parts[0], parts[1], parts[2].substr(0, dot), static_cast<int>(*number)};
}

void check_release(const Release& release) {
  if (!is_plain_name(release.app)) throw Error(ErrorKind::bad_input, fmt::format("`{}` is no app name", release.app));
  if (!Digest::is_valid(release.id)) {
    throw Error(ErrorKind::bad_input, fmt::format("`{}` is no release id", release.id), release.app);
  }
  for (const mirror::Instance& instance : release.config.instances) {
    if (!is_plain_name(instance.name)) {
      throw Error(ErrorKind::bad_input, fmt::format("`{}` is no instance name", instance.name), release.app);
    }
  }
  for (const auto& [prefix, directory] : release.config.static_files) {
    if (!stays_inside(directory)) {
      throw Error(ErrorKind::bad_input, fmt::format("static directory `{}` leaves the source tree", directory),
                  release.app);
    }
  }
}

}  // namespace dae::deployer
