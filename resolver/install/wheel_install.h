#pragma once
// Wheels of the store into an environment. The environment's lock is held by the caller.
#include <set>
#include <string>

#include "base/dir.h"
#include "resolver/install/conflicts.h"
#include "resolver/install/generated_files.h"
#include "resolver/install/link_files.h"

namespace dae::resolver {

class WheelLinker {
 public:
  // The venv is made; `store` is where links may lead to.
  WheelLinker(const EnvLayout& layout, const StorePaths& store, Owners& owners, bool repair);

  // RECORD is there before the first file it lists: from then on the removal of a half-done installation is complete.
  void install(const WheelToInstall& wheel, const StoredWheel& stored);
  // One file again (relative to the root), which another wheel's stood in for; false when the wheel has none such.
  bool restore(const WheelToInstall& wheel, const StoredWheel& stored, const std::string& target);
  // automatic when nothing was linked.
  LinkMode mode() const;
  void report_conflicts(EventSink& events) const { conflicts_.report(events); }

 private:
  struct Source;
  bool by_symlink(const StoredWheel& stored) const { return wanted_ == LinkMode::symlink && stored.movable; }
  void put_record(const Source& source);
  void link_tops(const Source& source);
  void link_entry(const Source& source, const std::string& name, bool is_dir);
  void link_children(const Source& source, const std::string& name);
  void link_file_by_file(const Source& source);
  void link_data(const Source& source);
  void write_generated(const Source& source);
  void settle_site(const Source& source, const std::string& name);
  void settle(const Source& source, const std::string& target, const std::string& hash, uint64_t size_bytes,
              const std::function<Dir::Linked()>& put);
  void need_dir(const char* name);
  void need_parents(const std::string& target);
  void split(const std::string& name, const std::string& leads_to);
  [[noreturn]] void refuse(const std::string& what, const Path& path) const;

  const EnvLayout& layout_;
  const Path store_;
  const LinkMode wanted_;
  const bool bytecode_;
  Owners& owners_;
  Conflicts conflicts_;
  FileLinker files_;  // of wheels that are linked file by file
  FileLinker symlinks_{LinkMode::symlink};
  const Dir root_, site_;
  std::set<std::string> made_;  // directories of data files
};

}  // namespace dae::resolver
