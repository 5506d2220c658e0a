#include "cli/mirror_place.h"

#include "base/env.h"
#include "base/error.h"
#include "base/value.h"
#include "cli/context.h"
#include "mirror/storage/config.h"

namespace dae::cli {

void MirrorPlace::options(CommandLine& line) {
  line.option("-c,--config", config, "mirror.yaml");
  line.option("--storage", storage, "folder for blobs and catalog, or s3://bucket/prefix?endpoint=…");
}

mirror::MirrorConfig MirrorPlace::read() const {
  mirror::MirrorConfig out = config.empty() ? mirror::default_mirror_config(data_dir() / "mirror")
                                            : mirror::parse_mirror_config(read_yaml_file(config));
  if (!storage.empty()) mirror::set_storage(out, storage);
  return out;
}

}  // namespace dae::cli
