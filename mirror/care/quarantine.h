#pragma once
// Blobs whose bytes are not what their name says: taken out of the way by whoever meets one.
#include "base/blob_store.h"

namespace dae::mirror {

// Hashes it again, and moves it to quarantine when it is wrong: true. False: it is right, or not there.
bool quarantine_if_wrong(BlobStore& blobs, const Digest& digest);

}  // namespace dae::mirror
