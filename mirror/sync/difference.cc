#include "mirror/sync/difference.h"

#include <algorithm>

#include "base/error.h"

namespace dae::mirror::sync {
namespace {

constexpr size_t kLongestName = 60'000;
constexpr size_t kMostBytes = 1u << 31;

}  // namespace

void UpstreamList::add(std::string_view name, int64_t serial) {
  if (name.size() > kLongestName || names_.size() > kMostBytes) {
    throw Error(ErrorKind::bad_input, "the upstream's list of projects is too long");
  }
  rows_.push_back({static_cast<uint32_t>(names_.size()), static_cast<uint16_t>(name.size()), serial});
  names_ += name;
}

void UpstreamList::sort() {
  const auto before = [this](const Row& a, const Row& b) {
    const int order = name(a).compare(name(b));
    return order != 0 ? order < 0 : a.serial > b.serial;
  };
  if (!std::is_sorted(rows_.begin(), rows_.end(), before)) std::sort(rows_.begin(), rows_.end(), before);
  const auto same = [this](const Row& a, const Row& b) { return name(a) == name(b); };
  rows_.erase(std::unique(rows_.begin(), rows_.end(), same), rows_.end());
}

void Differ::add(size_t i, Task::Kind kind) {
  out_.tasks.push_back({std::string(list_.name(i)), kind, list_.serial(i)});
}

void Differ::known(std::string_view name, int64_t serial, bool present) {
  if (present) ++out_.kept;
  while (next_ < list_.size() && list_.name(next_) < name) add(next_++, Task::Kind::added);
  if (next_ == list_.size() || list_.name(next_) != name) {
    if (present) out_.tasks.push_back({std::string(name), Task::Kind::removed, 0});
    return;
  }
  const size_t i = next_++;
  const bool certain = list_.serial(i) > 0 && serial >= list_.serial(i) && !look_at_all_;
  if (!certain) return add(i, present ? Task::Kind::changed : Task::Kind::added);
  ++out_.unchanged;
  if (with_unchanged_ && present) add(i, Task::Kind::kept);
}

Difference Differ::finish() {
  while (next_ < list_.size()) add(next_++, Task::Kind::added);
  return std::move(out_);
}

}  // namespace dae::mirror::sync
