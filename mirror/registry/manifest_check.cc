#include "mirror/registry/manifest_check.h"

#include "base/strings.h"
#include "base/value.h"
#include "mirror/artifact/artifact.h"
#include "mirror/registry/content_digest.h"
#include "mirror/registry/protocol.h"

namespace dae::mirror {
namespace {

constexpr const char* kDockerManifest = "application/vnd.docker.distribution.manifest.v2+json";
constexpr const char* kDockerList = "application/vnd.docker.distribution.manifest.list.v2+json";
constexpr size_t kMostReferences = 20'000;

[[noreturn]] void invalid(const std::string& message) {
  throw OciRefusal(400, "MANIFEST_INVALID", message);
}

const std::string& text_of(const Value& object, std::string_view key, const std::string& where) {
  const Value* value = object.find(key);
  if (value == nullptr || !value->is_string() || value->as_string().empty()) {
    invalid("`" + where + "` has no `" + std::string(key) + "`");
  }
  return value->as_string();
}

ManifestReference read_descriptor(const Value& descriptor, const std::string& where) {
  if (!descriptor.is_object()) invalid("`" + where + "` is no descriptor");
  ManifestReference reference;
  const std::string& media_type = text_of(descriptor, "mediaType", where);
  reference.digest = text_of(descriptor, "digest", where);
  if (!is_digest_form(reference.digest)) invalid("`" + where + "` has a malformed digest");
  const Value* size = descriptor.find("size");
  if (size == nullptr || !size->is_integer() || size->as_integer() < 0) invalid("`" + where + "` has no size");
  reference.size_bytes = static_cast<uint64_t>(size->as_integer());
  // image-spec, "Non-Distributable Layers": such content need not be in any registry.
  const bool foreign =
      media_type.find(".nondistributable.") != std::string::npos || media_type.find(".foreign.") != std::string::npos;
  reference.required = !foreign && descriptor.find("urls") == nullptr;
  return reference;
}

std::vector<ManifestReference> read_descriptors(const Value& manifest, const std::string& key) {
  const Value* list = manifest.find(key);
  if (list == nullptr || !list->is_array()) invalid("`" + key + "` is no list");
  if (list->size() > kMostReferences) invalid("`" + key + "` is too long");
  std::vector<ManifestReference> references;
  for (const Value& item : list->as_array()) references.push_back(read_descriptor(item, key));
  return references;
}

std::string media_type_of(const Value& manifest, std::string_view content_type) {
  // Parameters on the Content-Type are to be ignored.
  std::string sent = lower(trim(content_type.substr(0, content_type.find(';'))));
  const Value* stated = manifest.find("mediaType");
  if (stated == nullptr) return sent;
  if (!stated->is_string()) invalid("`mediaType` is no string");
  const bool said_nothing = sent.empty() || sent == "application/octet-stream" || sent == "application/json";
  if (!said_nothing && sent != lower(stated->as_string())) invalid("`mediaType` is not the Content-Type");
  return stated->as_string();
}

void read_annotations(const Value& manifest, ManifestFacts& facts) {
  const Value* annotations = manifest.find("annotations");
  if (annotations == nullptr || annotations->is_null()) return;
  if (!annotations->is_object()) invalid("`annotations` is no mapping");
  for (const auto& [key, value] : annotations->as_object()) {
    if (!value.is_string()) invalid("annotation `" + key + "` is no string");
  }
  facts.annotations = canonical_json(*annotations);
}

Value parse(std::string_view bytes) {
  try {
    Value root = parse_json(bytes, "manifest").root;
    if (!root.is_object()) invalid("a manifest is a JSON object");
    return root;
  } catch (const OciRefusal&) {
    throw;
  } catch (const Error& error) {
    invalid(error.what());
  }
}

}  // namespace

ManifestFacts read_manifest(std::string_view bytes, std::string_view content_type) {
  const Value manifest = parse(bytes);
  const Value* version = manifest.find("schemaVersion");
  if (version == nullptr || !version->is_integer() || version->as_integer() != 2) invalid("`schemaVersion` is not 2");
  ManifestFacts facts;
  facts.media_type = media_type_of(manifest, content_type);
  if (const Value* type = manifest.find("artifactType")) {
    if (!type->is_string()) invalid("`artifactType` is no string");
    facts.artifact_type = type->as_string();
  }
  if (facts.media_type == kManifestType || facts.media_type == kDockerManifest) {
    const Value* config = manifest.find("config");
    if (config == nullptr) invalid("the manifest has no `config`");
    facts.blobs = read_descriptors(manifest, "layers");
    facts.blobs.push_back(read_descriptor(*config, "config"));
    // Distribution-spec, "Listing Referrers": the config's type stands in for a missing artifactType.
    if (facts.artifact_type.empty()) facts.artifact_type = text_of(*config, "mediaType", "config");
  } else if (facts.media_type == kIndexType || facts.media_type == kDockerList) {
    facts.manifests = read_descriptors(manifest, "manifests");
  } else {
    invalid("`" + facts.media_type + "` is no type of manifest that this registry knows");
  }
  if (const Value* subject = manifest.find("subject"); subject != nullptr && !subject->is_null()) {
    facts.subject = read_descriptor(*subject, "subject").digest;
  }
  read_annotations(manifest, facts);
  return facts;
}

}  // namespace dae::mirror
