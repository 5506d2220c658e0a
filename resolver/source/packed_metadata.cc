#include "resolver/source/packed_metadata.h"

#include "base/error.h"
#include "base/strings.h"
#include "resolver/source/packed_bytes.h"
#include "resolver/standards/metadata.h"
#include "resolver/standards/names.h"

namespace dae::resolver {
namespace {

using packed::load;
using packed::put;

// "dMt" and the version.
constexpr uint32_t kMagic = 0x02744d64;
// Magic, number of extras, number of dependencies; then a length per text: broken, name, version, requires-python,
// the extras, five of each dependency; then the texts.
constexpr size_t kHeaderBytes = 12;
constexpr size_t kTextsPerDependency = 5;

std::string assemble(size_t extras, size_t dependencies, const std::vector<std::string>& texts) {
  std::string out;
  put(out, kMagic);
  put(out, static_cast<uint32_t>(extras));
  put(out, static_cast<uint32_t>(dependencies));
  for (const std::string& text : texts) put(out, static_cast<uint32_t>(text.size()));
  for (const std::string& text : texts) out += text;
  return out;
}

}  // namespace

std::string PackedMetadata::pack(std::string_view metadata_text, std::string_view source) {
  try {
    const CoreMetadata metadata = parse_core_metadata(metadata_text, source);
    std::vector<std::string> texts = {"", normalize_name(metadata.name), metadata.version, metadata.requires_python};
    texts.insert(texts.end(), metadata.provides_extra.begin(), metadata.provides_extra.end());
    for (const std::string& line : metadata.requires_dist) {
      const Requirement one = Requirement::parse(line);
      texts.push_back(one.key);
      texts.push_back(join(one.extras, ","));
      texts.push_back(one.specifiers.text());
      texts.push_back(one.url);
      texts.push_back(one.marker.always() ? "" : one.marker.text());
    }
    return assemble(metadata.provides_extra.size(), metadata.requires_dist.size(), texts);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::bad_input) throw;
    return assemble(0, 0, {error.message(), "", "", ""});
  }
}

std::shared_ptr<const PackedMetadata> PackedMetadata::open(std::string_view bytes, std::shared_ptr<const void> owner) {
  if (bytes.size() < kHeaderBytes || load<uint32_t>(bytes.data()) != kMagic) return nullptr;
  const auto extras = load<uint32_t>(bytes.data() + 4), dependencies = load<uint32_t>(bytes.data() + 8);
  const uint64_t texts = 4 + uint64_t{extras} + uint64_t{dependencies} * kTextsPerDependency;
  if (texts > (bytes.size() - kHeaderBytes) / 4) return nullptr;
  const char* length = bytes.data() + kHeaderBytes;
  std::string_view rest = bytes.substr(kHeaderBytes + texts * 4);
  bool failed = false;
  const auto next = [&]() -> std::string_view {
    const auto size = load<uint32_t>(length);
    length += 4;
    if (size > rest.size()) {
      failed = true;
      return {};
    }
    const std::string_view out = rest.substr(0, size);
    rest.remove_prefix(size);
    return out;
  };
  auto out = std::shared_ptr<PackedMetadata>(new PackedMetadata);
  out->bytes_ = bytes;
  out->broken_ = next();
  out->name_ = next();
  out->version_ = next();
  out->requires_python_ = next();
  out->extras_.reserve(extras);
  for (uint32_t i = 0; i < extras && !failed; ++i) out->extras_.push_back(next());
  out->dependencies_.reserve(dependencies);
  for (uint32_t i = 0; i < dependencies && !failed; ++i) {
    Dependency one;
    one.name = next();
    one.extras = next();
    one.specifier = next();
    one.url = next();
    one.marker = next();
    out->dependencies_.push_back(one);
  }
  if (failed || !rest.empty()) return nullptr;
  out->owner_ = std::move(owner);
  return out;
}

std::shared_ptr<const PackedMetadata> PackedMetadata::make(std::string_view metadata_text, std::string_view source) {
  auto bytes = std::make_shared<const std::string>(pack(metadata_text, source));
  auto out = open(*bytes, bytes);
  DAE_CHECK(out != nullptr);
  return out;
}

}  // namespace dae::resolver
