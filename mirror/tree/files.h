#pragma once
// What an nginx in front finds on the disk, below <storage>/www. Layout: share/doc/formats/mirror-yaml.md, "Behind
// nginx". All of it can be made again: nothing is flushed.
#include <compare>
#include <string>
#include <string_view>

#include "base/fs.h"

namespace dae::mirror {

// A file that may be had: a link to its blob, and one to its metadata if that is kept.
struct TreeMark {
  std::string sha256, file, metadata_sha256;
  auto operator<=>(const TreeMark&) const = default;
};

// A project's page, or a list of projects, in the two forms that clients ask for.
struct TreePage {
  std::string index, json, html;
  bool checked = false;  // clients shall ask each time whether it is still so; nginx tells by the folder
};

// One thread at a time. A reader sees each file whole, as it was or as it is.
class TreeFiles {
 public:
  // `blobs`: <storage>/blobs.
  TreeFiles(const Path& storage, const Path& blobs) : www_(storage / "www"), blobs_(blobs) {}

  // nginx looks below a link: without it nothing is found, and everything is asked of the mirror.
  static void take_off(const Path& storage);
  void take_off() const;
  void put_on() const;
  void clear() const;  // nothing is left; the tree must be off
  Path state_file() const { return www_ / "state.db"; }
  // "" when there is none.
  std::string signature() const;
  void set_signature(const std::string& text) const;

  // Names that no file can have are left to the mirror.
  static bool fits(std::string_view project);
  static bool fits_file(std::string_view file);
  void write_page(const TreePage& page, const std::string& project) const;
  void remove_page(const std::string& index, const std::string& project, bool checked) const;
  void write_list(const TreePage& page) const;
  void remove_list(const std::string& index) const;
  void link(const TreeMark& mark) const;
  void unlink(const TreeMark& mark) const;
  // The blob is on this machine, of that size if one is told.
  bool holds(const std::string& sha256, std::optional<uint64_t> size_bytes) const;

 private:
  void write_forms(const Path& base, const TreePage& page) const;
  void write_form(const Path& path, const std::string& body) const;
  void put(const Path& path, const std::string& bytes) const;
  Path mark_path(const TreeMark& mark) const;
  Path blob_path(const std::string& sha256) const;

  const Path www_, blobs_;
};

}  // namespace dae::mirror
