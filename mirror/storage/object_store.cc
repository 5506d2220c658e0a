#include "mirror/storage/object_store.h"

#include <algorithm>

#include "base/error.h"
#include "base/strings.h"

namespace dae::mirror {
namespace {

// S3 allows 1024 bytes, the prefix of the place included.
constexpr size_t kMaxKey = 1000;

bool is_key_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("-_./").find(c) != std::string_view::npos;
}

}  // namespace

void check_object_key(std::string_view key) {
  std::string wrong;
  if (key.empty()) wrong = "it is empty";
  if (key.size() > kMaxKey) wrong = "it is too long";
  if (!std::all_of(key.begin(), key.end(), is_key_char)) {
    wrong = "a character other than letters, digits, `-`, `_`, `.` and `/`";
  }
  if (wrong.empty()) {
    for (const std::string& segment : split(key, '/')) {
      if (segment.empty() || segment == "." || segment == "..") wrong = "a segment that is empty, `.` or `..`";
    }
  }
  if (wrong.empty()) return;
  throw Error(ErrorKind::bad_input, "an object cannot have this key", html_escape(key.substr(0, 200))).because(wrong);
}

}  // namespace dae::mirror
