#include "resolver/install/link_work.h"

#include <algorithm>
#include <cstring>
#include <iterator>

#include "resolver/install/parallel.h"

namespace dae::resolver {
namespace {

// Two threads that make names in one directory wait for each other: a piece ends where a directory does, but anywhere
// when it is the bytes that take long.
constexpr size_t kPieceFiles = 256, kMostThreads = 8;
constexpr uint64_t kPieceBytes = 8 << 20;
constexpr uint64_t kFileCost = 64 << 10;           // what is copied in the time that one more file takes
constexpr uint64_t kThreadCost = 128 * kFileCost;  // with less to do it brings less than it costs
constexpr int kShared = 2;                         // a file counts one, a directory as much as two files

std::string_view parent_of(std::string_view path) {
  const size_t end = path.rfind('/');
  return path.substr(0, end == std::string_view::npos ? 0 : end);
}

bool by_name(const char* one, const char* other) {
  return std::strcmp(one, other) < 0;
}

}  // namespace

LinkWork::LinkWork(const std::vector<Wheel>& wheels, bool bytecode, bool copies) {
  read_lists(wheels, bytecode);
  claim_names(wheels);
  claim_targets(wheels);
  cut(wheels, copies);
}

void LinkWork::read_lists(const std::vector<Wheel>& wheels, bool bytecode) {
  sites_.resize(wheels.size());
  for (size_t i = 0; i < wheels.size(); ++i) {
    if (!wheels[i].file_by_file) continue;
    StoredFiles& lists = sites_[i].lists = read_stored_files(*wheels[i].stored);
    if (bytecode) {
      std::ranges::merge(lists.files, lists.bytecode, std::back_inserter(sites_[i].names), by_name);
    } else {
      sites_[i].names = std::move(lists.files);
    }
  }
}

void LinkWork::claim(Claims& claims, std::string_view path) {
  ++claims[path];
  for (std::string_view dir = parent_of(path); !dir.empty(); dir = parent_of(dir)) {
    int& count = claims[dir];
    if (count >= kShared) break;
    count += kShared;
  }
}

// Only below what more than one wheel has at its top: namespace packages, mostly.
void LinkWork::claim_names(const std::vector<Wheel>& wheels) {
  std::unordered_map<std::string_view, int> tops;
  for (const Wheel& wheel : wheels) {
    for (const StoredWheel::Top& top : wheel.stored->tops) ++tops[top.name];
  }
  for (const Site& site : sites_) {
    std::string_view known;
    bool is_wanted = false;
    for (const std::string_view name : site.names) {
      const std::string_view top = name.substr(0, name.find('/'));
      if (top != known) is_wanted = tops[top] > 1;
      known = top;
      if (is_wanted) claim(names_, name);
    }
  }
}

void LinkWork::claim_targets(const std::vector<Wheel>& wheels) {
  for (const Wheel& wheel : wheels) {
    for (const StoredWheel::DataFile& file : wheel.stored->data) {
      if (wheel.file_by_file && !file.rewrite) claim(targets_, file.target);
    }
    for (const GeneratedFile& file : *wheel.generated) claim(targets_, file.target);
  }
}

bool LinkWork::is_shared(const LinkPiece& piece, std::string_view name) const {
  const Claims& claims = piece.data ? targets_ : names_;
  const auto found = claims.find(name);
  return found != claims.end() && found->second >= kShared;
}

void LinkWork::cut(const std::vector<Wheel>& wheels, bool copies) {
  std::vector<std::pair<uint64_t, LinkPiece>> priced;
  const auto cut_list = [&](LinkPiece piece, size_t count, uint64_t bytes_each, const auto& path) {
    for (size_t i = 1; i <= count; ++i) {
      const uint64_t files = i - piece.begin, bytes = copies ? files * bytes_each : 0;
      const bool is_end =
          i == count || bytes >= kPieceBytes || (files >= kPieceFiles && parent_of(path(i)) != parent_of(path(i - 1)));
      if (!is_end) continue;
      piece.end = i;
      priced.emplace_back(bytes + files * kFileCost, piece);
      piece.begin = i;
    }
  };
  for (size_t i = 0; i < wheels.size(); ++i) {
    if (!wheels[i].file_by_file) continue;
    const auto& names = sites_[i].names;
    const auto& data = wheels[i].stored->data;
    // Of single files the sizes are not listed.
    const uint64_t bytes_each = wheels[i].stored->size_bytes / std::max<uint64_t>(1, names.size() + data.size());
    cut_list({i, false}, names.size(), bytes_each, [&](size_t at) { return std::string_view(names[at]); });
    cut_list({i, true}, data.size(), bytes_each, [&](size_t at) { return std::string_view(data[at].target); });
  }
  std::ranges::stable_sort(priced, std::greater(), [](const auto& one) { return one.first; });
  for (const auto& [cost, piece] : priced) {
    pieces_.push_back(piece);
    cost_ += cost;
  }
}

size_t LinkWork::threads() const {
  return std::clamp<size_t>(cost_ / kThreadCost, 1, std::min(cpu_threads(), kMostThreads));
}

}  // namespace dae::resolver
