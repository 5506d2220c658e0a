#include <algorithm>
#include <condition_variable>
#include <deque>
#include <map>
#include <thread>

#include "base/clock.h"
#include "base/error.h"
#include "resolver/install/parallel.h"
#include "resolver/install/store_unpack.h"
#include "resolver/install/store_work.h"
#include "resolver/install/unpacked_store.h"

namespace dae::resolver {
namespace {

constexpr size_t kMostThreads = 32;  // more wait for each other's directories

}  // namespace

struct Unpacker::State {
  struct Job {
    std::unique_ptr<StoreUnpack> unpack;
    size_t left = 0;  // parts
    bool published = false;
    std::exception_ptr error;
  };

  State(const Interpreter& interpreter, BlobStore& blob_store, const StorePaths& paths, EventSink& sink)
      : python(interpreter), blobs(blob_store), store(paths), events(sink) {}
  ~State() { end_threads(); }

  void prepare();
  void submit(std::function<void()> task);
  void work();
  void end_threads();
  void run(Job& job, const std::function<void()>& action);
  void open(Job& job);
  void complete(Job& job);
  bool publishes_early() const { return !store.bytecode && !store.durable; }
  void compile(std::vector<Job*>& ready);
  void publish(std::vector<Job*>& ready);

  const Interpreter& python;
  BlobStore& blobs;
  const StorePaths store;
  EventSink& events;

  std::mutex mutex;
  std::condition_variable wake, changed;
  std::deque<std::function<void()>> tasks;
  size_t waiting = 0;     // threads without a task
  size_t unfinished = 0;  // tasks that are queued or run
  bool ending = false;
  std::map<std::string, Job> jobs;  // by digest
  std::optional<FileLock> use;
  std::unique_ptr<StoreWork> folder;
  std::vector<std::thread> threads;
};

// What an unpacker that has nothing to do can be spared. Under the mutex.
void Unpacker::State::prepare() {
  if (folder) return;
  use = lock_store_for_use(store);
  for (const Path& path : abandoned_work(store.unpacked, SystemClock().wall_ms())) remove_abandoned(path);
  folder = std::make_unique<StoreWork>(store.unpacked);
}

void Unpacker::State::submit(std::function<void()> task) {
  tasks.push_back(std::move(task));
  ++unfinished;
  if (waiting >= tasks.size()) {
    wake.notify_one();
  } else if (threads.size() < std::min(cpu_threads(), kMostThreads)) {
    threads.emplace_back([this] { work(); });
  }
}

void Unpacker::State::work() {
  std::unique_lock lock(mutex);
  for (;;) {
    ++waiting;
    wake.wait(lock, [&] { return ending || !tasks.empty(); });
    --waiting;
    if (ending) return;
    const std::function<void()> task = std::move(tasks.front());
    tasks.pop_front();
    lock.unlock();
    task();
    lock.lock();
    if (--unfinished == 0) changed.notify_all();
  }
}

void Unpacker::State::end_threads() {
  {
    const std::scoped_lock lock(mutex);
    ending = true;
    wake.notify_all();
  }
  for (std::thread& thread : threads) thread.join();
}

// The first failure of a wheel counts; what is left of it is not done then.
void Unpacker::State::run(Job& job, const std::function<void()>& action) {
  {
    const std::scoped_lock lock(mutex);
    if (job.error) return;
  }
  try {
    action();
  } catch (...) {
    const std::scoped_lock lock(mutex);
    if (!job.error) job.error = std::current_exception();
  }
}

void Unpacker::State::open(Job& job) {
  size_t parts = 0;
  run(job, [&] { parts = job.unpack->open(); });
  if (parts == 0) return complete(job);
  const std::scoped_lock lock(mutex);
  job.left = parts;
  for (size_t part = 0; part < parts; ++part) {
    submit([this, &job, part] {
      run(job, [&] { job.unpack->unpack_part(part); });
      std::unique_lock guard(mutex);
      const bool is_last = --job.left == 0;
      guard.unlock();
      if (is_last) complete(job);
    });
  }
}

void Unpacker::State::complete(Job& job) {
  run(job, [&] {
    job.unpack->finish_files();
    if (!publishes_early()) return;
    job.unpack->publish();
    job.published = true;
  });
}

void Unpacker::State::compile(std::vector<Job*>& ready) {
  Activity activity(events, "compiling", "", ready.size());
  std::vector<CompileJob> work;
  for (Job* job : ready) work.push_back(job->unpack->compile_job());
  compile_bytecode(work, python);
  for (size_t i = 0; i < ready.size(); ++i) ready[i]->unpack->add_bytecode(work[i]);
  activity.finish();
}

void Unpacker::State::publish(std::vector<Job*>& ready) {
  std::erase_if(ready, [](const Job* job) { return job->published; });
  if (ready.empty()) return;
  if (store.bytecode) compile(ready);
  // Once for all of them, before any gets its final name: after a power cut an entry is whole or not there
  // (3 % of the time of unpacking 26 wheels).
  if (store.durable) sync_file_system(store.unpacked);
  parallel_for(ready.size(), cpu_threads(), [&](size_t i) {
    ready[i]->unpack->publish();
    ready[i]->published = true;
  });
}

Unpacker::Unpacker(const Interpreter& python, BlobStore& blobs, const StorePaths& store, EventSink& events)
    : state_(std::make_unique<State>(python, blobs, store, events)) {}

Unpacker::~Unpacker() = default;

void Unpacker::add(const WheelToInstall& wheel) {
  State& state = *state_;
  {
    const std::scoped_lock lock(state.mutex);
    if (state.jobs.contains(wheel.digest.hex())) return;
  }
  if (find_unpacked(state.store, wheel.digest.hex(), store_tag(state.python))) return;
  const std::scoped_lock lock(state.mutex);
  state.prepare();
  State::Job& job = state.jobs[wheel.digest.hex()];
  if (job.unpack) return;
  job.unpack = std::make_unique<StoreUnpack>(wheel, state.python, state.blobs, state.store, state.folder->path());
  state.submit([&state, &job] { state.open(job); });
}

void Unpacker::finish() {
  State& state = *state_;
  std::vector<State::Job*> ready;
  {
    std::unique_lock lock(state.mutex);
    if (state.jobs.empty()) return;
    Activity activity(state.events, "unpacking", "", state.jobs.size());
    state.changed.wait(lock, [&] { return state.unfinished == 0; });
    for (auto& [digest, job] : state.jobs) ready.push_back(&job);
    activity.finish();
  }
  std::ranges::sort(ready, {}, [](const State::Job* job) { return job->unpack->wheel().file_name; });
  std::exception_ptr error;
  for (const State::Job* job : ready) {
    if (job->error && !error) error = job->error;
  }
  std::erase_if(ready, [](const State::Job* job) { return job->error != nullptr; });
  if (!error) state.publish(ready);
  const std::scoped_lock lock(state.mutex);
  state.jobs.clear();
  state.folder.reset();
  state.use.reset();
  if (error) std::rethrow_exception(error);
}

}  // namespace dae::resolver
