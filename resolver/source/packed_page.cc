#include "resolver/source/packed_page.h"

#include <algorithm>
#include <iterator>

#include "base/hash.h"
#include "resolver/source/packed_layout.h"

namespace dae::resolver {
namespace {

using packed::load;

// Reads a release's records; past the end everything is empty and `failed`.
class Records {
 public:
  Records(std::string_view bytes, std::string_view prefix) : rest_(bytes), prefix_(prefix) {}
  bool failed() const { return failed_; }
  bool done() const { return rest_.empty(); }

  std::string_view take(size_t size) {
    if (failed_ || rest_.size() < size) {
      failed_ = true;
      return {};
    }
    const std::string_view out = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return out;
  }
  template <typename T>
  T number() {
    const std::string_view bytes = take(sizeof(T));
    return bytes.empty() ? T{} : load<T>(bytes.data());
  }
  std::string_view text() { return take(number<uint32_t>()); }

  struct Head {
    uint8_t flags = 0;
    std::string_view digest, metadata_digest;
    uint64_t size_bytes = 0;
  };
  Head head() {
    Head out;
    out.flags = number<uint8_t>();
    if (out.flags & packed::kHasDigest) out.digest = take(32);
    if (out.flags & packed::kHasMetadataDigest) out.metadata_digest = take(32);
    if (out.flags & packed::kHasSize) out.size_bytes = number<uint64_t>();
    return out;
  }
  void skip_tail() {
    for (int i = 0; i < 4; ++i) text();
    for (uint32_t others = number<uint32_t>(); others > 0 && !failed_; --others) text(), text();
  }

  IndexFile record() {
    IndexFile out;
    const Head front = head();
    if (!front.digest.empty()) {
      out.sha256 = to_hex(front.digest);
      out.hashes["sha256"] = out.sha256;
    }
    if (!front.metadata_digest.empty()) out.metadata_sha256 = to_hex(front.metadata_digest);
    if (front.flags & packed::kHasSize) out.size_bytes = front.size_bytes;
    out.name = text();
    if (front.flags & packed::kUrlHasPrefix) out.url = prefix_;
    out.url += text();
    if (front.flags & packed::kUrlEndsInName) out.url += out.name;
    out.upload_time = text();
    out.yanked_reason = text();
    for (uint32_t others = number<uint32_t>(); others > 0 && !failed_; --others) {
      const std::string_view algorithm = text();
      out.hashes.emplace(algorithm, text());
    }
    // Not in the form of a digest, or it would stand in the head.
    if (out.sha256.empty() && out.hashes.contains("sha256")) out.sha256 = out.hashes["sha256"];
    return out;
  }

 private:
  std::string_view rest_, prefix_;
  bool failed_ = false;
};

}  // namespace

std::shared_ptr<const PackedPage> PackedPage::open(std::string_view hot, std::string_view cold,
                                                   std::shared_ptr<const void> owner) {
  if (hot.size() < packed::kHeaderBytes) return nullptr;
  const auto number = [&](size_t index) { return load<uint32_t>(hot.data() + 4 * index); };
  if (number(0) != packed::kPageMagic || number(1) != hot.size() || number(2) != cold.size()) return nullptr;
  auto out = std::shared_ptr<PackedPage>(new PackedPage);
  out->hot_ = hot;
  out->cold_ = cold;
  out->owner_ = std::move(owner);
  out->releases_ = number(3);
  out->files_ = number(4);
  out->tag_sets_ = number(5);
  out->pythons_ = number(6);
  out->builds_ = number(7);
  out->text_count_ = number(8);
  out->unreadable_ = number(9);
  // In 64 bits: none of these products overflows.
  const uint64_t files_at = packed::kHeaderBytes + uint64_t{out->releases_} * packed::kReleaseBytes;
  const uint64_t offsets_at = files_at + uint64_t{out->files_} * packed::kFileBytes;
  const uint64_t texts_at = offsets_at + (uint64_t{out->text_count_} + 1) * 4;
  if (texts_at > hot.size()) return nullptr;
  out->file_table_ = hot.data() + files_at;
  out->text_offsets_ = hot.data() + offsets_at;
  out->texts_ = hot.data() + texts_at;
  return out->check() ? out : nullptr;
}

bool PackedPage::check() const {
  const uint64_t tabled = uint64_t{kFixedTexts} + tag_sets_ + pythons_ + builds_;
  if (tabled > text_count_) return false;
  const auto text_bytes = static_cast<uint64_t>(hot_.data() + hot_.size() - texts_);
  uint32_t before = 0;
  for (uint32_t i = 0; i <= text_count_; ++i) {
    const auto offset = load<uint32_t>(text_offsets_ + size_t{i} * 4);
    if (offset < before || offset > text_bytes) return false;
    before = offset;
  }
  if (before != text_bytes) return false;
  uint32_t file = 0, cold = 0;
  for (uint32_t i = 0; i < releases_; ++i) {
    const char* at = release_at(i);
    const auto key = load<uint64_t>(at);
    const auto first = load<uint32_t>(at + 8), begin = load<uint32_t>(at + 16);
    if (first < file || first > files_ || begin < cold || begin > cold_.size() || (i == 0 && first != 0)) return false;
    file = first;
    cold = begin;
    if (key != 0 ? !Version::from_small_key(key)
                 : tabled + load<uint32_t>(at + 12) >= text_count_ ||
                       !Version::try_parse(text(static_cast<uint32_t>(tabled) + load<uint32_t>(at + 12)))) {
      return false;
    }
  }
  if (releases_ == 0 && files_ != 0) return false;
  uint32_t tag_set = 0, python = 0, build = 0;
  bool wheels = false;
  for (uint32_t i = 0; i < files_; ++i) {
    const PackedFile one = facts(i);
    tag_set = std::max(tag_set, one.tag_set);
    python = std::max(python, one.requires_python);
    build = std::max(build, one.build);
    wheels = wheels || one.wheel;
  }
  return files_ == 0 || (python < pythons_ && build < builds_ && (wheels ? tag_set < tag_sets_ : tag_set == 0));
}

const char* PackedPage::release_at(uint32_t release) const {
  return hot_.data() + packed::kHeaderBytes + size_t{release} * packed::kReleaseBytes;
}

std::string_view PackedPage::text(uint32_t id) const {
  const char* at = text_offsets_ + size_t{id} * 4;
  const auto begin = load<uint32_t>(at), end = load<uint32_t>(at + 4);
  return {texts_ + begin, end - begin};
}

Version PackedPage::version(uint32_t release) const {
  const char* at = release_at(release);
  if (const auto key = load<uint64_t>(at)) return *Version::from_small_key(key);
  return Version::parse(text(kFixedTexts + tag_sets_ + pythons_ + builds_ + load<uint32_t>(at + 12)));
}

PackedFile PackedPage::facts(uint32_t file) const {
  const char* at = file_table_ + size_t{file} * packed::kFileBytes;
  PackedFile out;
  const auto second = load<uint32_t>(at);
  if (second != packed::kNoSecond) out.upload_ms = int64_t{second} * 1000 + load<uint16_t>(at + 4);
  out.tag_set = load<uint16_t>(at + 6);
  out.requires_python = load<uint16_t>(at + 8);
  out.build = load<uint16_t>(at + 10);
  const auto flags = load<uint8_t>(at + 12);
  out.wheel = (flags & packed::kWheel) != 0;
  out.yanked = (flags & packed::kYanked) != 0;
  out.has_metadata = (flags & packed::kHasMetadata) != 0;
  out.tar_gz = (flags & packed::kTarGz) != 0;
  return out;
}

std::string_view PackedPage::cold_block(uint32_t release) const {
  const char* at = release_at(release);
  const auto begin = load<uint32_t>(at + 16);
  const auto end =
      release + 1 < releases_ ? load<uint32_t>(at + packed::kReleaseBytes + 16) : static_cast<uint32_t>(cold_.size());
  const std::string_view block = cold_.substr(begin, end - begin);
  return static_cast<uint32_t>(packed::checksum(block)) == load<uint32_t>(at + 20) ? block : std::string_view();
}

std::optional<std::vector<IndexFile>> PackedPage::records(uint32_t release) const {
  Records in(cold_block(release), text(4));
  std::vector<IndexFile> out;
  for (uint32_t file = first_file(release); file < first_file(release + 1); ++file) {
    IndexFile record = in.record();
    if (in.failed()) return std::nullopt;
    const PackedFile known = facts(file);
    record.yanked = known.yanked;
    record.has_metadata = known.has_metadata;
    record.requires_python = requires_python(known.requires_python);
    out.push_back(std::move(record));
  }
  if (!in.done()) return std::nullopt;
  return out;
}

std::optional<ProjectPage> PackedPage::unpacked() const {
  ProjectPage out;
  out.name = name();
  out.status = status();
  out.status_reason = status_reason();
  for (uint32_t release = 0; release < releases_; ++release) {
    auto files = records(release);
    if (!files) return std::nullopt;
    std::ranges::move(*files, std::back_inserter(out.files));
  }
  return out;
}

std::optional<std::string_view> PackedPage::digest(uint32_t release, uint32_t file) const {
  Records in(cold_block(release), {});
  for (uint32_t i = first_file(release); i < file; ++i) {
    in.head();
    in.skip_tail();
  }
  const Records::Head found = in.head();
  if (in.failed()) return std::nullopt;
  return found.digest;
}

}  // namespace dae::resolver
