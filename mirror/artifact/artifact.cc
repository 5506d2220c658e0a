#include "mirror/artifact/artifact.h"

#include <fmt/format.h>

#include "mirror/artifact/app_rules.h"

namespace dae::mirror {

namespace {

constexpr size_t kMostLayers = 10'000;

Value annotations_value(const std::map<std::string, std::string>& annotations) {
  Value out = Value::object();
  for (const auto& [key, text] : annotations) out.set(key, text);
  return out;
}

Value descriptor_value(const Descriptor& descriptor) {
  Value out = Value::object(
      {{"mediaType", descriptor.media_type}, {"digest", descriptor.digest.oci()}, {"size", descriptor.size_bytes}});
  if (!descriptor.annotations.empty()) out.set("annotations", annotations_value(descriptor.annotations));
  return out;
}

void require_text(Reader& reader, std::string_view key, std::string_view wanted) {
  const Value& value = reader.required(key);
  const bool same = value.is_string() && value.as_string() == wanted;
  if (!same) throw reader.error_at(value, fmt::format("`{}` must be `{}`", key, wanted), "is this an artifact of dae?");
}

Digest read_digest(const Reader& reader, const Value& value) {
  const bool valid =
      value.is_string() && value.as_string().starts_with("sha256:") && Digest::is_valid(value.as_string());
  if (!valid)
    throw reader.error_at(value, fmt::format("`{}.digest` must be `sha256:` and 64 hex digits", reader.where()));
  return Digest::parse(value.as_string());
}

Descriptor read_descriptor(Reader reader) {
  Descriptor out;
  out.media_type = reader.required_string("mediaType");
  out.digest = read_digest(reader, reader.required("digest"));
  reader.required("size");
  out.size_bytes = static_cast<uint64_t>(reader.integer("size", 0, 0));
  out.annotations = reader.string_map("annotations");
  reader.finish();
  return out;
}

std::string annotation(const Descriptor& layer, const char* key) {
  const auto found = layer.annotations.find(key);
  return found == layer.annotations.end() ? "" : found->second;
}

// The order and the names are part of the contract: a node reads the source first and puts wheels under their names.
void check_layer(const Reader& manifest, const Value& place, const std::vector<Descriptor>& layers) {
  const Descriptor& layer = layers.back();
  if (layers.size() == 1) {
    if (layer.media_type != kSourceType) {
      throw manifest.error_at(place, fmt::format("the first layer must be `{}`", kSourceType));
    }
    const std::string tar = annotation(layer, kTarDigest);
    if (!tar.starts_with("sha256:") || !Digest::is_valid(tar)) {
      throw manifest.error_at(place, fmt::format("the source layer has no valid annotation `{}`", kTarDigest));
    }
    return;
  }
  if (layer.media_type != kWheelType) {
    throw manifest.error_at(place, fmt::format("a layer after the first must be `{}`", kWheelType));
  }
  const std::string title = annotation(layer, kTitle);
  if (!is_wheel_file_name(title)) {
    throw manifest.error_at(place, fmt::format("annotation `{}` must be the file name of a wheel", kTitle));
  }
  if (layers.size() > 2 && annotation(layers[layers.size() - 2], kTitle) >= title) {
    throw manifest.error_at(place, "wheels must be sorted by file name, each named once");
  }
}

}  // namespace

std::string Manifest::canonical() const {
  Value list = Value::array();
  for (const Descriptor& layer : layers) list.push_back(descriptor_value(layer));
  Value out = Value::object({{"schemaVersion", 2},
                             {"mediaType", kManifestType},
                             {"artifactType", kArtifactType},
                             {"config", descriptor_value(config)},
                             {"layers", std::move(list)}});
  if (!annotations.empty()) out.set("annotations", annotations_value(annotations));
  return canonical_json(out);
}

Manifest Manifest::parse(std::string_view bytes, std::string name) {
  const Document document = parse_json(bytes, std::move(name));
  Reader reader(document);
  Manifest out;
  reader.required("schemaVersion");
  reader.integer("schemaVersion", 2, 2, 2);
  require_text(reader, "mediaType", kManifestType);
  require_text(reader, "artifactType", kArtifactType);
  out.config = read_descriptor(Reader(document.name, reader.required("config"), "config"));
  if (out.config.media_type != kConfigType) {
    throw reader.error_at(reader.required("config"), fmt::format("`config.mediaType` must be `{}`", kConfigType));
  }
  const Value& layers = reader.required("layers");
  if (!layers.is_array() || layers.size() == 0 || layers.size() > kMostLayers) {
    throw reader.error_at(layers, fmt::format("`layers` must be a list of 1 to {} layers", kMostLayers));
  }
  for (const Value& layer : layers.as_array()) {
    out.layers.push_back(read_descriptor(Reader(document.name, layer, fmt::format("layers[{}]", out.layers.size()))));
    check_layer(reader, layer, out.layers);
  }
  out.annotations = reader.string_map("annotations");
  reader.finish();
  // One artifact, one digest: written again, it must be the very same bytes.
  if (out.canonical() != bytes) {
    throw reader.error_at(document.root, "the manifest is not in canonical form",
                          "only copies made byte for byte work");
  }
  return out;
}

}  // namespace dae::mirror
