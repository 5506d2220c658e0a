#include <algorithm>
#include <map>
#include <unordered_map>

#include "base/clock.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/strings.h"
#include "resolver/source/packed_layout.h"
#include "resolver/source/packed_page.h"
#include "resolver/standards/names.h"

namespace dae::resolver {
namespace {

using packed::put;

// Distinct texts in the order they were met.
class TextTable {
 public:
  std::optional<uint32_t> add(std::string_view text) {
    const auto known = ids_.find(std::string(text));
    if (known != ids_.end()) return known->second;
    if (texts_.size() >= packed::kMaxTableEntries) return std::nullopt;
    const auto id = static_cast<uint32_t>(texts_.size());
    texts_.emplace_back(text);
    ids_.emplace(text, id);
    return id;
  }
  const std::vector<std::string>& texts() const { return texts_; }

 private:
  std::vector<std::string> texts_;
  std::unordered_map<std::string, uint32_t> ids_;
};

struct Entry {
  const IndexFile* file;
  uint32_t tag_set = 0, requires_python = 0, build = 0;
  uint8_t flags = 0;
};

void put_text(std::string& out, std::string_view text) {
  put(out, static_cast<uint32_t>(text.size()));
  out += text;
}

// Most addresses of an index begin alike; the longest common beginning up to a '/'.
std::string common_prefix(const ProjectPage& page) {
  if (page.files.empty()) return "";
  std::string_view out = page.files.front().url;
  for (const IndexFile& file : page.files) {
    const auto differs = std::mismatch(out.begin(), out.end(), file.url.begin(), file.url.end());
    out = out.substr(0, static_cast<size_t>(differs.first - out.begin()));
  }
  return std::string(out.substr(0, out.rfind('/') + 1));
}

}  // namespace

class PageWriter {
 public:
  PageWriter(const ProjectPage& page, std::string_view index_url)
      : page_(page), index_url_(index_url), prefix_(common_prefix(page)) {
    pythons_.add("");
    builds_.add("");
    for (const IndexFile& file : page.files) {
      if (!add(file)) ++unreadable_;
    }
  }

  PackedParts write() {
    PackedParts out;
    std::string releases, files;
    std::vector<std::string> versions;
    uint32_t file = 0;
    for (const auto& [version, entries] : found_) {
      const size_t begin = out.cold.size();
      for (const Entry& entry : entries) {
        put_facts(files, entry);
        put_record(out.cold, entry);
      }
      put(releases, version.small_key());
      put(releases, file);
      put(releases, version.small_key() != 0 ? 0 : text_of(version, versions));
      put(releases, static_cast<uint32_t>(begin));
      put(releases, static_cast<uint32_t>(packed::checksum(std::string_view(out.cold).substr(begin))));
      file += static_cast<uint32_t>(entries.size());
    }
    if (out.cold.size() > UINT32_MAX / 2) {
      throw Error(ErrorKind::bad_input, "the page of the index is too large to be kept", page_.name);
    }
    out.hot = assemble(releases, files, versions, file, out.cold.size());
    return out;
  }

 private:
  bool add(const IndexFile& file) {
    Entry entry{&file};
    Version version;
    if (file.name.ends_with(".whl")) {
      auto name = parse_wheel_name(file.name);
      if (!name || !is_ours(name->distribution)) return false;
      version = std::move(name->version);
      entry.flags = packed::kWheel;
      const auto tags = tags_.add(tag_text(file.name));
      const auto build = builds_.add(name->build);
      if (!tags || !build) return false;
      entry.tag_set = *tags;
      entry.build = *build;
    } else {
      auto name = parse_sdist_name(file.name, page_.name);
      if (!name || !is_ours(name->distribution)) return false;
      version = std::move(name->version);
      if (file.name.ends_with(".tar.gz")) entry.flags = packed::kTarGz;
    }
    const auto python = pythons_.add(trim(file.requires_python));
    if (!python) return false;
    entry.requires_python = *python;
    if (file.yanked) entry.flags |= packed::kYanked;
    if (file.has_metadata) entry.flags |= packed::kHasMetadata;
    found_[std::move(version)].push_back(entry);
    return true;
  }

  bool is_ours(const std::string& distribution) const { return page_.name.empty() || distribution == page_.name; }

  // The last three parts of a wheel's name, in lower case as tags are compared.
  static std::string tag_text(std::string_view name) {
    name.remove_suffix(4);
    size_t dash = name.size();
    for (int i = 0; i < 3; ++i) dash = name.rfind('-', dash - 1);
    return lower(name.substr(dash + 1));
  }

  static uint32_t text_of(const Version& version, std::vector<std::string>& versions) {
    versions.push_back(version.text());
    return static_cast<uint32_t>(versions.size() - 1);
  }

  static void put_facts(std::string& out, const Entry& entry) {
    uint32_t second = packed::kNoSecond;
    uint16_t milli = 0;
    if (!entry.file->upload_time.empty()) {
      try {
        const int64_t ms = parse_utc(entry.file->upload_time);
        if (ms >= 0 && ms / 1000 < packed::kNoSecond) {
          second = static_cast<uint32_t>(ms / 1000);
          milli = static_cast<uint16_t>(ms % 1000);
        }
      } catch (const Error&) {
        // As good as none; the text itself stays in the record.
      }
    }
    put(out, second);
    put(out, milli);
    put(out, static_cast<uint16_t>(entry.tag_set));
    put(out, static_cast<uint16_t>(entry.requires_python));
    put(out, static_cast<uint16_t>(entry.build));
    put(out, static_cast<uint32_t>(entry.flags));
  }

  void put_record(std::string& out, const Entry& entry) const {
    const IndexFile& file = *entry.file;
    std::string_view url = file.url;
    const bool has_digest = Digest::is_valid(file.sha256) && file.sha256.size() == 64;
    const bool has_metadata_digest = Digest::is_valid(file.metadata_sha256) && file.metadata_sha256.size() == 64;
    const bool prefixed = !prefix_.empty() && url.starts_with(prefix_);
    if (prefixed) url.remove_prefix(prefix_.size());
    const bool named = url.ends_with(file.name);
    if (named) url.remove_suffix(file.name.size());
    put(out, static_cast<uint8_t>((has_digest ? packed::kHasDigest : 0) | (file.size_bytes ? packed::kHasSize : 0) |
                                  (has_metadata_digest ? packed::kHasMetadataDigest : 0) |
                                  (named ? packed::kUrlEndsInName : 0) | (prefixed ? packed::kUrlHasPrefix : 0)));
    if (has_digest) out += packed::from_hex(file.sha256);
    if (has_metadata_digest) out += packed::from_hex(file.metadata_sha256);
    if (file.size_bytes) put(out, *file.size_bytes);
    put_text(out, file.name);
    put_text(out, url);
    put_text(out, file.upload_time);
    put_text(out, file.yanked_reason);
    uint32_t others = 0;
    for (const auto& [algorithm, hex] : file.hashes) others += algorithm != "sha256" || !has_digest ? 1u : 0u;
    put(out, others);
    for (const auto& [algorithm, hex] : file.hashes) {
      if (algorithm == "sha256" && has_digest) continue;
      put_text(out, algorithm);
      put_text(out, hex);
    }
  }

  std::string assemble(const std::string& releases, const std::string& files, const std::vector<std::string>& versions,
                       uint32_t file_count, size_t cold_bytes) const {
    std::string offsets, texts;
    const auto add = [&](std::string_view text) {
      put(offsets, static_cast<uint32_t>(texts.size()));
      texts += text;
    };
    for (const std::string_view text : {std::string_view(page_.name), std::string_view(page_.status),
                                        std::string_view(page_.status_reason), index_url_, std::string_view(prefix_)}) {
      add(text);
    }
    for (const auto* table : {&tags_.texts(), &pythons_.texts(), &builds_.texts(), &versions}) {
      for (const std::string& text : *table) add(text);
    }
    const auto text_count = static_cast<uint32_t>(offsets.size() / 4);
    put(offsets, static_cast<uint32_t>(texts.size()));
    std::string out;
    const size_t size = packed::kHeaderBytes + releases.size() + files.size() + offsets.size() + texts.size();
    if (size > UINT32_MAX / 2) {
      throw Error(ErrorKind::bad_input, "the page of the index is too large to be kept", page_.name);
    }
    out.reserve(size);
    for (const size_t number :
         {size_t{packed::kPageMagic}, size, cold_bytes, found_.size(), size_t{file_count}, tags_.texts().size(),
          pythons_.texts().size(), builds_.texts().size(), size_t{text_count}, size_t{unreadable_}}) {
      put(out, static_cast<uint32_t>(number));
    }
    return out + releases + files + offsets + texts;
  }

  const ProjectPage& page_;
  std::string_view index_url_;
  std::string prefix_;
  std::map<Version, std::vector<Entry>, std::greater<>> found_;
  TextTable tags_, pythons_, builds_;
  uint32_t unreadable_ = 0;
};

PackedParts PackedPage::pack(const ProjectPage& page, std::string_view index_url) {
  return PageWriter(page, index_url).write();
}

std::shared_ptr<const PackedPage> PackedPage::make(const ProjectPage& page, std::string_view index_url) {
  auto parts = std::make_shared<const PackedParts>(pack(page, index_url));
  auto out = open(parts->hot, parts->cold, parts);
  DAE_CHECK(out != nullptr);
  return out;
}

}  // namespace dae::resolver
