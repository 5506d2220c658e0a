#pragma once
// However many ask for one key at the same time, the work is done once and all get its result or its exception.
#include <functional>
#include <future>
#include <map>
#include <mutex>
#include <string>

namespace dae::mirror {

// Thread-safe. `work` must look again whether the answer is there already: a caller may arrive just after a flight
// has landed.
template <typename Result>
class SingleFlight {
 public:
  Result run(const std::string& key, const std::function<Result()>& work) {
    std::promise<Result> promise;
    {
      std::unique_lock lock(mutex_);
      auto [flight, first] = flights_.try_emplace(key);
      if (!first) {
        std::shared_future<Result> result = flight->second;
        lock.unlock();
        return result.get();
      }
      flight->second = promise.get_future().share();
    }
    try {
      Result result = work();
      promise.set_value(result);
      land(key);
      return result;
    } catch (...) {
      promise.set_exception(std::current_exception());
      land(key);
      throw;
    }
  }

 private:
  void land(const std::string& key) {
    std::lock_guard lock(mutex_);
    flights_.erase(key);
  }
  std::mutex mutex_;
  std::map<std::string, std::shared_future<Result>> flights_;
};

}  // namespace dae::mirror
