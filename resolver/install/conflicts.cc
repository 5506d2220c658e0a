#include "resolver/install/conflicts.h"

#include <fmt/format.h>

#include "base/error.h"
#include "resolver/install/wheel_check.h"

namespace dae::resolver {
namespace {

// Behind a link it is the store's file that counts.
bool has_contents(const Path& path, const std::string& hash, uint64_t size_bytes) {
  const auto info = file_info(path);
  if (!info || info->is_dir() || (info->is_file() && info->size_bytes != size_bytes) || !exists(path)) return false;
  return "sha256=" + digest_base64url(sha256_file(path)) == hash;
}

}  // namespace

Conflicts::Verdict Conflicts::settle(const std::string& target, const std::string& hash, uint64_t size_bytes,
                                     const std::string& dist_info) {
  const Path path = layout_.root / target;
  if (const auto info = file_info(path); info && info->is_dir()) {
    throw Error(ErrorKind::refused, "a directory is in the way of a file", path.string());
  }
  const bool same = has_contents(path, hash, size_bytes);
  const std::vector<Owners::Claim> claims = owners_.others(target, dist_info);
  if (claims.empty()) {
    if (repair_ || same) return Verdict::replace;
    throw Error(ErrorKind::refused, "a file that dae did not install is in the way", path.string(),
                "remove it, or the environment as a whole; the next install makes it anew");
  }
  if (same) return Verdict::keep;
  const std::string other = distribution_of(claims.front().dist_info), own = distribution_of(dist_info);
  const bool ours_stays = own > other;
  Clash& clash = clashes_[std::minmax(own, other)];
  if (clash.files++ == 0) clash.first = target;
  clash.stays = ours_stays ? own : other;
  return ours_stays ? Verdict::replace : Verdict::keep;
}

void Conflicts::report(EventSink& events) const {
  for (const auto& [names, clash] : clashes_) {
    const std::string what = clash.files == 1 ? fmt::format("`{}`", clash.first)
                                              : fmt::format("{} files, `{}` first,", clash.files, clash.first);
    warning(events, fmt::format("`{}` and `{}` both install {} with different contents; {} of `{}` stay{}", names.first,
                                names.second, what, clash.files == 1 ? "that" : "those", clash.stays,
                                clash.files == 1 ? "s" : ""));
  }
}

}  // namespace dae::resolver
