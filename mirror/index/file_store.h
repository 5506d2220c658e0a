#pragma once
// Files of indexes by digest and name: from the blob store, else pulled through on the first request.
#include <map>
#include <memory>
#include <string>

#include "base/blob_store.h"
#include "mirror/index/file_flights.h"
#include "mirror/index/listing.h"
#include "mirror/index/pull_through.h"

namespace dae::mirror {

// Thread-safe. Only what a kept page lists is served: whatever upstream removes is gone here with the page's next
// refresh, and what the policy holds back is held back here too, kept or not. All throw Error not_found, PolicyRefusal,
// or network when upstream's answer is none or wrong.
class FileStore {
 public:
  FileStore(const Indexes& indexes, PageStore& pages, BlobStore& blobs, Metrics& metrics, Gate& gate,
            Policies& policies)
      : indexes_(indexes),
        pages_(pages),
        blobs_(blobs),
        metrics_(metrics),
        gate_(gate),
        policies_(policies),
        file_flights_(blobs) {}
  // The file as soon as some of it is here. nullptr: it is whole, the blob of its digest, and near.
  std::shared_ptr<GrowingFile> open(const Digest& digest, const std::string& name);
  // What the index, or the blob, says of the size of a file that package() would answer with.
  std::optional<uint64_t> size_bytes(const Digest& digest, const std::string& name);
  // For others whose blobs may have to be fetched first.
  FileFlights& flights() { return file_flights_; }
  // A blob that is there, as a file. Other bytes found in its place: Error network, and the next request finds them
  // gone.
  Path path(const Digest& held);
  // The digest of the blob that holds the answer; it is there.
  Digest package(const Digest& digest, const std::string& name);
  Digest metadata(const Digest& digest, const std::string& name);
  // Attestations of the file (PEP 740) as upstream has them.
  Digest provenance(const Digest& digest, const std::string& name);
  // How long the policy offers the file, if nothing but time changes.
  int64_t offered_until_ms(const Digest& digest, const std::string& name);

 private:
  struct Listed {
    FileRow row;
    PullThroughIndex* index;
    int64_t offered_until_ms;
  };
  Listed find(const Digest& digest, const std::string& name);
  bool holds(const Listed& listed, const Digest& digest);
  FileFlights::Fetch fetch_of(const Listed& listed, const Digest& digest, const std::string& name);
  bool bring(const Digest& digest, const FileWatch& watch);
  Digest pull_provenance(const Listed& listed, const Digest& digest, const std::string& name, const std::string& url);
  Digest pull_metadata(const Digest& digest, const std::string& name);
  std::optional<Digest> announced_metadata(const Listed& listed);
  std::optional<Digest> fetched_metadata(const Listed& listed, const std::string& name);
  Digest extracted_metadata(const Listed& listed, const Digest& digest, const std::string& name);

  const Indexes& indexes_;
  PageStore& pages_;
  BlobStore& blobs_;
  Metrics& metrics_;
  Gate& gate_;
  Policies& policies_;
  SingleFlight<Digest> metadata_flights_;
  FileFlights file_flights_;  // last: its threads use the above
};

// METADATA of the wheel, verbatim. Throws Error bad_input when the archive is none, or has not exactly one.
std::string read_wheel_metadata(const Path& wheel, const std::string& name);

}  // namespace dae::mirror
