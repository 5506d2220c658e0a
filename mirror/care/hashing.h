#pragma once
// The part of a verification that takes hours: every blob is read and hashed.
#include <functional>
#include <string>

#include "mirror/care/blob_queue.h"
#include "mirror/care/verify.h"

namespace dae::mirror {

struct Hashed {
  uint64_t blobs = 0, bytes = 0;
};

// Ends when the queue does, or soon after scope.stop(). `on_wrong` is called by one thread at a time, and so is
// `on_mark`, with a position up to which all is done and what was hashed; it is called at the end, too.
Hashed hash_all(const CareScope& scope, const VerifyOptions& options, BlobQueue& queue,
                const std::function<void(const StoredBlob&)>& on_wrong,
                const std::function<void(const std::string& position, const Hashed&)>& on_mark);

// What is left at the speed so far; -1: nothing can be said.
int64_t remaining_ms(uint64_t done, uint64_t total, int64_t elapsed_ms);

}  // namespace dae::mirror
