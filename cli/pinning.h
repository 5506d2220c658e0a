#pragma once
// From requirements to a lock: what `lock`, `install`, `uninstall` and `outdated` share. Nothing here writes a file.
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "cli/build_tools.h"
#include "cli/context.h"
#include "resolver/lock/resolve.h"
#include "resolver/source/index.h"

namespace dae::cli {

struct PinOptions {
  std::vector<std::string> upgrade_packages, refresh_packages, import_from;
  std::string python, index, exclude_newer, prereleases, selection;
  bool upgrade = false, locked = false, refresh = false;
  bool no_builds = false;        // what packages are built with is of no interest
  bool complete_builds = false;  // a current lock that does not say so is completed
};
// The options that say how requirements are pinned, the same for every command that pins.
void declare_pin_options(CommandLine& line, PinOptions& options);

// What is locked, and for whom.
struct PinSubject {
  resolver::ProjectFile project;
  std::string requires_python;
  std::vector<resolver::Target> targets;  // at least one
  Path lock;                              // need not exist
};
PinSubject subject_of_app(const builder::AppFile& app, resolver::ProjectFile project,
                          const resolver::Interpreter& python);

// What the lock must answer; `options` may be null: then the project alone decides.
resolver::LockRequest lock_request(const PinSubject& subject, const PinOptions* options);

struct IndexSession {
  IndexChoice choice;
  std::unique_ptr<resolver::SourceBuilder> builder;  // null without an interpreter
  std::unique_ptr<resolver::IndexClient> client;
};
IndexSession open_index(Context& context, const PinSubject& subject, const PinOptions& options,
                        const resolver::Interpreter* python, const resolver::LockRequest* request = nullptr);

struct Pinned {
  std::variant<resolver::LockOutcome, resolver::NoSolution> outcome;
  std::optional<resolver::Lock> previous;
  bool current = false;  // the lock answers these inputs already; nothing was solved
  std::string text;      // of the new lock; empty when current
  bool lock_changed = false;
  std::string summary;  // "resolved 7 packages for …   12 ms  (index: …)"; empty when current
  Path ca_file;         // of the index that was asked
  const resolver::Lock& lock() const { return std::get<resolver::LockOutcome>(outcome).lock; }
  const resolver::NoSolution* no_solution() const { return std::get_if<resolver::NoSolution>(&outcome); }
};
// Throws failed when the lock would have to change and `options.locked` forbids it.
// `python` builds what must be built to be known; null: only what needs no build can be chosen.
Pinned pin(Context& context, const PinSubject& subject, const PinOptions& options, const resolver::Interpreter* python);

// Package by package, what differs between two locks.
struct PinChange {
  std::string name, before, after;  // "" = not there; several versions joined by ", "
};
std::vector<PinChange> pin_changes(const resolver::Lock* before, const resolver::Lock& after);

}  // namespace dae::cli
