#pragma once
// Where things are on a node (share/doc/formats/node.md), and the checks that keep names from leaving it.
#include <optional>
#include <string>

#include "base/fs.h"
#include "deployer/model.h"

namespace dae::deployer {

struct NodeLayout {
  Path root;

  static std::string digest12(const std::string& release_id) { return release_id.substr(0, 12); }

  Path blobs() const { return root / "blobs"; }
  Path unpacked() const { return root / "unpacked"; }
  Path agent() const { return root / "agent"; }
  Path desired_file() const { return agent() / "desired.json"; }
  Path app(const std::string& app) const { return root / "apps" / app; }
  Path state_file(const std::string& name) const { return app(name) / "state.json"; }
  Path current_link(const std::string& name) const { return app(name) / "current"; }
  Path previous_link(const std::string& name) const { return app(name) / "previous"; }
  Path releases(const std::string& name) const { return app(name) / "releases"; }
  Path release(const std::string& name, const std::string& id) const { return releases(name) / digest12(id); }
  Path log_dir(const std::string& name) const { return app(name) / "log"; }
  Path log_file(const std::string& name, const std::string& instance, int number) const;
  Path run(const std::string& app) const { return root / "run" / app; }
  Path socket_link(const std::string& app, const std::string& instance) const;
  // Throws bad_input with a hint when the path does not fit a socket address (sun_path, 108 bytes with the NUL).
  Path socket(const std::string& app, const std::string& id, const std::string& instance, int number) const;
};

// "bubbler/3fa1c9d20b11/web.0"
struct InstanceId {
  std::string app, digest12, instance;
  int number = 0;
  std::string name() const { return instance + "." + std::to_string(number); }
  std::string text() const { return app + "/" + digest12 + "/" + name(); }
  static std::optional<InstanceId> parse(const std::string& text);
};

// Names and paths of a release come from outside; throws bad_input for one that could leave the layout.
void check_release(const Release& release);

}  // namespace dae::deployer
