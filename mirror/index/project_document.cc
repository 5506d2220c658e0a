#include "mirror/index/project_document.h"

#include "base/error.h"
#include "base/value.h"

namespace dae::mirror {
namespace {

constexpr int kFormat = 1;

void set_unless_empty(Value& object, const char* key, const std::string& text) {
  if (!text.empty()) object.set(key, text);
}

Value to_value(const resolver::IndexFile& file, int64_t first_seen_ms) {
  Value hashes = Value::object();
  for (const auto& [algorithm, hex] : file.hashes) hashes.set(algorithm, hex);
  hashes.set("sha256", file.sha256);
  Value out = Value::object({{"name", file.name}, {"hashes", std::move(hashes)}, {"first_seen_ms", first_seen_ms}});
  set_unless_empty(out, "url", file.url);
  set_unless_empty(out, "requires_python", file.requires_python);
  set_unless_empty(out, "upload_time", file.upload_time);
  set_unless_empty(out, "provenance", file.provenance);
  if (file.size_bytes) out.set("size", *file.size_bytes);
  if (file.yanked) out.set("yanked", file.yanked_reason);
  if (file.has_metadata) out.set("metadata", file.metadata_sha256);
  return out;
}

resolver::IndexFile to_file(const Value& value) {
  resolver::IndexFile file;
  file.name = value.at("name").as_string();
  for (const auto& [algorithm, hex] : value.at("hashes").as_object()) file.hashes[algorithm] = hex.as_string();
  file.sha256 = Digest::parse(file.hashes["sha256"]).hex();
  file.url = value.get_string("url");
  file.requires_python = value.get_string("requires_python");
  file.upload_time = value.get_string("upload_time");
  file.provenance = value.get_string("provenance");
  if (const Value* size = value.find("size")) file.size_bytes = static_cast<uint64_t>(size->as_integer());
  if (const Value* yanked = value.find("yanked")) {
    file.yanked = true;
    file.yanked_reason = yanked->as_string();
  }
  if (const Value* metadata = value.find("metadata")) {
    file.has_metadata = true;
    file.metadata_sha256 = metadata->as_string();
  }
  return file;
}

}  // namespace

std::string write_document(const ProjectDocument& document) {
  Value files = Value::array();
  for (const resolver::IndexFile& file : document.page.files) {
    const auto seen = document.first_seen_ms.find(file.name);
    files.push_back(to_value(file, seen == document.first_seen_ms.end() ? 0 : seen->second));
  }
  Value out = Value::object({{"format", kFormat}, {"name", document.page.name}, {"files", std::move(files)}});
  set_unless_empty(out, "display_name", document.display_name);
  set_unless_empty(out, "status", document.page.status);
  set_unless_empty(out, "status_reason", document.page.status_reason);
  return canonical_json(out);
}

ProjectDocument parse_document(std::string_view text, std::string_view source) {
  try {
    const Value root = parse_json(text, std::string(source)).root;
    if (root.get_integer("format") != kFormat) throw Error(ErrorKind::bad_input, "a format that is not known");
    ProjectDocument out;
    out.page.name = root.at("name").as_string();
    out.display_name = root.get_string("display_name");
    out.page.status = root.get_string("status");
    out.page.status_reason = root.get_string("status_reason");
    for (const Value& file : root.at("files").as_array()) {
      out.page.files.push_back(to_file(file));
      out.first_seen_ms[out.page.files.back().name] = file.get_integer("first_seen_ms");
    }
    return out;
  } catch (const Error& error) {
    throw Error(ErrorKind::bad_input, "not a project document", std::string(source)).because(error.what());
  }
}

}  // namespace dae::mirror
