#include "resolver/standards/version.h"

#include <algorithm>
#include <tuple>

#include "base/error.h"
#include "resolver/standards/version_parts.h"

namespace dae::resolver {

// Both forms unpacked to what a comparison needs. Points into the version it came from.
struct Version::View {
  uint64_t epoch = 0;
  std::array<uint64_t, small::kSegments> segments{};
  const uint64_t* release = nullptr;  // null: `segments`
  size_t size = 0;
  // pre rank (dev only -1, a 0, b 1, rc 2, none 3), number, has post, post, has no dev, dev
  std::tuple<int, uint64_t, int, uint64_t, int, uint64_t> suffix;
  const std::vector<LocalSegment>* local = nullptr;

  uint64_t at(size_t i) const { return i >= size ? 0 : release ? release[i] : segments[i]; }
};

namespace {

std::strong_ordering compare_local(const std::vector<Version::LocalSegment>& a,
                                   const std::vector<Version::LocalSegment>& b) {
  for (size_t i = 0; i < a.size() && i < b.size(); ++i) {
    // A number is greater than any text, so the alternatives compare the other way round than their indexes.
    if (a[i].index() != b[i].index()) return b[i].index() <=> a[i].index();
    if (const auto* number = std::get_if<uint64_t>(&a[i])) {
      if (auto order = *number <=> std::get<uint64_t>(b[i]); order != 0) return order;
    } else if (int order = std::get<std::string>(a[i]).compare(std::get<std::string>(b[i])); order != 0) {
      return order <=> 0;
    }
  }
  return a.size() <=> b.size();
}

template <typename View>
std::strong_ordering compare_views(const View& a, const View& b, bool with_local) {
  if (auto order = a.epoch <=> b.epoch; order != 0) return order;
  for (size_t i = 0; i < std::max(a.size, b.size); ++i) {
    if (auto order = a.at(i) <=> b.at(i); order != 0) return order;
  }
  if (auto order = a.suffix <=> b.suffix; order != 0) return order;
  if (!with_local) return std::strong_ordering::equal;
  static const std::vector<Version::LocalSegment> none;
  return compare_local(a.local ? *a.local : none, b.local ? *b.local : none);
}

uint64_t mix(uint64_t value) {  // the finaliser of splitmix64
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ULL;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebULL;
  return value ^ (value >> 31);
}

}  // namespace

Version::Version() {
  const uint64_t zero = 0;
  key_ = small::make(&zero, 1, small::final, 0);
}

Version Version::parse(std::string_view text) {
  if (auto version = try_parse(text)) return *std::move(version);
  throw Error(ErrorKind::bad_input, "`" + std::string(text.substr(0, 100)) + "` is not a version");
}

uint64_t Version::epoch() const {
  return key_ ? 0 : parts_->epoch;
}

std::vector<uint64_t> Version::release() const {
  if (!key_) return parts_->release;
  std::vector<uint64_t> out;
  for (size_t i = 0; i < small::count(key_); ++i) out.push_back(small::segment(key_, i));
  return out;
}

size_t Version::release_size() const {
  return key_ ? small::count(key_) : parts_->release.size();
}

uint64_t Version::release_at(size_t index) const {
  if (key_) return index < small::kSegments ? small::segment(key_, index) : 0;
  return index < parts_->release.size() ? parts_->release[index] : 0;
}

bool Version::same_release(const Version& other) const {
  if (key_ && other.key_) return key_ >> small::kReleaseShift == other.key_ >> small::kReleaseShift;
  if (epoch() != other.epoch()) return false;
  for (size_t i = 0; i < std::max(release_size(), other.release_size()); ++i) {
    if (release_at(i) != other.release_at(i)) return false;
  }
  return true;
}

bool Version::is_prerelease() const {
  if (key_) return small::kind(key_) < small::final;
  return parts_->pre || parts_->dev;
}

bool Version::is_postrelease() const {
  return post().has_value();
}
bool Version::is_dev() const {
  return dev().has_value();
}
bool Version::is_local() const {
  return !key_ && !parts_->local.empty();
}

std::optional<std::pair<char, uint64_t>> Version::pre() const {
  if (!key_) return parts_->pre;
  switch (small::kind(key_)) {
    case small::alpha:
      return std::pair('a', small::number(key_));
    case small::beta:
      return std::pair('b', small::number(key_));
    case small::candidate:
      return std::pair('r', small::number(key_));
    default:
      return std::nullopt;
  }
}

std::optional<uint64_t> Version::post() const {
  if (!key_) return parts_->post;
  return small::kind(key_) == small::post ? std::optional(small::number(key_)) : std::nullopt;
}

std::optional<uint64_t> Version::dev() const {
  if (!key_) return parts_->dev;
  return small::kind(key_) == small::dev ? std::optional(small::number(key_)) : std::nullopt;
}

const std::vector<Version::LocalSegment>& Version::local() const {
  static const std::vector<LocalSegment> none;
  return key_ ? none : parts_->local;
}

Version Version::without_local() const {
  if (!is_local()) return *this;
  Parts parts = *parts_;
  parts.local.clear();
  return from_parts(std::move(parts));
}

Version::View Version::view() const {
  View view;
  view.size = release_size();
  if (key_) {
    for (size_t i = 0; i < view.size; ++i) view.segments[i] = small::segment(key_, i);
  } else {
    view.epoch = parts_->epoch;
    view.release = parts_->release.data();
    view.local = &parts_->local;
  }
  const auto pre_part = pre();
  const auto post_part = post(), dev_part = dev();
  int rank = pre_part ? (pre_part->first == 'a' ? 0 : pre_part->first == 'b' ? 1 : 2) : 3;
  if (!pre_part && !post_part && dev_part) rank = -1;
  view.suffix = {rank,
                 pre_part ? pre_part->second : 0,
                 post_part ? 1 : 0,
                 post_part.value_or(0),
                 dev_part ? 0 : 1,
                 dev_part.value_or(0)};
  return view;
}

Version Version::from_parts(Parts parts) {
  const int suffixes = (parts.pre ? 1 : 0) + (parts.post ? 1 : 0) + (parts.dev ? 1 : 0);
  uint64_t trimmed_key = 0, key = 0;
  if (parts.epoch == 0 && parts.local.empty() && suffixes <= 1) {
    const auto kind = parts.pre    ? (parts.pre->first == 'a'   ? small::alpha
                                      : parts.pre->first == 'b' ? small::beta
                                                                : small::candidate)
                      : parts.post ? small::post
                      : parts.dev  ? small::dev
                                   : small::final;
    const uint64_t number = parts.pre ? parts.pre->second : parts.post ? *parts.post : parts.dev.value_or(0);
    size_t size = parts.release.size();
    key = small::make(parts.release.data(), size, kind, number);
    while (size > 1 && parts.release[size - 1] == 0) --size;
    trimmed_key = small::make(parts.release.data(), size, kind, number);
  }
  Version out;
  out.key_ = key;
  if (key) return out;
  parts.order_key = trimmed_key;
  out.parts_ = std::make_shared<const Parts>(std::move(parts));
  return out;
}

std::strong_ordering Version::operator<=>(const Version& other) const {
  const uint64_t a = key_ ? key_ : parts_->order_key, b = other.key_ ? other.key_ : other.parts_->order_key;
  if (a && b) return small::order(a) <=> small::order(b);
  if (parts_ == other.parts_ && parts_) return std::strong_ordering::equal;
  return compare_views(view(), other.view(), true);
}

std::strong_ordering Version::compare_public(const Version& other) const {
  if (!is_local() && !other.is_local()) return *this <=> other;
  return compare_views(view(), other.view(), false);
}

size_t Version::hash() const {
  if (const uint64_t key = key_ ? key_ : parts_->order_key) return mix(small::order(key));
  const View parts = view();
  uint64_t out = mix(parts.epoch + 1);
  const auto add = [&out](uint64_t value) { out = mix(out ^ (value + 0x9e3779b97f4a7c15ULL)); };
  size_t size = parts.size;
  while (size > 1 && parts.at(size - 1) == 0) --size;
  for (size_t i = 0; i < size; ++i) add(parts.at(i));
  std::apply([&add](auto... part) { (add(static_cast<uint64_t>(part)), ...); }, parts.suffix);
  for (const LocalSegment& segment : parts_->local) {
    if (const auto* number = std::get_if<uint64_t>(&segment)) {
      add(*number);
    } else {
      add(std::hash<std::string>{}(std::get<std::string>(segment)));
    }
  }
  return out;
}

std::optional<Version> Version::from_small_key(uint64_t key) {
  const small::Kind kind = small::kind(key);
  if (kind < small::dev || kind > small::post) return std::nullopt;
  if (kind == small::final && small::number(key) != 0) return std::nullopt;
  for (size_t i = small::count(key); i < small::kSegments; ++i) {
    if (small::segment(key, i) != 0) return std::nullopt;
  }
  Version out;
  out.key_ = key;
  return out;
}

}  // namespace dae::resolver
