#pragma once
// Environments: make a venv equal to a list of wheels. The same code serves `dae install` and every node.
// Wheels are unpacked once per machine into a read-only store and linked from there.
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/blob_store.h"
#include "base/events.h"
#include "base/http_client.h"
#include "base/process.h"
#include "resolver/install/interpreter.h"
#include "resolver/lock/lock.h"
#include "resolver/source/credentials.h"
#include "resolver/source/direct.h"
#include "resolver/standards/simple_page.h"

namespace dae::resolver {

struct WheelToInstall {
  std::string name, version;  // normalised name
  std::string file_name;
  Digest digest;                // of the wheel; its bytes must be in the blob store when apply() runs
  std::string url;              // for direct_url.json only when direct
  std::string direct_url = {};  // direct_url.json as it shall stand; goes before `url`
};

// As it stands in an environment.
struct InstalledPackage {
  std::string name, version;  // name normalised
  std::string digest;         // hex, of the wheel; "" when dae did not install it
  std::string dist_info;      // "flask-3.1.2.dist-info"
};

struct InstallPlan {
  std::vector<WheelToInstall> add;
  std::vector<std::pair<std::string, std::string>> remove;  // name, version
  std::vector<std::string> keep;
  bool make_environment = false;          // no venv yet, or of another interpreter
  std::vector<InstalledPackage> foreign;  // what somebody else installed, to be removed: plan_exact() alone
  std::vector<std::string> immovable;     // "name version: why", of what stays nevertheless
  // All that dae shall have installed, if that was asked for: whoever applies the plan after another process has had
  // its turn takes out what that one added, and puts back what it took.
  std::optional<std::vector<WheelToInstall>> wanted = {};
  bool empty() const { return add.empty() && remove.empty() && foreign.empty() && !make_environment; }
};

// Reads <env>/dae-env.json only (what we installed, by digest); milliseconds. Never removes what we did not install.
InstallPlan plan_install(const Path& env, const Interpreter& python, const std::vector<WheelToInstall>& wanted);
// Adds what stands in site-packages and was not installed by dae. What has no RECORD stays, and so do the `pip`,
// `setuptools` and `wheel` of an environment that dae did not make.
void plan_exact(InstallPlan& plan, const Path& env, const Interpreter& python,
                const std::vector<WheelToInstall>& wanted);

// How files get from the store into an environment.
// - hardlink: one inode for all environments. Whoever edits a file in place edits it everywhere, so it is read-only.
// - reflink: files of their own that share blocks, where the file system can (btrfs, xfs).
// - copy: files of their own.
// - symlink: one link for each top-level entry of a wheel, O(packages). The environment needs the store from then on,
//   which is why it is registered there; namespace packages and what two wheels share become directories of links.
enum class LinkMode { automatic, hardlink, reflink, copy, symlink };
// Throws Error usage for other words than the five above.
LinkMode parse_link_mode(std::string_view text);
std::string_view link_mode_name(LinkMode mode);

struct StorePaths {
  Path unpacked;         // the store: unpacked_store.h
  bool bytecode = true;  // compile when unpacking, once; else Python does it in each first import
  // For machines that nobody watches: what was installed survives a power cut. Flushes the whole file system, which
  // takes 0.1 s on an idle disk and seconds on a busy one. Without it only kills are harmless.
  bool durable = false;
  // automatic: the first of hardlink, reflink, copy that works from this store into this environment. A mode that the
  // file system cannot do falls back in the same order, with a note.
  LinkMode link_mode = LinkMode::automatic;
  size_t link_threads = 0;  // 0: as many as pay
};
// Unpacks what is missing in the store, makes the venv (PEP 405, without running Python), links, writes scripts,
// RECORD, INSTALLER. Killed at any point: the next plan+apply ends right. Holds a lock on the environment. Returns the
// mode that was used; `automatic` when nothing was linked.
LinkMode apply_install(const InstallPlan& plan, const Path& env, const Interpreter& python, BlobStore& blobs,
                       const StorePaths& store, EventSink& events);

class SourceBuilder;

struct FetchOptions {
  bool offline = false;
  Path base_dir;  // of relative paths in the lock; empty: the working directory
  // Called from any thread as soon as a wheel is in the blob store (Unpacker::add), while others are still fetched.
  std::function<void(const WheelToInstall&)> on_wheel = {};
  // What downloads are authorised with. Called once, when something has to be downloaded; null: netrc alone.
  std::function<CredentialStore&()> credentials = {};
  int max_per_host = 0;                       // files at the same time; 0: as many as is usual
  SourceBuilder* builder = nullptr;           // of what is no wheel (install/build.h); null: one that resolves nothing
  std::vector<std::string> build_chain = {};  // what these files are needed to build, outermost first
};
// Fetches the selected files into the blob store, in parallel, digests checked; sdists are built into wheels (PEP 517)
// and replaced by them.
// Repositories are checked out at the locked commit and built likewise, directories as they stand now; what was built
// of the same commit, archive or contents before is used again without a look at the source.
std::vector<WheelToInstall> fetch_selected(const std::vector<Selected>& selected, const Interpreter& python,
                                           Transport& transport, BlobStore& blobs, const Path& cache_dir,
                                           ProcessRunner& runner, EventSink& events, const FetchOptions& options = {});

// Environment variables with which a command runs inside the venv: PATH, VIRTUAL_ENV, no PYTHONHOME.
std::map<std::string, std::string> environment_variables(const Path& env);

}  // namespace dae::resolver
