#include "mirror/storage/blob_arrivals.h"

#include "base/error.h"

namespace dae::mirror {
namespace {

constexpr const char* kPart = ".object";

uint64_t size_of(const Path& file) {
  const auto info = file_info(file);
  return info ? info->size_bytes : 0;
}

// What a later fetch can go on with: the digest decides in the end.
bool is_worth_keeping(const Error& error) {
  return error.kind() == ErrorKind::network || error.kind() == ErrorKind::interrupted;
}

}  // namespace

void BlobArrivals::bring(const Digest& digest, const BlobWatch& watch) {
  std::promise<void> landing;
  std::shared_ptr<Flight> flight;
  bool first = false;
  {
    std::lock_guard lock(mutex_);
    std::shared_ptr<Flight>& known = flights_[digest];
    first = known == nullptr;
    if (first) {
      known = std::make_shared<Flight>();
      known->landing = landing.get_future().share();
    }
    flight = known;
  }
  {
    std::lock_guard lock(flight->mutex);
    flight->watches.push_back(watch);
    if (flight->done > 0 && watch.on_progress) watch.on_progress(flight->part, flight->done, flight->total);
  }
  if (!first) return flight->landing.get();
  try {
    fly(flight, digest, watch.stop);
  } catch (...) {
    land(digest);
    landing.set_exception(std::current_exception());
    throw;
  }
  land(digest);
  landing.set_value();
}

void BlobArrivals::land(const Digest& digest) {
  std::lock_guard lock(mutex_);
  flights_.erase(digest);
}

// Another process that fetches the same blob into the same cache has the first name.
std::unique_ptr<PartFile> BlobArrivals::open_part(const Digest& digest) const {
  const Path path = tmp_ / (digest.hex() + kPart);
  auto part = PartFile::try_open(path);
  if (!part) part = PartFile::try_open(Path(path.string() + "-" + random_hex(8)));
  if (!part) throw Error(ErrorKind::io, "cannot lock the unfinished file", path);
  return part;
}

void BlobArrivals::tell_restart(Flight& flight) {
  std::lock_guard lock(flight.mutex);
  flight.done = 0;
  for (const BlobWatch& watch : flight.watches) {
    if (watch.on_restart) watch.on_restart();
  }
}

// The part goes: who comes now waits for the landing.
void BlobArrivals::end_progress(Flight& flight) {
  std::lock_guard lock(flight.mutex);
  flight.done = 0;
}

void BlobArrivals::fly(const std::shared_ptr<Flight>& flight, const Digest& digest,
                       const std::shared_ptr<const std::atomic<bool>>& stop) {
  // Whoever asked may have looked just before an earlier flight landed.
  if (cache_.has(digest)) return;
  const auto part = open_part(digest);
  try {
    const uint64_t begun_bytes = size_of(part->path());
    bool right = fetch(flight, digest, part->path(), stop);
    if (!right && begun_bytes > 0) {  // its beginning may be what is wrong
      tell_restart(*flight);
      part->clear();
      right = fetch(flight, digest, part->path(), stop);
    }
    if (!right) {
      throw Error(ErrorKind::verification, "the object does not have the bytes of its name", digest.oci(),
                  "`dae mirror verify` takes it out and says who needs it");
    }
    const uint64_t size_bytes = size_of(part->path());
    end_progress(*flight);
    cache_.adopt_part(part->path(), digest);
    on_bytes_(size_bytes);
  } catch (const Error& error) {
    // Those who look on may go on with bytes from elsewhere.
    if (error.kind() == ErrorKind::verification || error.kind() == ErrorKind::not_found) tell_restart(*flight);
    end_progress(*flight);
    if (!is_worth_keeping(error) || size_of(part->path()) == 0) part->discard();
    throw;
  }
}

// False: all came, and it is not what the digest says.
bool BlobArrivals::fetch(const std::shared_ptr<Flight>& flight, const Digest& digest, const Path& part,
                         const std::shared_ptr<const std::atomic<bool>>& stop) {
  ObjectStore::Fetch fetch;
  fetch.into = part;
  fetch.stop = stop;
  fetch.on_progress = [flight, part, before = uint64_t{0}](uint64_t done, uint64_t total) mutable {
    // A server that knows no ranges begins anew.
    if (done < before) tell_restart(*flight);
    before = done;
    std::lock_guard lock(flight->mutex);
    flight->part = part;
    flight->done = done;
    flight->total = total;
    for (const BlobWatch& watch : flight->watches) {
      if (watch.on_progress) watch.on_progress(part, done, total);
    }
  };
  try {
    if (!objects_.fetch(digest, fetch)) throw Error(ErrorKind::not_found, "blob is not in the store", digest.oci());
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::verification) throw;
    return false;  // longer than the object
  }
  return sha256_file(part) == digest;
}

}  // namespace dae::mirror
