#pragma once
// One wheel on its way into the store. Every function may run on any thread, parts at the same time; the order is
// open, the parts, finish_files, (compiling), publish. All throw Error with the wheel's file name as subject.
#include <atomic>
#include <mutex>

#include "base/dir.h"
#include "resolver/install/store_bytecode.h"
#include "resolver/install/wheel_check.h"

namespace dae::resolver {

class StoreUnpack {
 public:
  // Made in `work`, a directory of this run.
  StoreUnpack(const WheelToInstall& wheel, const Interpreter& python, BlobStore& blobs, const StorePaths& store,
              const Path& work);

  const WheelToInstall& wheel() const { return wheel_; }
  // Checks what can be checked and makes the directories. Returns the number of parts: shares of the work for threads.
  // 0 when the files came from the entry without bytecode.
  size_t open();
  bool is_long(size_t part) const;  // one large file, better begun early than last
  void unpack_part(size_t part);
  void finish_files();
  CompileJob compile_job();                  // makes the directories for it
  void add_bytecode(const CompileJob& job);  // the whole of it or a part
  void publish();

 private:
  void open_archive();
  bool link_source_entry();
  void plan_parts();
  void unpack_file(PlacedFile& file);
  void note_origins(const PlacedFile& file, const std::vector<std::string>& suffixes);
  void write_record();
  void list_files();
  [[noreturn]] void rethrow(const class Error& error) const;

  const WheelToInstall wheel_;
  const Interpreter& python_;
  BlobStore& blobs_;
  const StorePaths& store_;
  const Path dir_;
  std::optional<Dir> to_;
  std::optional<ZipFile> zip_;
  CheckedWheel checked_;
  std::vector<std::pair<size_t, size_t>> parts_;  // of checked_.files

  StoredWheel out_;
  std::vector<std::string> dirs_;                        // of site/
  std::vector<std::pair<std::string, uint64_t>> files_;  // of site/, with their sizes; sorted
  std::vector<std::string> bytecode_dirs_, bytecode_;

  std::mutex mutex_;  // of what parts find out
  bool movable_ = true;
  std::vector<std::string> rewritten_;  // paths of scripts that begin with "#!python"
};

}  // namespace dae::resolver
