#pragma once
// read_archive() with leading components dropped before names are judged. Private to base/archive_*.cc.
#include <functional>

#include "base/archive.h"

namespace dae::archive_detail {

void scan_archive(const Path& file, const ArchiveLimits& limits, int strip,
                  const std::function<void(const ArchiveEntry&, const ArchiveRead& read)>& visit);

}  // namespace dae::archive_detail
