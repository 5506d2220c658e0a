#include "resolver/source/find_links.h"

#include "base/error.h"
#include "base/http.h"
#include "base/log.h"
#include "base/strings.h"
#include "resolver/standards/names.h"

namespace dae::resolver {
namespace {

constexpr uint64_t kMaxLinksBytes = 64ull << 20;

bool is_archive_name(const std::string& name) {
  return name.ends_with(".whl") || name.ends_with(".tar.gz") || name.ends_with(".zip");
}

bool is_of(const IndexFile& file, const std::string& package) {
  if (file.name.ends_with(".whl")) {
    const auto wheel = parse_wheel_name(file.name);
    return wheel && wheel->distribution == package;
  }
  const auto sdist = parse_sdist_name(file.name, package);
  return sdist && sdist->distribution == package;
}

IndexFile local_file(const Path& path) {
  IndexFile file;
  file.name = path.filename().string();
  file.url = file_url(path);
  if (const auto info = file_info(path); info && info->is_file()) file.size_bytes = info->size_bytes;
  return file;
}

}  // namespace

std::optional<Path> path_of_file_url(const std::string& url) {
  constexpr std::string_view kScheme = "file://", kLocal = "localhost/";
  if (!url.starts_with(kScheme)) return std::nullopt;
  std::string_view path = std::string_view(url).substr(kScheme.size());
  path = path.substr(0, path.find_first_of("?#"));
  if (path.starts_with(kLocal)) path.remove_prefix(kLocal.size() - 1);
  if (!path.starts_with('/')) {
    throw Error(ErrorKind::bad_input, "a file URL names another machine", redact_url(url), "write file:///path");
  }
  return Path(percent_decode(path));
}

std::string file_url(const Path& path) {
  return "file://" + percent_encode(std::filesystem::absolute(path).lexically_normal().string(), true);
}

std::vector<IndexFile> FindLinks::files(const std::string& package) {
  std::vector<IndexFile> out;
  if (places_.empty()) return out;
  const std::scoped_lock lock(mutex_);
  if (!read_) read_all();
  for (const IndexFile& file : files_) {
    if (is_of(file, package)) out.push_back(file);
  }
  return out;
}

void FindLinks::read_all() {
  files_.clear();
  for (const std::string& place : places_) {
    if (place.starts_with("http://") || place.starts_with("https://")) {
      const ProjectPage page = read_page_(place);
      files_.insert(files_.end(), page.files.begin(), page.files.end());
    } else {
      read_local(place, path_of_file_url(place).value_or(Path(place)));
    }
  }
  read_ = true;
}

void FindLinks::read_local(const std::string& place, const Path& path) {
  std::error_code ignored;
  const auto status = std::filesystem::status(path, ignored);
  if (std::filesystem::is_directory(status)) {
    for (const std::string& name : list_dir(path)) {
      if (is_archive_name(name) && is_safe_file_name(name)) files_.push_back(local_file(path / name));
    }
  } else if (std::filesystem::is_regular_file(status) && is_archive_name(path.filename().string())) {
    files_.push_back(local_file(path));
  } else if (std::filesystem::is_regular_file(status)) {
    const ProjectPage page = parse_project_page(read_file(path, kMaxLinksBytes), "text/html", file_url(path), "");
    files_.insert(files_.end(), page.files.begin(), page.files.end());
  } else {
    throw Error(ErrorKind::not_found, "no folder, archive or page to find files in", redact_url(place),
                "correct or remove this `find-links` entry");
  }
}

}  // namespace dae::resolver
