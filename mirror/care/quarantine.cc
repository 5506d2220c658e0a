#include "mirror/care/quarantine.h"

#include "base/log.h"

namespace dae::mirror {

bool quarantine_if_wrong(BlobStore& blobs, const Digest& digest) {
  if (blobs.verify(digest) || !blobs.find(digest)) return false;
  log_error("a blob is not what its name says", {{"sha256", digest.hex()}, {"moved_to", "quarantine"}});
  blobs.quarantine(digest);
  return true;
}

}  // namespace dae::mirror
