#pragma once
// What every command is handed: the seams, the global options, and where mirror, control plane and index are found.
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/blob_store.h"
#include "base/clock.h"
#include "base/events.h"
#include "base/http_client.h"
#include "base/process.h"
#include "base/value.h"
#include "builder/app_file.h"
#include "cli/command_line.h"
#include "resolver/install/build_sandbox.h"
#include "resolver/install/interpreter.h"
#include "resolver/lock/project.h"
#include "resolver/source/credentials.h"
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
  resolver::CredentialStore& credentials();
  BlobStore& blobs();
  std::shared_ptr<resolver::BuildSandbox> build_sandbox();

  // Data goes to stdout, all else to stderr (silent with --quiet).
  void print(std::string_view text);
  void say(std::string_view line);
  void print_json(const Value& value);  // pretty, for --json

 private:
  std::unique_ptr<Transport> transport_, index_transport_;
  std::unique_ptr<resolver::CredentialStore> credentials_;
  std::unique_ptr<BlobStore> blobs_;
  std::shared_ptr<resolver::BuildSandbox> build_sandbox_;
};

// The data folder with templates and nginx configuration: $DAE_SHARE, <binary>/../share/dae, or the source tree's.
Path share_dir();
Path self_executable();

// Each from the flag, the environment (DAE_MIRROR, DAE_CONTROL), ~/.config/dae/config.yaml, or a running `dae local`.
// Throws not_found with a hint when nothing says.
std::string mirror_url(const std::string& flag);
std::string control_url(const std::string& flag);
// Who says which index to ask: the flag, $DAE_INDEX, the project's settings, the configuration file, the mirror's
// `pypi`, else what pip would use. Indexes that a project pins packages to are asked for those whatever the flag says.
struct IndexChoice {
  std::vector<resolver::IndexSource> indexes;  // each knows who named it
  std::map<std::string, std::string> index_of;
  std::vector<std::string> find_links;
  Path ca_file;
  std::string label;  // for "index: …"; without credentials
};
// `project` may be null. The credentials of the indexes are known to context.credentials() from then on.
IndexChoice choose_index(Context& context, const std::string& flag, const resolver::ProjectFile* project = nullptr);
// What of the choice and the global options decides how an index is read.
resolver::IndexOptions index_options(Context& context, const IndexChoice& choice);
// The credentials to download what a lock names, when no index had to be chosen to read the lock.
resolver::CredentialStore& download_credentials(Context& context, const Path& app_dir);

// Where things are kept.
Path blobs_dir();
Path unpacked_dir();

// The name of the app to act on: the argument, else that of app.yaml here.
std::string app_name_or_here(const std::string& argument);
// `flag`, $DAE_PYTHON, .python-version, whatever fits; always within app.yaml's `python`, else `requires-python`.
resolver::Interpreter interpreter_for(Context& context, const builder::AppFile& app, const std::string& flag);

}  // namespace dae::cli
