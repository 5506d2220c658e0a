#include "mirror/care/blob_queue.h"

namespace dae::mirror {
namespace {

constexpr int kShards = 256;

int shard_of(const std::string& position) {
  return position.empty() ? 0 : std::stoi(position.substr(0, 2), nullptr, 16);
}

std::string shard_name(int shard) {
  return to_hex(std::string(1, static_cast<char>(shard)));
}

}  // namespace

std::vector<StoredBlob> BlobQueue::list(int shard) const {
  std::vector<StoredBlob> found = blobs_.list(shard_name(shard));
  std::erase_if(found,
                [&](const StoredBlob& blob) { return blob.digest.hex() <= position_ || blob.touched_ms < since_ms_; });
  return found;
}

BlobQueue::Ahead BlobQueue::count() const {
  Ahead ahead;
  for (int shard = shard_of(position_); shard < kShards; ++shard) {
    for (const StoredBlob& blob : list(shard)) {
      ahead.blobs += 1;
      ahead.bytes += blob.size_bytes;
    }
  }
  return ahead;
}

bool BlobQueue::fill() {
  if (next_shard_ < 0) next_shard_ = shard_of(position_);
  while (ahead_.empty() && next_shard_ < kShards) {
    const std::vector<StoredBlob> found = list(next_shard_++);
    ahead_.assign(found.begin(), found.end());
  }
  return !ahead_.empty();
}

std::optional<StoredBlob> BlobQueue::next() {
  std::lock_guard lock(mutex_);
  if (ahead_.empty() && !fill()) return std::nullopt;
  StoredBlob blob = ahead_.front();
  ahead_.pop_front();
  handed_out_[blob.digest.hex()] = false;
  return blob;
}

void BlobQueue::done(const Digest& digest) {
  std::lock_guard lock(mutex_);
  handed_out_[digest.hex()] = true;
  while (!handed_out_.empty() && handed_out_.begin()->second) {
    position_ = handed_out_.begin()->first;
    handed_out_.erase(handed_out_.begin());
  }
}

std::string BlobQueue::position() {
  std::lock_guard lock(mutex_);
  return position_;
}

}  // namespace dae::mirror
