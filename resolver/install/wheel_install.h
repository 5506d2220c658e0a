#pragma once
// Wheels of the store into an environment. The environment's lock is held by the caller.
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/dir.h"
#include "resolver/install/conflicts.h"
#include "resolver/install/generated_files.h"
#include "resolver/install/link_files.h"
#include "resolver/install/link_work.h"

namespace dae::resolver {

class WheelLinker {
 public:
  // The venv is made; `store` is where links may lead to.
  WheelLinker(const EnvLayout& layout, const StorePaths& store, Owners& owners, bool repair);

  struct Job {
    const WheelToInstall& wheel;
    const StoredWheel& stored;
  };
  // On several threads; what comes out does not show it. All RECORDs are there before the first file that they list:
  // from then on the removal of a half-done installation is complete. `on_done`: after each wheel, with how many are.
  void install(const std::vector<Job>& jobs, const std::function<void(size_t)>& on_done);
  // One file again (relative to the root), which another wheel's stood in for; false when the wheel has none such.
  bool restore(const WheelToInstall& wheel, const StoredWheel& stored, const std::string& target);
  // automatic when nothing was linked.
  LinkMode mode() const;
  void report_conflicts(EventSink& events) const { conflicts_.report(events); }

 private:
  struct Source;
  // Indices of what is not linked yet: first those of LinkWork::names() (false), then those of StoredWheel::data.
  using Rest = std::vector<std::pair<bool, size_t>>;
  void install_together(const std::vector<Job>& jobs, const std::function<void()>& on_done);
  std::vector<Rest> link_pieces(const std::vector<Source>& sources, const LinkWork& work,
                                const std::function<void()>& on_done);
  void link_piece(const Source& source, const LinkWork& work, const LinkPiece& piece, Rest& rest);
  bool by_symlink(const StoredWheel& stored) const { return wanted_ == LinkMode::symlink && stored.movable; }
  void put_record(const Source& source);
  void link_tops(const Source& source);
  void link_entry(const Source& source, const std::string& name, bool is_dir);
  void link_children(const Source& source, const std::string& name);
  void link_site_file(const Source& source, const char* name);
  void link_data_file(const Source& source, const StoredWheel::DataFile& file);
  void write_generated(const Source& source);
  void settle_site(const Source& source, const std::string& name);
  void settle(const Source& source, const std::string& target, const std::string& hash, uint64_t size_bytes,
              const std::function<Dir::Linked()>& put);
  void need_dir(const char* name);
  void make_way_for_dir(const char* name);
  void need_parents(const std::string& target);
  void split(const std::string& name, const std::string& leads_to);
  [[noreturn]] void refuse(const std::string& what, const Path& path) const;

  const EnvLayout& layout_;
  const Path store_;
  const LinkMode wanted_;
  const bool bytecode_;
  const size_t threads_;
  Owners& owners_;
  Conflicts conflicts_;
  FileLinker files_;  // of wheels that are linked file by file
  FileLinker symlinks_{LinkMode::symlink};
  const Dir root_, site_;
  std::set<std::string> made_;  // directories of data files
  std::mutex split_mutex_;
};

}  // namespace dae::resolver
