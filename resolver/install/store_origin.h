#pragma once
// Where a native library looks for others: "$ORIGIN/../../nvidia/cudnn/lib" in DT_RUNPATH (ld.so(8)). Found in the
// stream of its bytes, as strings: every such search path is one, and a string too many costs nothing but speed.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dae::resolver {

class OriginScan {
 public:
  void feed(std::string_view piece);
  // What came behind each "$ORIGIN", once each: "", "/../lib". "$" when they are too many.
  const std::vector<std::string>& found() const { return found_; }

 private:
  size_t scan(std::string_view text);
  bool is_first_ = true, is_elf_ = false;
  std::string rest_;  // of the last piece: the beginning of what may be a path
  std::vector<std::string> found_;
};

// The directory that is meant, from `dir` of a tree on ("pkg/lib"; "" is the root); nullopt when it is outside, or when
// that cannot be told ("$LIB").
std::optional<std::string> resolve_origin(std::string_view dir, std::string_view suffix);

}  // namespace dae::resolver
