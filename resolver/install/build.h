#pragma once
// Wheels from source trees (PEP 517, 518, 660): sdists, repositories, directories, editables. A build runs in an
// environment of ours that holds its pinned build requirements and nothing else, without network where bubblewrap
// works. Kept in <cache>/built-wheels/<identity>-<cache tag>/<environment>/: see share/doc/formats/sources.md.
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "resolver/install/build_sandbox.h"
#include "resolver/install/environment.h"

namespace dae::resolver {

class SourceBuilder;

// What is being built for what, outermost first ("a 1.0"): a build requirement may have to be built itself.
using BuildChain = std::vector<std::string>;

struct BuildQuery {
  std::vector<std::string> requirements;  // canonical, sorted
  std::vector<Target> targets;            // the first is the machine at hand
  std::vector<LockedPackage> preferred;   // earlier pins, kept where they fit
  BuildChain chain;
};
// Pins build requirements from the indexes the project uses. Called from several threads. Throws Error failed when they
// cannot be had together.
using BuildResolver = std::function<std::vector<LockedPackage>(SourceBuilder& builder, const BuildQuery& query)>;

struct BuildSetup {
  BuildResolver resolve;                  // null: only what is locked, and what asks for nothing, can be built
  std::shared_ptr<const Lock> lock;       // its locked builds are used as they stand; null: none
  std::vector<std::string> upgrade;       // build tools whose pins are forgotten; "*": all
  bool want_locked = false;               // warn of a build whose requirements are not locked
  std::shared_ptr<BuildSandbox> sandbox;  // null: one with default settings
  std::function<CredentialStore&()> credentials = {};
  Path base_dir;  // of relative paths in the lock
  Path unpacked;  // the store of unpacked wheels; empty: <cache>/unpacked
  bool offline = false;
};

// A tree and the package it is said to be. The name may be "" (not known before the build), the version too.
struct BuildSubject {
  SourceTree tree;
  std::string name, version;
  BuildChain chain = {};
};

// Thread-safe; the references must outlive it.
class SourceBuilder {
 public:
  SourceBuilder(const Interpreter& python, Transport& transport, BlobStore& blobs, Path cache_dir,
                ProcessRunner& runner, EventSink& events, BuildSetup setup = {});
  ~SourceBuilder();

  // The wheel, built before or now, of the name and version that were asked for. A tree that others read is copied
  // first; directories are built where they are, as their back ends may look around them. Throws Error failed with the
  // end of the log as cause; nothing is kept then but the log.
  Path wheel(const BuildSubject& subject);
  // An sdist, made now and put into `folder`.
  Path sdist(const BuildSubject& subject, const Path& folder);
  // The wheel when it was built before with what is locked now. With an identity the tree itself is not looked at.
  std::optional<Path> kept_wheel(const BuildSubject& subject);
  std::string metadata(const BuildSubject& subject);
  // What building it takes: `[build-system] requires` and what the back end adds; canonical, sorted.
  std::vector<std::string> requirements(const BuildSubject& subject);
  // The same when it was found out before; the tree is not looked at.
  std::optional<std::vector<std::string>> known_requirements(const BuildSubject& subject);

  // Pins of these requirements: as earlier ones say, else resolved.
  std::vector<LockedPackage> pins(const std::vector<std::string>& requirements, const BuildChain& chain,
                                  const std::vector<Target>& targets);

  const Interpreter& python() const { return python_; }
  const BuildSetup& setup() const { return setup_; }
  const Path& cache_dir() const { return cache_dir_; }
  Transport& transport() { return transport_; }
  BlobStore& blobs() { return blobs_; }
  ProcessRunner& runner() { return runner_; }
  EventSink& events() { return events_; }
  FetchOptions fetch_options(BuildChain chain);

 private:
  struct Shared;

  const Interpreter python_;
  Transport& transport_;
  BlobStore& blobs_;
  const Path cache_dir_;
  ProcessRunner& runner_;
  EventSink& events_;
  const BuildSetup setup_;
  const std::unique_ptr<Shared> shared_;
};

// Adds to `lock` what its packages that have to be built on this machine are built with. Entries of the builder's own
// (earlier) lock that still answer stay as they are. What cannot be found out is warned of and left out.
void lock_builds(Lock& lock, SourceBuilder& builder);
// Whether lock_builds() would find something to do; looks at nothing but the lock.
bool builds_are_locked(const Lock& lock, const Target& target);

// For IndexOptions::build_metadata and DirectOptions::build_metadata. The builder must outlive them.
std::function<std::string(const IndexFile& file, const Path& sdist)> sdist_metadata_builder(SourceBuilder& builder,
                                                                                            BuildChain chain = {});
std::function<std::string(const SourceTree& tree)> source_metadata_builder(SourceBuilder& builder,
                                                                           BuildChain chain = {});

}  // namespace dae::resolver
