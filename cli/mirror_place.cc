#include "cli/mirror_place.h"

#include "base/env.h"
#include "base/error.h"
#include "base/value.h"
#include "cli/context.h"

namespace dae::cli {

void MirrorPlace::options(CommandLine& line) {
  line.option("-c,--config", config, "mirror.yaml");
  line.option("--storage", storage, "folder for blobs and catalog");
}

mirror::MirrorConfig MirrorPlace::read() const {
  const Path folder = storage.empty() ? data_dir() / "mirror" : Path(storage);
  mirror::MirrorConfig out =
      config.empty() ? mirror::default_mirror_config(folder) : mirror::parse_mirror_config(read_yaml_file(config));
  if (!storage.empty()) out.storage = folder;
  return out;
}

Path existing_catalog(const mirror::MirrorConfig& config) {
  const Path catalog = config.storage / "catalog.db";
  if (!exists(catalog)) {
    throw Error(ErrorKind::not_found, "there is no mirror", config.storage.string(),
                "name it with `--config` or `--storage`");
  }
  return catalog;
}

}  // namespace dae::cli
