#pragma once
// One value per key, made once: whoever needs it first makes it, others wait for that. A value may be asked for ahead
// of time (`reserve`, then `run_reserved` on a worker); a caller who needs it before a worker came to it makes it
// itself, so demand never queues behind guesses. A failure is handed out once, then forgotten.
#include <condition_variable>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace dae::resolver {

template <typename T>
class OnceMap {
 public:
  using Make = std::function<T()>;

  std::shared_ptr<const T> get(const std::string& key, const Make& make) {
    std::unique_lock lock(mutex_);
    std::shared_ptr<Entry> entry = slot(key);
    changed_.wait(lock, [&] { return entry->state != State::running; });
    if (entry->state == State::waiting) run(lock, entry, make);
    if (entry->state == State::failed) {
      forget(key, entry);
      std::rethrow_exception(entry->error);
    }
    return entry->value;
  }

  // True when nobody has asked for it yet: the caller then owes a run_reserved().
  bool reserve(const std::string& key) {
    std::scoped_lock lock(mutex_);
    if (entries_.contains(key)) return false;
    slot(key);
    return true;
  }

  // What is there already; null when it is not, or not yet.
  std::shared_ptr<const T> peek(const std::string& key) {
    std::scoped_lock lock(mutex_);
    const auto found = entries_.find(key);
    return found == entries_.end() || found->second->state != State::done ? nullptr : found->second->value;
  }

  // The next who needs it makes it anew; whoever is at it now is not disturbed.
  void forget(const std::string& key) {
    std::scoped_lock lock(mutex_);
    const auto found = entries_.find(key);
    if (found != entries_.end() && found->second->state == State::done) entries_.erase(found);
  }

  void run_reserved(const std::string& key, const Make& make) {
    std::unique_lock lock(mutex_);
    const auto found = entries_.find(key);
    if (found == entries_.end() || found->second->state != State::waiting) return;
    std::shared_ptr<Entry> entry = found->second;
    run(lock, entry, make);
  }

 private:
  enum class State { waiting, running, done, failed };
  struct Entry {
    State state = State::waiting;
    std::shared_ptr<const T> value;
    std::exception_ptr error;
  };

  std::shared_ptr<Entry>& slot(const std::string& key) {
    std::shared_ptr<Entry>& entry = entries_[key];
    if (!entry) entry = std::make_shared<Entry>();
    return entry;
  }
  void forget(const std::string& key, const std::shared_ptr<Entry>& entry) {
    const auto found = entries_.find(key);
    if (found != entries_.end() && found->second == entry) entries_.erase(found);
  }
  void run(std::unique_lock<std::mutex>& lock, const std::shared_ptr<Entry>& entry, const Make& make) {
    entry->state = State::running;
    lock.unlock();
    std::shared_ptr<const T> value;
    std::exception_ptr error;
    try {
      value = std::make_shared<const T>(make());
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    entry->value = std::move(value);
    entry->error = error;
    entry->state = error ? State::failed : State::done;
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, std::shared_ptr<Entry>> entries_;
};

}  // namespace dae::resolver
