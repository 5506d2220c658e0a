#include "mirror/care/quarantine.h"

#include "base/dir.h"
#include "base/error.h"

namespace dae::mirror {

void Quarantine::take(const BlobStore& blobs, const Digest& digest) {
  make_dirs(dir_);
  try {
    rename_path(blobs.path(digest), dir_ / digest.hex());
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::not_found) throw;  // somebody else took it
    return;
  }
  // The time it was taken, not when the bytes were written.
  Dir::open(dir_).touch(digest.hex().c_str());
}

std::vector<Digest> Quarantine::list() const {
  std::vector<Digest> found;
  for (const std::string& name : list_dir(dir_)) {
    if (Digest::is_valid(name)) found.push_back(Digest::parse(name));
  }
  return found;
}

uint64_t Quarantine::size_bytes() const {
  uint64_t sum = 0;
  for (const Digest& digest : list()) {
    if (const auto info = file_info(dir_ / digest.hex())) sum += info->size_bytes;
  }
  return sum;
}

uint64_t Quarantine::forget(int64_t since_ms) {
  uint64_t freed_bytes = 0;
  for (const Digest& digest : list()) {
    const auto info = file_info(dir_ / digest.hex());
    if (!info || info->mtime_ns / 1'000'000 >= since_ms) continue;
    if (remove_file(dir_ / digest.hex())) freed_bytes += info->size_bytes;
  }
  return freed_bytes;
}

Quarantine quarantine_beside(const BlobStore& blobs) {
  const Path shard = blobs.path(Digest::of("")).parent_path();  // <storage>/blobs/sha256/e3
  return Quarantine(shard.parent_path().parent_path().parent_path());
}

}  // namespace dae::mirror
