#include "resolver/install/store_origin.h"

#include <algorithm>

namespace dae::resolver {
namespace {

constexpr std::string_view kElfMagic =
    "\x7f"
    "ELF";
constexpr std::string_view kPlain = "$ORIGIN", kBraced = "${ORIGIN}";
constexpr size_t kLongestPath = 4096, kMostPaths = 1000;

}  // namespace

void OriginScan::feed(std::string_view piece) {
  if (is_first_) is_elf_ = piece.starts_with(kElfMagic);
  is_first_ = false;
  if (!is_elf_) return;
  if (!rest_.empty()) {
    const size_t head = std::min(piece.size(), kLongestPath);
    rest_ += piece.substr(0, head);
    const size_t done = scan(rest_);
    // What begins in the old bytes is done with, unless the piece is shorter than a path.
    if (head == piece.size()) {
      rest_.erase(0, done);
      return;
    }
    rest_.clear();
  }
  rest_ = piece.substr(scan(piece));
}

// Returns from where on it has to be looked at again with what follows.
size_t OriginScan::scan(std::string_view text) {
  size_t at = 0;
  while (is_elf_ && (at = text.find('$', at)) != std::string_view::npos) {
    const std::string_view tail = text.substr(at);
    const std::string_view word = tail.starts_with(kPlain) ? kPlain : kBraced;
    if (!tail.starts_with(word)) {
      if (tail.size() < kBraced.size() && (kPlain.starts_with(tail) || kBraced.starts_with(tail))) return at;
      ++at;
      continue;
    }
    const size_t end = tail.find_first_of(std::string_view("\0:", 2), word.size());
    if (end == std::string_view::npos && tail.size() < kLongestPath) return at;
    std::string suffix(tail.substr(word.size(), std::min(end, kLongestPath) - word.size()));
    if (std::ranges::find(found_, suffix) == found_.end()) found_.push_back(std::move(suffix));
    if (found_.size() >= kMostPaths) {
      found_ = {"$"};
      is_elf_ = false;
    }
    at += word.size();
  }
  return text.size();
}

std::optional<std::string> resolve_origin(std::string_view dir, std::string_view suffix) {
  if (suffix.find('$') != std::string_view::npos) return std::nullopt;
  std::vector<std::string_view> parts;
  for (std::string_view text : {dir, suffix}) {
    while (!text.empty()) {
      const std::string_view part = text.substr(0, text.find('/'));
      text.remove_prefix(std::min(text.size(), part.size() + 1));
      if (part == "..") {
        if (parts.empty()) return std::nullopt;
        parts.pop_back();
      } else if (!part.empty() && part != ".") {
        parts.push_back(part);
      }
    }
  }
  std::string out;
  for (const std::string_view part : parts) (out += out.empty() ? "" : "/") += part;
  return out;
}

}  // namespace dae::resolver
