#pragma once
// app.yaml: what an app is. Strict reading with file:line:column and the nearest known key; share/app.schema.json is
// the same contract for editors.
#include <map>
#include <string>
#include <vector>

#include "base/value.h"
#include "mirror/artifact/artifact.h"

namespace dae::builder {

struct AppFile {
  Path dir;                              // the folder that holds app.yaml
  mirror::AppConfig config;              // version, revision and lock_digest still empty
  std::vector<std::string> exclude;      // build.exclude globs
  std::vector<std::string> build_steps;  // build.steps
  std::vector<std::string> protected_files;
  std::vector<std::string> ci_steps;
  std::vector<std::string> ci_reports;        // ci.reports
  std::string file;                           // as named in messages: "app.yaml"
  std::map<std::string, Position> positions;  // of values, by dotted key: "instances.web.wsgi"
};

AppFile parse_app_file(const Document& document, const Path& dir);
// Looks in `start` and its parents. Throws not_found: "no app.yaml here; dae create NAME".
AppFile find_app_file(const Path& start);
// Things that parse but cannot work: a missing wsgi module, two instances of one socket, static directories that are
// not there, no lock. Each with its position.
struct Finding {
  bool error = false;
  std::string where;  // "app.yaml:7:3"
  std::string message, hint;
};
std::vector<Finding> check_app(const AppFile& app);

}  // namespace dae::builder
