#pragma once
// Wheels and archives that a URL or a path names: into the blob store, and out of it as a tree.
#include <string>

#include "base/blob_store.h"
#include "base/events.h"
#include "base/http_client.h"

namespace dae::resolver {

struct FetchedFile {
  Digest digest;
  uint64_t size_bytes = 0;
};

// What the URL gives now. A file whose SHA-256 is known and in the store is not asked for; else what was got before is
// asked for conditionally (ETag, Last-Modified), as <cache>/direct-v1/<hash of the URL>.json remembers it. Offline:
// what was got before. A digest other than `sha256` ("" = any) is Error verification.
FetchedFile fetch_direct_file(const std::string& url, const std::string& sha256, const std::string& label,
                              Transport& transport, BlobStore& blobs, const Path& cache_dir, bool offline,
                              EventSink& events);
FetchedFile take_local_file(const Path& path, const std::string& sha256, const std::string& label, BlobStore& blobs);

// Unpacks below `into` (made here) and gives the folder that holds the project: the archive's only top folder, else
// `into` itself. What is unsafe is refused with `label` as subject.
Path unpack_source(const Path& archive, const Path& into, const std::string& label);

// METADATA of the one `*.dist-info` directory at the top. The archive has to be in order as a whole: what is read here
// is what an installation will find. Throws Error bad_input with `label`.
std::string wheel_metadata(const Path& wheel, const std::string& label);

}  // namespace dae::resolver
