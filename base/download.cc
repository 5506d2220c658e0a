#include "base/clock.h"
#include "base/error.h"
#include "base/partial_download.h"

namespace dae {
namespace {

Path with_suffix(Path path, std::string_view suffix) {
  path += suffix;
  return path;
}

}  // namespace

Digest download_file(Transport& transport, const Download& download) {
  if (download.destination.has_parent_path()) make_dirs(download.destination.parent_path());
  // Two processes never write one part: the second takes a name of its own and resumes nothing.
  auto file = PartialDownload::begin(download, with_suffix(download.destination, ".part"));
  if (!file) file = PartialDownload::begin(download, with_suffix(download.destination, ".part-" + random_hex(8)));
  if (!file) throw Error(ErrorKind::io, "cannot lock the unfinished file", download.destination);
  while (!file->complete()) {
    const auto pause_ms = file->take_answer(transport.send_async(file->request()));
    if (pause_ms) SystemClock().sleep_ms(*pause_ms);
  }
  file->move_to(download.destination);
  return file->digest();
}

}  // namespace dae
