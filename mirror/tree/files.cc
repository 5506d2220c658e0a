#include "mirror/tree/files.h"

#include <algorithm>

#include "base/hash.h"
#include "mirror/index/render_cache.h"

namespace dae::mirror {
namespace {

// Names of files have at most 255 bytes; here something is added to each.
constexpr size_t kLongestName = 160;

constexpr const char *kLive = "live", *kTree = "tree";

const char* page_folder(bool checked) {
  return checked ? "checked" : "pages";
}

Path with(Path path, const char* suffix) {
  path += suffix;
  return path;
}

void remove_forms(const Path& base) {
  for (const char* form : {".json", ".html"}) {
    const Path path = with(base, form);
    // In this order: nginx looks for the packed form only where the plain one is.
    remove_file(path);
    remove_file(with(path, ".gz"));
  }
}

// The validator that nginx makes is of time and size: as a time, the bytes' own digest tells pages apart that are
// written within a second, and stays when the same bytes are written again. 31 bits: every file system has those.
int64_t time_of(const std::string& bytes) {
  const std::string hex = Digest::of(bytes).hex().substr(0, 8);
  return static_cast<int64_t>(std::stoul(hex, nullptr, 16) & 0x7fffffff);
}

}  // namespace

void TreeFiles::take_off(const Path& storage) {
  remove_file(storage / "www" / kLive);
}

void TreeFiles::take_off() const {
  remove_file(www_ / kLive);
}

void TreeFiles::put_on() const {
  make_dirs(www_ / kTree);
  symlink_atomic(kTree, www_ / kLive);
}

void TreeFiles::clear() const {
  remove_all(www_);
  make_dirs(www_);
}

std::string TreeFiles::signature() const {
  return read_file_if_exists(www_ / "signature").value_or("");
}

void TreeFiles::set_signature(const std::string& text) const {
  write_file_atomic(www_ / "signature", text, 0644, Durability::none);
}

bool TreeFiles::fits(std::string_view project) {
  const auto is_plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
  return !project.empty() && project.size() <= kLongestName && std::ranges::all_of(project, is_plain);
}

bool TreeFiles::fits_file(std::string_view file) {
  return file.size() <= kLongestName && file.find('/') == std::string_view::npos;
}

void TreeFiles::write_page(const TreePage& page, const std::string& project) const {
  write_forms(www_ / kTree / page_folder(page.checked) / page.index / project, page);
}

void TreeFiles::remove_page(const std::string& index, const std::string& project, bool checked) const {
  remove_forms(www_ / kTree / page_folder(checked) / index / project);
}

void TreeFiles::write_list(const TreePage& page) const {
  write_forms(www_ / kTree / "lists" / page.index, page);
}

void TreeFiles::remove_list(const std::string& index) const {
  remove_forms(www_ / kTree / "lists" / index);
}

void TreeFiles::write_forms(const Path& base, const TreePage& page) const {
  write_form(with(base, ".json"), page.json);
  write_form(with(base, ".html"), page.html);
}

void TreeFiles::write_form(const Path& path, const std::string& body) const {
  const Path packed_path = with(path, ".gz");
  const std::string packed = gzip_variant(body);
  if (packed.empty()) {
    remove_file(packed_path);
  } else {
    put(packed_path, packed);
  }
  put(path, body);
}

// Complete, its time included, before it has its name. The old file goes first: ext4 writes what replaces a file to the
// disk before anything else (2.5 ms where a new name takes 16 us), and who finds none asks the mirror.
void TreeFiles::put(const Path& path, const std::string& bytes) const {
  const Path made = www_ / "made";
  write_file_atomic(made, bytes, 0644, Durability::none);
  set_mtime_s(made, time_of(bytes));
  make_dirs(path.parent_path());
  remove_file(path);
  rename_path(made, path);
}

Path TreeFiles::mark_path(const TreeMark& mark) const {
  return www_ / kTree / "packages" / mark.sha256.substr(0, 2) / (mark.sha256 + "-" + mark.file);
}

Path TreeFiles::blob_path(const std::string& sha256) const {
  return blobs_ / "sha256" / sha256.substr(0, 2) / sha256;
}

// Links, not second names: a blob that is moved to quarantine, collected or repaired is so here, too.
void TreeFiles::link(const TreeMark& mark) const {
  const Path path = mark_path(mark), dir = path.parent_path(), metadata = with(path, ".metadata");
  make_dirs(dir);
  symlink_atomic(blob_path(mark.sha256).lexically_relative(dir), path);
  if (mark.metadata_sha256.empty()) {
    remove_file(metadata);
  } else {
    symlink_atomic(blob_path(mark.metadata_sha256).lexically_relative(dir), metadata);
  }
}

void TreeFiles::unlink(const TreeMark& mark) const {
  const Path path = mark_path(mark);
  remove_file(path);
  remove_file(with(path, ".metadata"));
}

bool TreeFiles::holds(const std::string& sha256, std::optional<uint64_t> size_bytes) const {
  const auto info = file_info(blob_path(sha256));
  return info && info->is_file() && (!size_bytes || info->size_bytes == *size_bytes);
}

}  // namespace dae::mirror
