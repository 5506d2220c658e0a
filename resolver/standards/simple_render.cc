#include <algorithm>
#include <optional>

#include "base/strings.h"
#include "base/value.h"
#include "resolver/standards/names.h"
#include "resolver/standards/simple_page.h"

namespace dae::resolver {
namespace {

constexpr const char* kApiVersion = "1.4";

std::optional<Version> file_version(const IndexFile& file, std::string_view project) {
  if (const auto wheel = parse_wheel_name(file.name)) return wheel->version;
  if (const auto sdist = parse_sdist_name(file.name, project)) return sdist->version;
  return std::nullopt;
}

// PEP 700 makes `versions` and every `size` mandatory from 1.1 on: nothing when some of it is not known.
std::optional<std::vector<std::string>> page_versions(const ProjectPage& page) {
  std::vector<Version> versions;
  for (const IndexFile& file : page.files) {
    auto version = file_version(file, page.name);
    if (!version || !file.size_bytes) return std::nullopt;
    versions.push_back(*std::move(version));
  }
  std::stable_sort(versions.begin(), versions.end());
  versions.erase(std::unique(versions.begin(), versions.end()), versions.end());
  std::vector<std::string> out;
  for (const Version& version : versions) out.push_back(version.text());
  return out;
}

// One JSON object, members in the order they are added.
class ObjectWriter {
 public:
  explicit ObjectWriter(std::string& out) : out_(out) { out_ += '{'; }
  ~ObjectWriter() { out_ += '}'; }
  ObjectWriter(const ObjectWriter&) = delete;
  ObjectWriter& operator=(const ObjectWriter&) = delete;

  std::string& key(std::string_view name) {
    if (!first_) out_ += ',';
    first_ = false;
    out_ += json_string(name);
    out_ += ':';
    return out_;
  }
  void text(std::string_view name, std::string_view value) { key(name) += json_string(value); }
  void text_unless_empty(std::string_view name, std::string_view value) {
    if (!value.empty()) text(name, value);
  }

 private:
  std::string& out_;
  bool first_ = true;
};

void write_file(std::string& out, const IndexFile& file) {
  ObjectWriter object(out);
  object.text("filename", file.name);
  object.text("url", file.url);
  {
    ObjectWriter hashes(object.key("hashes"));
    for (const auto& [algorithm, hex] : file.hashes) hashes.text(algorithm, hex);
    if (!file.sha256.empty() && !file.hashes.contains("sha256")) hashes.text("sha256", file.sha256);
  }
  object.text_unless_empty("requires-python", file.requires_python);
  if (file.has_metadata && file.metadata_sha256.empty()) object.key("core-metadata") += "true";
  if (file.has_metadata && !file.metadata_sha256.empty()) {
    ObjectWriter(object.key("core-metadata")).text("sha256", file.metadata_sha256);
  }
  if (file.yanked && file.yanked_reason.empty()) object.key("yanked") += "true";
  if (file.yanked) object.text_unless_empty("yanked", file.yanked_reason);
  if (file.size_bytes) object.key("size") += std::to_string(*file.size_bytes);
  object.text_unless_empty("upload-time", file.upload_time);
  object.text_unless_empty("provenance", file.provenance);
}

std::string html_attribute(std::string_view name, std::string_view value) {
  return " " + std::string(name) + "=\"" + html_escape(value) + "\"";
}

std::string html_meta(std::string_view name, std::string_view content) {
  return "<meta" + html_attribute("name", name) + html_attribute("content", content) + ">\n";
}

std::string html_head(std::string_view title, const std::string& extra_meta) {
  return "<!DOCTYPE html>\n<html>\n<head>\n<meta charset=\"utf-8\">\n" +
         html_meta("pypi:repository-version", kApiVersion) + extra_meta + "<title>" + html_escape(title) +
         "</title>\n</head>\n<body>\n<h1>" + html_escape(title) + "</h1>\n";
}

std::string html_fragment(const IndexFile& file) {
  if (!file.sha256.empty()) return "#sha256=" + file.sha256;
  if (file.hashes.empty()) return "";
  return "#" + file.hashes.rbegin()->first + "=" + file.hashes.rbegin()->second;
}

std::string html_anchor(const IndexFile& file) {
  std::string out = "<a" + html_attribute("href", file.url + html_fragment(file));
  if (!file.requires_python.empty()) out += html_attribute("data-requires-python", file.requires_python);
  if (file.has_metadata) {  // PEP 714: both spellings, for clients older than it
    const std::string value = file.metadata_sha256.empty() ? "true" : "sha256=" + file.metadata_sha256;
    out += html_attribute("data-core-metadata", value) + html_attribute("data-dist-info-metadata", value);
  }
  if (file.yanked) out += html_attribute("data-yanked", file.yanked_reason);
  if (!file.provenance.empty()) out += html_attribute("data-provenance", file.provenance);
  return out + ">" + html_escape(file.name) + "</a><br>\n";
}

}  // namespace

std::string render_project_json(const ProjectPage& page) {
  const auto versions = page_versions(page);
  std::string out;
  {
    ObjectWriter object(out);
    ObjectWriter(object.key("meta")).text("api-version", versions ? kApiVersion : "1.0");
    object.text("name", page.name);
    if (!page.status.empty()) {
      ObjectWriter status(object.key("project-status"));
      status.text("status", page.status);
      status.text_unless_empty("reason", page.status_reason);
    }
    if (versions) {
      std::vector<std::string> quoted;
      for (const std::string& version : *versions) quoted.push_back(json_string(version));
      object.key("versions") += "[" + join(quoted, ",") + "]";
    }
    object.key("files") += '[';
    for (size_t i = 0; i < page.files.size(); ++i) {
      if (i > 0) out += ',';
      write_file(out, page.files[i]);
    }
    out += ']';
  }
  return out;
}

std::string render_project_html(const ProjectPage& page) {
  std::string meta;
  if (!page.status.empty()) meta += html_meta("pypi:project-status", page.status);
  if (!page.status.empty() && !page.status_reason.empty()) {
    meta += html_meta("pypi:project-status-reason", page.status_reason);
  }
  std::string out = html_head("Links for " + page.name, meta);
  for (const IndexFile& file : page.files) out += html_anchor(file);
  return out + "</body>\n</html>\n";
}

std::string render_list_json(const std::vector<std::string>& names, const std::vector<int64_t>& serials) {
  std::string out;
  {
    ObjectWriter object(out);
    {
      ObjectWriter meta(object.key("meta"));
      meta.text("api-version", kApiVersion);
      if (!serials.empty())
        meta.key("_last-serial") += std::to_string(*std::max_element(serials.begin(), serials.end()));
    }
    object.key("projects") += '[';
    for (size_t i = 0; i < names.size(); ++i) {
      if (i > 0) out += ',';
      ObjectWriter project(out);
      project.text("name", names[i]);
      if (!serials.empty()) project.key("_last-serial") += std::to_string(serials[i]);
    }
    out += ']';
  }
  return out;
}

std::string render_list_html(const std::vector<std::string>& names) {
  std::string out = html_head("Simple index", "");
  for (const std::string& name : names) {
    out += "<a" + html_attribute("href", normalize_name(name) + "/") + ">" + html_escape(name) + "</a><br>\n";
  }
  return out + "</body>\n</html>\n";
}

}  // namespace dae::resolver
