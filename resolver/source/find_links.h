#pragma once
// Files that folders, archives and pages of links offer beside the indexes (pip's --find-links). Local ones need no
// network: their URLs are file://….
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/fs.h"
#include "resolver/standards/simple_page.h"

namespace dae::resolver {

// The path a file:// URL names; nullopt for other URLs.
std::optional<Path> path_of_file_url(const std::string& url);
std::string file_url(const Path& path);  // made absolute first

class FindLinks {
 public:
  using ReadPage = std::function<ProjectPage(const std::string& url)>;  // at an http(s) URL
  // A place is a folder, an archive, a page of links (.html, or http://, https://), as path or file:// URL.
  FindLinks(std::vector<std::string> places, ReadPage read_page)
      : places_(std::move(places)), read_page_(std::move(read_page)) {}
  bool empty() const { return places_.empty(); }
  // All wheels and sdists of the package, in the order of the places. Places are read once, by whoever asks first.
  // Throws Error not_found for a place that is not there. Thread-safe.
  std::vector<IndexFile> files(const std::string& package);

 private:
  void read_all();
  void read_local(const std::string& place, const Path& path);

  const std::vector<std::string> places_;
  const ReadPage read_page_;
  std::mutex mutex_;
  bool read_ = false;
  std::vector<IndexFile> files_;
};

}  // namespace dae::resolver
