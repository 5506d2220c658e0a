// What `dae publish` sends when nothing is named: share/doc/formats/artifact.md, "The last build".
#include <fmt/format.h>

#include "base/error.h"
#include "builder/build.h"

namespace dae::builder {

namespace {

constexpr int64_t kFormat = 1;

Path record_path(const AppFile& app) {
  return cache_dir() / "builds" / (Digest::of(app.dir.string()).hex() + ".json");
}

}  // namespace

void remember_build(const AppFile& app, const BuiltArtifact& artifact) {
  const Path path = record_path(app);
  make_dirs(path.parent_path());
  write_file_atomic(path, pretty_json(Value::object({{"format", kFormat},
                                                     {"folder", app.dir.string()},
                                                     {"repository", artifact.repository},
                                                     {"version", artifact.version},
                                                     {"digest", artifact.digest.oci()},
                                                     {"dirty", artifact.dirty}})));
}

BuiltArtifact last_build(const AppFile& app, BlobStore& blobs) {
  const Path path = record_path(app);
  const auto text = read_file_if_exists(path, 1u << 20);
  if (!text) {
    throw Error(ErrorKind::not_found, fmt::format("`{}` has not been built here", app.config.name), app.dir.string(),
                "build it with `dae build`");
  }
  const Document document = parse_json(*text, path.string());
  Reader reader(document);
  reader.integer("format", kFormat, kFormat, kFormat);
  reader.string("folder");
  BuiltArtifact out;
  out.repository = reader.required_string("repository");
  out.version = reader.required_string("version");
  out.digest = Digest::parse(reader.required_string("digest"));
  out.dirty = reader.boolean("dirty", false);
  reader.finish();
  if (!blobs.has(out.digest)) {
    throw Error(ErrorKind::not_found,
                fmt::format("the last build of `{}` is no longer in the local store", app.config.name),
                out.digest.oci(), "build it again with `dae build`");
  }
  out.manifest = mirror::Manifest::parse(blobs.read(out.digest), out.digest.oci());
  for (const mirror::Descriptor& layer : out.manifest.layers) {
    if (layer.media_type == mirror::kSourceType) {
      out.source_bytes += layer.size_bytes;
    } else {
      out.wheel_bytes += layer.size_bytes;
      ++out.wheels;
    }
  }
  return out;
}

}  // namespace dae::builder
