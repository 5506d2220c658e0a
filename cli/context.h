#pragma once
// What every command is handed: the seams, the global options, and where mirror, control plane and index are found.
#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/events.h"
#include "base/http_client.h"
#include "base/process.h"
#include "base/value.h"
#include "builder/app_file.h"
#include "cli/command_line.h"
#include "resolver/install/interpreter.h"
#include "resolver/source/index.h"

namespace dae::cli {

struct Context {
  GlobalOptions globals;
  SystemClock clock;
  std::unique_ptr<ProcessRunner> runner;
  std::unique_ptr<EventSink> events;

  // Made on first use: most commands open no connection.
  Transport& transport();
  Transport& transport_for_index(const Path& ca_file);

  // Data goes to stdout, all else to stderr (silent with --quiet).
  void print(std::string_view text);
  void say(std::string_view line);
  void print_json(const Value& value);  // pretty, for --json

 private:
  std::unique_ptr<Transport> transport_, index_transport_;
};

// The data folder with templates and nginx configuration: $DAE_SHARE, <binary>/../share/dae, or the source tree's.
Path share_dir();
Path self_executable();

// Each from the flag, the environment (DAE_MIRROR, DAE_CONTROL), ~/.config/dae/config.yaml, or a running `dae local`.
// Throws not_found with a hint when nothing says.
std::string mirror_url(const std::string& flag);
std::string control_url(const std::string& flag);
// Index roots in order: the flag, $DAE_INDEX, the configuration file, the mirror's `pypi`, else what pip would use.
struct IndexChoice {
  std::vector<resolver::IndexSource> indexes;
  Path ca_file;
  std::string label;  // for "index: …"
};
IndexChoice choose_index(Context& context, const std::string& flag);

// Where things are kept.
Path blobs_dir();
Path unpacked_dir();

// The name of the app to act on: the argument, else that of app.yaml here.
std::string app_name_or_here(const std::string& argument);
resolver::Interpreter interpreter_for(Context& context, const builder::AppFile& app, const std::string& flag);

}  // namespace dae::cli
