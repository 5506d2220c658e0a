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
// What one process compiles: its start costs as much as some 40 modules.
constexpr size_t kBatchModules = 400;

}  // namespace

struct Unpacker::State {
  struct Job {
    std::unique_ptr<StoreUnpack> unpack;
    size_t left = 0;  // parts to be unpacked, then batches to be compiled
    bool published = false;
    std::exception_ptr error;
  };
  // Modules of one or more wheels.
  struct Batch {
    std::vector<Job*> jobs;
    std::vector<CompileJob> work;  // one for each of `jobs`
    size_t modules = 0;
  };

  State(const Interpreter& interpreter, BlobStore& blob_store, const StorePaths& paths, EventSink& sink)
      : python(interpreter), blobs(blob_store), store(paths), events(sink) {}
  ~State() { end_threads(); }

  void prepare();
  void submit(std::function<void()> task, bool first = false);
  void work();
  void end_threads();
  void run(Job& job, const std::function<void()>& action);
  void open(Job& job);
  void complete(Job& job);
  void queue_modules(Job& job);
  void compile(Batch& modules, size_t most_processes);
  void ready(Job& job);
  void compile_rest();
  void publish_rest(std::vector<Job*> rest);

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
  Batch batch;                      // not full yet
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

void Unpacker::State::submit(std::function<void()> task, bool first) {
  tasks.insert(first ? tasks.begin() : tasks.end(), std::move(task));
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
    const auto unpack = [this, &job, part] {
      run(job, [&] { job.unpack->unpack_part(part); });
      std::unique_lock guard(mutex);
      const bool is_last = --job.left == 0;
      guard.unlock();
      if (is_last) complete(job);
    };
    submit(unpack, job.unpack->is_long(part));
  }
}

void Unpacker::State::complete(Job& job) {
  run(job, [&] {
    job.unpack->finish_files();
    if (store.bytecode) {
      queue_modules(job);
    } else {
      ready(job);
    }
  });
}

// Compiled while other wheels are still fetched or unpacked, as soon as there is work for a process.
void Unpacker::State::queue_modules(Job& job) {
  CompileJob all = job.unpack->compile_job();
  if (all.modules.empty()) return ready(job);
  const std::scoped_lock lock(mutex);
  for (auto at = all.modules.begin(); at != all.modules.end();) {
    const auto count = std::min(all.modules.end() - at, static_cast<std::ptrdiff_t>(kBatchModules - batch.modules));
    batch.jobs.push_back(&job);
    batch.work.push_back({all.tree, {at, at + count}});
    batch.modules += static_cast<size_t>(count);
    at += count;
    ++job.left;
    if (batch.modules < kBatchModules) break;
    submit([this, full = std::make_shared<Batch>(std::exchange(batch, {}))] { compile(*full, 1); });
  }
}

void Unpacker::State::compile(Batch& modules, size_t most_processes) {
  std::exception_ptr failure;
  try {
    compile_bytecode(modules.work, python, most_processes);
  } catch (...) {
    failure = std::current_exception();
  }
  for (size_t i = 0; i < modules.jobs.size(); ++i) {
    Job& job = *modules.jobs[i];
    job.unpack->add_bytecode(modules.work[i]);
    std::unique_lock lock(mutex);
    if (!job.error) job.error = failure;
    const bool is_last = --job.left == 0;
    lock.unlock();
    if (is_last) run(job, [&] { ready(job); });
  }
}

// Where a power cut shall do no harm, it waits for the disk with all others.
void Unpacker::State::ready(Job& job) {
  if (store.durable) return;
  job.unpack->publish();
  job.published = true;
}

void Unpacker::State::compile_rest() {
  if (batch.jobs.empty()) return;
  Activity activity(events, "compiling", "", batch.modules);
  compile(batch, cpu_threads());
  batch = {};
  activity.finish();
}

void Unpacker::State::publish_rest(std::vector<Job*> rest) {
  std::erase_if(rest, [](const Job* job) { return job->published || job->error; });
  if (rest.empty()) return;
  // Once for all of them, before any gets its final name: after a power cut an entry is whole or not there
  // (3 % of the time of unpacking 26 wheels).
  if (store.durable) sync_file_system(store.unpacked);
  parallel_for(rest.size(), cpu_threads(), [&](size_t i) { rest[i]->unpack->publish(); });
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
  std::vector<State::Job*> all;
  {
    std::unique_lock lock(state.mutex);
    if (state.jobs.empty()) return;
    Activity activity(state.events, "unpacking", "", state.jobs.size());
    state.changed.wait(lock, [&] { return state.unfinished == 0; });
    for (auto& [digest, job] : state.jobs) all.push_back(&job);
    activity.finish();
  }
  state.compile_rest();
  std::ranges::sort(all, {}, [](const State::Job* job) { return job->unpack->wheel().file_name; });
  const auto failed = std::ranges::find_if(all, [](const State::Job* job) { return job->error != nullptr; });
  const std::exception_ptr error = failed == all.end() ? nullptr : (*failed)->error;
  state.publish_rest(all);
  const std::scoped_lock lock(state.mutex);
  state.jobs.clear();
  state.folder.reset();
  state.use.reset();
  if (error) std::rethrow_exception(error);
}

}  // namespace dae::resolver
