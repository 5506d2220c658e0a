#include "mirror/index/file_flights.h"

namespace dae::mirror {
namespace {

// As many as the HTTP client keeps connections: more would only wait there.
constexpr int kFetches = 64;

}  // namespace

bool wants_the_end(const ServerRequest& request) {
  const std::string_view range = request.headers.get("Range");
  return range.empty() || (range.starts_with("bytes=") && range.ends_with('-') && range.size() > 7);
}

FileFlights::FileFlights(const BlobStore& blobs) : blobs_(blobs), pool_(kFetches) {}

FileFlights::~FileFlights() {
  *stop_ = true;
  pool_.stop();
}

std::shared_ptr<FileFlights::Flight> FileFlights::join(const Digest& digest, Fetch fetch) {
  std::lock_guard lock(mutex_);
  std::shared_ptr<Flight>& flight = flights_[digest];
  if (flight) return flight;
  flight = std::make_shared<Flight>();
  pool_.submit([this, flight, digest, fetch = std::move(fetch)] { fly(flight, digest, fetch); });
  return flight;
}

void FileFlights::fly(const std::shared_ptr<Flight>& flight, const Digest& digest, const Fetch& fetch) {
  std::exception_ptr error;
  try {
    if (*stop_) throw Error(ErrorKind::interrupted, "the mirror stops", digest.oci());
    // Whoever asked may have looked just before an earlier flight landed.
    if (!blobs_.is_near(digest)) fetch(watch_of(flight));
  } catch (...) {
    error = std::current_exception();
  }
  land(*flight, digest, error);
}

void FileFlights::land(Flight& flight, const Digest& digest, std::exception_ptr error) {
  {
    std::lock_guard lock(mutex_);
    flights_.erase(digest);
  }
  std::lock_guard lock(flight.mutex);
  if (flight.file && error) flight.file->break_off();
  if (flight.file && !error) flight.file->finish();
  flight.landed = true;
  flight.error = error;
  flight.changed.notify_all();
}

FileWatch FileFlights::watch_of(const std::shared_ptr<Flight>& flight) const {
  FileWatch watch;
  watch.stop = stop_;
  watch.on_progress = [flight](const Path& part, uint64_t done, uint64_t total) {
    std::lock_guard lock(flight->mutex);
    if (!flight->file) {
      // All at once: its digest will be known in a moment, and then it is a file like any other.
      if (total == 0 || done >= total) return;
      flight->file = std::make_shared<GrowingFile>(part, total);
      flight->file->grow_to(done);
      flight->changed.notify_all();
    } else {
      flight->file->grow_to(done);
    }
  };
  watch.on_restart = [flight] {
    std::lock_guard lock(flight->mutex);
    if (flight->file) flight->file->break_off();
    flight->file.reset();
  };
  return watch;
}

std::shared_ptr<GrowingFile> FileFlights::open(const Digest& digest, Fetch fetch) {
  const std::shared_ptr<Flight> flight = join(digest, std::move(fetch));
  std::unique_lock lock(flight->mutex);
  flight->changed.wait(lock, [&] { return flight->landed || flight->file; });
  if (!flight->landed) return flight->file;
  if (flight->error) std::rethrow_exception(flight->error);
  return nullptr;
}

void FileFlights::complete(const Digest& digest, Fetch fetch) {
  const std::shared_ptr<Flight> flight = join(digest, std::move(fetch));
  std::unique_lock lock(flight->mutex);
  flight->changed.wait(lock, [&] { return flight->landed; });
  if (flight->error) std::rethrow_exception(flight->error);
}

}  // namespace dae::mirror
