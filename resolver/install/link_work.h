#pragma once
// The files that wheels bring, cut into pieces that threads can link side by side: no piece needs another, and none has
// a name that two wheels want. Those are left for afterwards, in the order of the wheels.
#include <algorithm>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "resolver/install/generated_files.h"
#include "resolver/install/unpacked_store.h"

namespace dae::resolver {

struct LinkPiece {
  size_t wheel = 0;
  bool data = false;          // of StoredWheel::data; else of names()
  size_t begin = 0, end = 0;  // indices there
};

class LinkWork {
 public:
  struct Wheel {
    const StoredWheel* stored = nullptr;
    const std::vector<GeneratedFile>* generated = nullptr;
    bool file_by_file = true;  // else there are no pieces of it
  };
  // What the wheels point to is used as long as this lives. `copies`: bytes cost more than names.
  LinkWork(const std::vector<Wheel>& wheels, bool bytecode, bool copies);

  const std::vector<LinkPiece>& pieces() const { return pieces_; }  // the longest first
  // Relative to site/, bytecode among its modules' directories.
  const std::vector<const char*>& names(size_t wheel) const { return sites_[wheel].names; }
  bool is_shared(const LinkPiece& piece, std::string_view name) const;
  // How many are worth starting.
  size_t threads() const;

 private:
  using Claims = std::unordered_map<std::string_view, int>;
  struct Site {
    StoredFiles lists;
    std::vector<const char*> names;
  };
  static void claim(Claims& claims, std::string_view path);
  void read_lists(const std::vector<Wheel>& wheels, bool bytecode);
  void claim_names(const std::vector<Wheel>& wheels);
  void claim_targets(const std::vector<Wheel>& wheels);
  void cut(const std::vector<Wheel>& wheels, bool copies);

  std::vector<Site> sites_;
  Claims names_, targets_;
  std::vector<LinkPiece> pieces_;
  uint64_t cost_ = 0;
};

// Makes the directories above one path after the other, each once as long as they come in order.
class DirTrail {
 public:
  template <typename Make>
  void enter(std::string_view path, const Make& make) {
    const size_t end = path.rfind('/');
    const std::string_view dir = end == std::string_view::npos ? std::string_view() : path.substr(0, end);
    if (dir == last_) return;
    for (size_t at = known_of(dir); at < dir.size();) {
      at = std::min(dir.find('/', at + 1), dir.size());
      make(std::string(dir.substr(0, at)).c_str());
    }
    last_ = dir;
  }

 private:
  // The length of the directories that both have.
  size_t known_of(std::string_view dir) const {
    const auto ends = [](std::string_view path, size_t at) { return at == path.size() || path[at] == '/'; };
    size_t known = 0;
    for (size_t i = 0; i <= dir.size() && i <= last_.size(); ++i) {
      if (ends(dir, i) && ends(last_, i)) known = i;
      if (i == dir.size() || i == last_.size() || dir[i] != last_[i]) break;
    }
    return known;
  }
  std::string last_;
};

}  // namespace dae::resolver
