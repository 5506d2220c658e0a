#pragma once
// What the hosts of packages turned out to be able to do, remembered between runs (<cache>/index-traits.json), so that
// a question which was answered "no" is not asked for every file again. Thread-safe.
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/fs.h"

namespace dae::resolver {

enum class Trait { unannounced_metadata, ranges };
enum class Answer { unknown, yes, no };

class IndexTraits {
 public:
  IndexTraits(Path file, const Clock& clock);  // empty path: remembers for this run only
  Answer get(const std::string& origin, Trait trait) const;
  // Keeps nothing new when the answer is known already. A remembered "no" lapses after a week.
  void set(const std::string& origin, Trait trait, bool able);

  // Leave to use what a host may not be able to do: given to all once it is known to be, to one at a time until then.
  class Trial {
   public:
    Trial(IndexTraits& traits, const std::string& origin, Trait trait);
    ~Trial();
    Trial(const Trial&) = delete;
    Trial& operator=(const Trial&) = delete;
    bool allowed() const { return allowed_; }

   private:
    IndexTraits& traits_;
    const std::pair<std::string, Trait> key_;
    bool allowed_ = false, first_ = false;
  };

 private:
  struct Known {
    bool able = false;
    int64_t learnt_ms = 0;
  };
  void save() const;
  const Path file_;
  const Clock& clock_;
  mutable std::mutex mutex_;
  std::map<std::pair<std::string, Trait>, Known> known_;
  std::set<std::pair<std::string, Trait>> tried_;  // at this moment
};

}  // namespace dae::resolver
