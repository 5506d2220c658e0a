#pragma once
// Which files of a page fit one target, and which of them is best. What a text (a set of tags, a requires-python)
// means for the target is found out once, whatever number of pages repeat it. One thread at a time.
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "resolver/source/packed_page.h"
#include "resolver/standards/tags.h"

namespace dae::resolver {

class TargetFit {
 public:
  explicit TargetFit(const Target& target);
  const Target& target() const { return target_; }
  // Rank of the best tag of "py2.py3-none-any" (0 is best), or -1.
  int rank(std::string_view tag_set);
  // How far the platforms of a set are from the target's: 0 one of its own, 1 its system, more for others.
  int distance(std::string_view tag_set) const;
  bool python_fits(std::string_view requires_python);  // one that cannot be read does not count, as with pip

 private:
  int rank_of(std::string_view tag_set) const;
  const Target target_;
  const TagSet tags_;
  const Version python_;
  std::set<std::string, std::less<>> platforms_;  // of tags_: most wheels of other systems fall through here
  std::unordered_map<std::string, int> ranks_;
  std::unordered_map<std::string, bool> pythons_;
};

struct FileRules {
  bool wheels = true, sdists = true;
  std::optional<int64_t> cutoff_ms;
  bool keep_without_time = false;  // with a cutoff
};

// One usable file.
struct RankedFile {
  uint32_t file = 0;
  int rank = 0;  // of wheels
  bool wheel = false;
};

// Reads one page for one target.
class FileChoice {
 public:
  FileChoice(const PackedPage& page, TargetFit& fit, const FileRules& rules);

  struct Release {
    enum class State { nothing, usable, yanked, hidden };
    State state = State::nothing;
    RankedFile best;
    // Whose metadata tells what the version needs: `best`, or where that is an sdist the wheel of the version that is
    // made for the nearest platform. Reading it costs one request where an sdist may cost a build, and wheels of one
    // version that need different things without markers are the fault of their maker.
    RankedFile told_by;
  };
  Release choose(uint32_t release);
  // All usable files of the state that choose() found, best wheel first, then the one sdist.
  std::vector<RankedFile> usable(uint32_t release);

  // Why nothing of the page fits, when nothing does.
  struct Rejected {
    uint32_t wheels = 0, pythons = 0, by_rule = 0, without_time = 0;
    std::string python;  // the greatest of the texts
  };
  const Rejected& rejected() const { return rejected_; }

 private:
  enum class Verdict { rejected, usable, hidden };
  Verdict judge(const PackedFile& file, int& rank);
  RankedFile nearest_wheel(uint32_t release, const RankedFile& otherwise) const;
  bool better(const PackedFile& facts, int rank, const RankedFile& than) const;

  const PackedPage& page_;
  TargetFit& fit_;
  const FileRules& rules_;
  std::vector<int> ranks_;     // by tag set
  std::vector<char> pythons_;  // by requires-python
  Rejected rejected_;
};

}  // namespace dae::resolver
