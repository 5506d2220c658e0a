#pragma once
#include <unistd.h>

#include <memory>
#include <string>

#include "base/error.h"
#include "base/fs.h"
#include "base/process.h"

namespace dae::mirror::testing {

// A file system of 8 MiB for the time of a test.
class SmallDisk {
 public:
  SmallDisk() : runner_(make_process_runner()) {
    if (::geteuid() != 0) return;
    ProcessSpec spec;
    spec.argv = {"mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", dir_.path().string()};
    mounted_ = runner_->run(spec).exit_code == 0;
  }
  ~SmallDisk() {
    ProcessSpec spec;
    spec.argv = {"umount", "--lazy", dir_.path().string()};
    if (mounted_) runner_->run(spec);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  bool mounted() const { return mounted_; }
  const Path& path() const { return dir_.path(); }
  void fill() {
    for (size_t size = 1u << 20; size > 0; size /= 2) {
      try {
        while (true) append_file(path() / "filler", std::string(size, 'x'));
      } catch (const Error&) {
      }
    }
  }

 private:
  TempDir dir_;
  std::unique_ptr<ProcessRunner> runner_;
  bool mounted_ = false;
};

}  // namespace dae::mirror::testing
