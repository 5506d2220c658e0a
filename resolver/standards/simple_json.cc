// PEP 691 pages. Read field by field as they come: a page of a large project has megabytes, of which few bytes stay.
#include <simdjson.h>

#include "base/error.h"
#include "base/strings.h"
#include "resolver/standards/names.h"
#include "resolver/standards/simple_parse.h"

namespace dae::resolver {
namespace {

namespace json = simdjson::ondemand;

// "" for null: fields that may be left out may be null as well.
std::string_view text_or_empty(json::value value) {
  if (value.type() == json::json_type::null) return {};
  return value.get_string();
}

int64_t serial_or_none(json::value value) {
  if (value.type() != json::json_type::number) return 0;
  int64_t serial = 0;
  const bool told = value.get_int64().get(serial) == simdjson::SUCCESS;
  return told && serial > 0 ? serial : 0;
}

void read_metadata(IndexFile& file, json::value value) {
  switch (value.type()) {
    case json::json_type::boolean:
      file.has_metadata = value.get_bool();
      break;
    case json::json_type::object:
      file.has_metadata = true;
      for (auto hash : value.get_object()) {
        const std::string_view algorithm = hash.unescaped_key();
        announce_metadata(file, std::string(algorithm) + "=" + std::string(text_or_empty(hash.value())));
      }
      break;
    default:
      break;
  }
}

void read_yanked(IndexFile& file, json::value value) {
  switch (value.type()) {
    case json::json_type::boolean:
      file.yanked = value.get_bool();
      break;
    case json::json_type::string:
      file.yanked = true;  // an empty reason as well
      file.yanked_reason = std::string_view(value.get_string());
      break;
    default:
      break;
  }
}

std::optional<IndexFile> read_file(json::object object, std::string_view page_url) {
  IndexFile file;
  std::string reference;
  bool has_core_metadata = false;
  for (auto field : object) {
    const std::string_view key = field.unescaped_key();
    json::value value = field.value();
    if (key == "filename") {
      file.name = text_or_empty(value);
    } else if (key == "url") {
      reference = text_or_empty(value);
    } else if (key == "hashes" && value.type() == json::json_type::object) {
      for (auto hash : value.get_object()) {
        const std::string algorithm(std::string_view(hash.unescaped_key()));
        add_hash(file, algorithm, text_or_empty(hash.value()));
      }
    } else if (key == "requires-python") {
      file.requires_python = trim(text_or_empty(value));
    } else if (key == "core-metadata") {
      if (value.type() == json::json_type::null) continue;  // as good as absent
      file.has_metadata = false;
      file.metadata_sha256.clear();
      read_metadata(file, value);
      has_core_metadata = true;
    } else if ((key == "dist-info-metadata" || key == "data-dist-info-metadata") && !has_core_metadata) {
      read_metadata(file, value);  // PEP 714: the older spelling counts only where the newer one is absent
    } else if (key == "yanked") {
      read_yanked(file, value);
    } else if (key == "size" && value.type() == json::json_type::number) {
      uint64_t size = 0;
      if (value.get_uint64().get(size) == simdjson::SUCCESS) file.size_bytes = size;
    } else if (key == "upload-time") {
      file.upload_time = text_or_empty(value);
    } else if (key == "provenance") {
      place_provenance(file, page_url, text_or_empty(value));
    }
  }
  if (reference.empty() || file.name.empty() || !place_file(file, page_url, reference)) return std::nullopt;
  return file;
}

void read_meta(json::object object, std::string& api_version) {
  for (auto field : object) {
    const std::string_view key = field.unescaped_key();
    if (key == "api-version") api_version = text_or_empty(field.value());
  }
}

void read_status(json::object object, ProjectPage& out) {
  for (auto field : object) {
    const std::string_view key = field.unescaped_key();
    if (key == "status") out.status = lower(text_or_empty(field.value()));
    if (key == "reason") out.status_reason = text_or_empty(field.value());
  }
}

[[noreturn]] void refuse(std::string_view page_url, std::string cause) {
  throw Error(ErrorKind::bad_input, "this is no index page", std::string(page_url)).because(std::move(cause));
}

// Calls `on_field(key, value)` for each member of the document.
template <typename OnField>
void read_document(std::string_view body, std::string_view page_url, const OnField& on_field) {
  try {
    const simdjson::padded_string padded(body);
    json::parser parser;
    json::document document = parser.iterate(padded);
    if (document.type() != json::json_type::object) refuse(page_url, "it is no JSON object");
    for (auto field : document.get_object()) {
      const std::string_view key = field.unescaped_key();
      on_field(key, json::value(field.value()));
    }
    const char* rest = nullptr;
    if (document.current_location().get(rest) == simdjson::SUCCESS) {
      refuse(page_url, "something follows the JSON object");
    }
  } catch (const simdjson::simdjson_error& error) {
    refuse(page_url, std::string("invalid JSON: ") + simdjson::error_message(error.error()));
  }
}

}  // namespace

void parse_project_json(std::string_view body, std::string_view page_url, ProjectPage& out) {
  bool has_files = false;
  read_document(body, page_url, [&](std::string_view key, json::value value) {
    if (key == "files") {
      has_files = true;
      for (auto item : value.get_array()) {
        auto file = read_file(item.get_object(), page_url);
        if (!file) continue;
        if (out.files.size() >= kMaxPageFiles) {
          throw Error(ErrorKind::bad_input, "the index page lists too many files", std::string(page_url));
        }
        out.files.push_back(*std::move(file));
      }
    } else if (key == "meta") {
      read_meta(value.get_object(), out.api_version);
    } else if (key == "project-status" && value.type() == json::json_type::object) {
      read_status(value.get_object(), out);
    }
  });
  out.newer_minor = check_api_version(out.api_version, page_url);
  if (!has_files) refuse(page_url, "it has no list `files`");
}

void visit_list_json(std::string_view body, std::string_view page_url, const VisitProject& visit) {
  std::string api_version = "1.0";
  bool has_projects = false;
  read_document(body, page_url, [&](std::string_view key, json::value value) {
    if (key == "projects") {
      has_projects = true;
      for (auto item : value.get_array()) {
        std::string_view name;
        int64_t serial = 0;
        for (auto field : item.get_object()) {
          const std::string_view key_of_item = field.unescaped_key();
          if (key_of_item == "name") name = text_or_empty(field.value());
          if (key_of_item == "_last-serial") serial = serial_or_none(field.value());
        }
        if (is_valid_name(name)) visit(name, serial);
      }
    } else if (key == "meta") {
      read_meta(value.get_object(), api_version);
    }
  });
  check_api_version(api_version, page_url);
  if (!has_projects) refuse(page_url, "it has no list `projects`");
}

}  // namespace dae::resolver
