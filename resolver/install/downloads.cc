#include "resolver/install/downloads.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/partial_download.h"

namespace dae::resolver {
namespace {

constexpr uint64_t kMaxFileBytes = 4ull << 30;
// More than this under way at once brings no byte sooner, but each file later: what is whole can be unpacked meanwhile.
constexpr uint64_t kBytesAtOnce = 64 << 20;
constexpr size_t kAlwaysAtOnce = 4;
constexpr uint64_t kGuessedBytes = 1 << 20;  // of a file whose size the lock does not say
constexpr int64_t kRedrawMs = 100;
constexpr int64_t kLookMs = 25;              // at what another process downloads
constexpr int64_t kOtherIsStuckMs = 10'000;  // without a byte

int64_t now_ms() {
  return SystemClock().monotonic_ms();
}

}  // namespace

struct Downloads::File {
  size_t number = 0;
  const Selected* item = nullptr;
  Digest digest;
  std::function<void()> done;
  std::string host;
  uint64_t size_bytes = 0;
  Path part;
  std::string authorization;  // the field that was sent
  int64_t due_ms = 0;
  std::shared_ptr<PartialDownload> download;
  std::future<HttpResponse> answer;  // valid while it is under way
  uint64_t foreign_bytes = 0;        // what another process had of it when last looked at
  int64_t foreign_since_ms = 0;
};

struct Downloads::Inbox {
  std::mutex mutex;
  std::condition_variable wake;
  std::deque<size_t> ready;

  void put(size_t number) {
    {
      std::lock_guard lock(mutex);
      ready.push_back(number);
    }
    wake.notify_one();
  }
};

Downloads::Downloads(Transport& transport, BlobStore& blobs, CredentialStore& credentials, EventSink& events,
                     int max_per_host)
    : transport_(transport),
      blobs_(blobs),
      credentials_(credentials),
      events_(events),
      max_per_host_(max_per_host > 0 ? max_per_host : kDefaultDownloadsPerHost),
      inbox_(std::make_shared<Inbox>()) {}

Downloads::~Downloads() {
  *stop_ = true;
}

void Downloads::add(const Selected& item, const Digest& digest, std::function<void()> done) {
  auto file = std::make_unique<File>();
  file->number = files_.size();
  file->item = &item;
  file->digest = digest;
  file->done = std::move(done);
  file->host = parse_url(item.file.url).origin();
  file->size_bytes = item.file.size_bytes.value_or(kGuessedBytes);
  file->part = blobs_.part(digest);
  total_bytes_ += file->size_bytes;
  files_.push_back(std::move(file));
}

void Downloads::run() {
  if (files_.empty()) return;
  for (const auto& file : files_) waiting_.push_back(file.get());
  std::ranges::stable_sort(waiting_, std::greater<>{}, &File::size_bytes);
  left_ = files_.size();
  const std::string subject = files_.size() == 1 ? files_[0]->item->file.name : fmt::format("{} files", files_.size());
  activity_ = std::make_unique<Activity>(events_, "downloading", subject, total_bytes_, true);
  while (left_ > 0) {
    start_what_fits();
    if (left_ > 0) wait();
  }
  activity_->finish("downloaded");
}

void Downloads::start_what_fits() {
  const int64_t now = now_ms();
  std::erase_if(waiting_, [&](File* file) {
    const bool fits = active_ < kAlwaysAtOnce || active_bytes_ + file->size_bytes <= kBytesAtOnce;
    return fits && file->due_ms <= now && active_of_host_[file->host] < max_per_host_ && start(*file);
  });
}

// False: it stays among those that wait.
bool Downloads::start(File& file) {
  if (!file.download) {
    Download what;
    what.url = file.item->file.url;
    what.digest = file.digest;
    what.size_bytes = file.item->file.size_bytes;
    what.limit_bytes = kMaxFileBytes;
    what.stop = stop_;
    file.download = PartialDownload::begin(std::move(what), file.part);
    if (!file.download) return !wait_for_other_process(file);
    // Under the lock of the part: whoever had it before may have brought the file to its end.
    if (blobs_.has(file.digest) || file.download->complete()) {
      store(file);
      return true;
    }
  }
  send(file);
  return true;
}

// One download is enough for all processes that want the file, unless the one that has begun gets nowhere. False: it is
// in the store.
bool Downloads::wait_for_other_process(File& file) {
  if (blobs_.has(file.digest)) {
    store(file);
    return false;
  }
  const int64_t now = now_ms();
  const auto info = file_info(file.part);
  const uint64_t bytes = info ? info->size_bytes : 0;
  if (file.foreign_since_ms == 0 || bytes != file.foreign_bytes) {
    file.foreign_bytes = bytes;
    file.foreign_since_ms = now;
  }
  if (now - file.foreign_since_ms >= kOtherIsStuckMs)
    file.part = blobs_.part(file.digest).string() + "-" + random_hex(8);
  file.due_ms = now + kLookMs;
  return true;
}

void Downloads::send(File& file) {
  HttpRequest request = file.download->request();
  request.on_done = [inbox = inbox_, number = file.number] { inbox->put(number); };
  credentials_.authorise(request);
  file.authorization = request.headers.get("Authorization");
  file.answer = transport_.send_async(std::move(request));
  ++active_;
  ++active_of_host_[file.host];
  active_bytes_ += file.size_bytes;
  // What fails before it begins is not reported.
  if (file.answer.wait_for(std::chrono::seconds(0)) == std::future_status::ready) inbox_->put(file.number);
}

void Downloads::take_answer(File& file) {
  --active_;
  --active_of_host_[file.host];
  active_bytes_ -= file.size_bytes;
  std::optional<int64_t> pause_ms;
  try {
    pause_ms = file.download->take_answer(std::exchange(file.answer, {}));
  } catch (const Error& error) {
    const bool stranger = error.kind() == ErrorKind::refused || error.kind() == ErrorKind::not_found;
    if (!stranger || !credentials_.has_better(file.item->file.url, file.authorization)) fail(file, error);
    file.download.reset();
    pause_ms = 0;
  }
  if (!pause_ms) return store(file);
  file.due_ms = now_ms() + *pause_ms;
  waiting_.insert(waiting_.begin(), &file);
}

void Downloads::store(File& file) {
  if (file.download && file.download->complete()) blobs_.adopt_part(file.download->part(), file.digest);
  file.download.reset();
  stored_bytes_ += file.size_bytes;
  --left_;
  file.done();
}

void Downloads::wait() {
  const int64_t now = now_ms();
  int64_t until_ms = kRedrawMs;
  for (const File* file : waiting_) {
    // Those that are due already wait for a place.
    if (file->due_ms > now) until_ms = std::min(until_ms, file->due_ms - now);
  }
  std::deque<size_t> ready;
  {
    std::unique_lock lock(inbox_->mutex);
    inbox_->wake.wait_for(lock, std::chrono::milliseconds(until_ms), [&] { return !inbox_->ready.empty(); });
    ready.swap(inbox_->ready);
  }
  for (const size_t number : ready) {
    File& file = *files_[number];
    if (file.answer.valid()) take_answer(file);  // else it was reported twice
  }
  show_progress();
}

void Downloads::show_progress() {
  const int64_t now = now_ms();
  if (now - shown_ms_ < kRedrawMs) return;
  shown_ms_ = now;
  uint64_t bytes = stored_bytes_;
  for (const auto& file : files_) {
    if (file->download) bytes += file->download->done_bytes();
  }
  activity_->progress(std::min(bytes, total_bytes_), total_bytes_);
}

void Downloads::fail(const File& file, const Error& error) const {
  std::string hint = error.hint();
  if (error.kind() == ErrorKind::refused) hint = credentials_.hint(file.item->file.url);
  if (error.kind() == ErrorKind::verification) {
    hint = "the file was replaced on its index, or altered on the way; do not install it";
  }
  if (hint.empty() && error.kind() == ErrorKind::network) hint = "run it again: what has come so far is kept";
  const std::string url = redact_url(file.item->file.url);
  throw Error(error.kind(), "cannot be downloaded: " + error.message(), file.item->file.name, hint)
      .because(error.cause().empty() ? url : error.cause() + ", " + url);
}

}  // namespace dae::resolver
