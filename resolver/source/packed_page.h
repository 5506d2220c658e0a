#pragma once
// A project page in the form it is cached in and read in place: what choosing a version needs ("hot"), and what only
// the chosen versions are asked for ("cold": names, addresses, digests). Format: share/doc/formats/page-cache.md.
// Immutable; any thread may read. Opening checks the hot part whole, each release's cold part is checked when read.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "resolver/source/packed_bytes.h"
#include "resolver/standards/simple_page.h"
#include "resolver/standards/version.h"

namespace dae::resolver {

struct PackedParts {
  std::string hot, cold;
};

// What is known of a file without reading its cold part.
struct PackedFile {
  static constexpr int64_t kNoUploadTime = INT64_MIN;
  int64_t upload_ms = kNoUploadTime;
  uint32_t tag_set = 0;          // of a wheel; see PackedPage::tag_set
  uint32_t requires_python = 0;  // see PackedPage::requires_python
  uint32_t build = 0;            // of a wheel; see PackedPage::build_tag
  bool wheel = false, yanked = false, has_metadata = false;
  bool tar_gz = false;  // of an sdist
};

class PackedPage {
 public:
  // Files whose names make no version of this package are left out and counted; a page without a name may hold any
  // package's. `index_url`: the root of the index, without credentials.
  static PackedParts pack(const ProjectPage& page, std::string_view index_url);
  // nullptr when the bytes are not what pack() makes. `owner` keeps them alive.
  static std::shared_ptr<const PackedPage> open(std::string_view hot, std::string_view cold,
                                                std::shared_ptr<const void> owner);
  // Packed and opened: what a test or a client without a cache hands out.
  static std::shared_ptr<const PackedPage> make(const ProjectPage& page, std::string_view index_url = "");

  std::string_view name() const { return text(0); }
  std::string_view status() const { return text(1); }  // PEP 792; "" = active
  std::string_view status_reason() const { return text(2); }
  std::string_view index_url() const { return text(3); }
  std::string_view hot() const { return hot_; }
  std::string_view cold() const { return cold_; }
  uint32_t unreadable_files() const { return unreadable_; }

  // Releases newest first; the files of one follow each other in the order of the page.
  uint32_t releases() const { return releases_; }
  uint32_t files() const { return files_; }
  Version version(uint32_t release) const;
  uint32_t first_file(uint32_t release) const {
    return release < releases_ ? packed::load<uint32_t>(release_at(release) + 8) : files_;
  }
  PackedFile facts(uint32_t file) const;
  uint32_t tag_sets() const { return tag_sets_; }
  std::string_view tag_set(uint32_t id) const { return text(kFixedTexts + id); }  // "py2.py3-none-any"
  uint32_t requires_pythons() const { return pythons_; }
  std::string_view requires_python(uint32_t id) const { return text(kFixedTexts + tag_sets_ + id); }
  std::string_view build_tag(uint32_t id) const { return text(kFixedTexts + tag_sets_ + pythons_ + id); }  // "", "1abc"

  // All records of a release, in the order of its files; nullopt when the stored bytes turn out damaged.
  std::optional<std::vector<IndexFile>> records(uint32_t release) const;
  std::optional<ProjectPage> unpacked() const;
  // 32 bytes of SHA-256 of one of its files, "" when the index gives none; nullopt as above.
  std::optional<std::string_view> digest(uint32_t release, uint32_t file) const;

 private:
  static constexpr uint32_t kFixedTexts = 5;  // name, status, reason, index, what the addresses begin with
  PackedPage() = default;
  friend class PageWriter;
  bool check() const;
  const char* release_at(uint32_t release) const;
  std::string_view text(uint32_t id) const;
  std::string_view cold_block(uint32_t release) const;  // "" when damaged

  std::string_view hot_, cold_;
  std::shared_ptr<const void> owner_;
  const char* file_table_ = nullptr;
  const char* text_offsets_ = nullptr;
  const char* texts_ = nullptr;
  uint32_t releases_ = 0, files_ = 0, tag_sets_ = 0, pythons_ = 0, builds_ = 0, unreadable_ = 0, text_count_ = 0;
};

}  // namespace dae::resolver
