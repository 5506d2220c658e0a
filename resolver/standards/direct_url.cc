#include "resolver/standards/direct_url.h"

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "base/http.h"
#include "base/strings.h"
#include "base/value.h"

namespace dae::resolver {
namespace {

constexpr size_t kMaxBytes = 1u << 20;

// "${NAME}": letters, digits, '-' and '_' between the braces.
bool is_variable(std::string_view text) {
  if (!text.starts_with("${") || !text.ends_with("}") || text.size() < 4) return false;
  const std::string_view name = text.substr(2, text.size() - 3);
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

bool may_stay(std::string_view user_info, std::string_view vcs) {
  const size_t colon = user_info.find(':');
  if (colon != std::string_view::npos) {
    return is_variable(user_info.substr(0, colon)) && is_variable(user_info.substr(colon + 1));
  }
  return is_variable(user_info) || (!vcs.empty() && user_info == "git");
}

[[noreturn]] void refuse(std::string_view source, std::string cause) {
  throw Error(ErrorKind::bad_input, "this is no direct_url.json", std::string(source)).because(std::move(cause));
}

// null counts as absent.
const Value* member(const Value& object, std::string_view key) {
  const Value* value = object.find(key);
  return value && !value->is_null() ? value : nullptr;
}

std::string text_member(const Value& object, std::string_view key, std::string_view source, bool required = false) {
  const Value* value = member(object, key);
  if (!value && required) refuse(source, "`" + std::string(key) + "` is missing");
  if (!value) return "";
  if (!value->is_string()) refuse(source, "`" + std::string(key) + "` must be a string");
  if (required && value->as_string().empty()) refuse(source, "`" + std::string(key) + "` is empty");
  return value->as_string();
}

DirectUrl::Vcs read_vcs(const Value& info, std::string_view source) {
  return {text_member(info, "vcs", source, true), text_member(info, "requested_revision", source),
          text_member(info, "commit_id", source, true)};
}

DirectUrl::Archive read_archive(const Value& info, std::string_view source) {
  DirectUrl::Archive out;
  const Value* hashes = member(info, "hashes");
  if (hashes && !hashes->is_object()) refuse(source, "`hashes` must be a mapping");
  if (hashes) {
    for (const auto& [algorithm, hex] : hashes->as_object()) {
      if (!hex.is_string()) refuse(source, "a hash must be a string");
      out.hashes.emplace(algorithm, hex.as_string());
    }
  }
  // The older field: on its own, or one of the newer ones once more.
  const std::string hash = text_member(info, "hash", source);
  if (hash.empty()) return out;
  const size_t equals = hash.find('=');
  if (equals == std::string::npos) refuse(source, "`hash` must be `algorithm=value`");
  const std::pair<const std::string, std::string> older(hash.substr(0, equals), hash.substr(equals + 1));
  if (!hashes) out.hashes.insert(older);
  const auto same = out.hashes.find(older.first);
  if (same == out.hashes.end() || same->second != older.second) refuse(source, "`hash` and `hashes` disagree");
  return out;
}

DirectUrl::Directory read_directory(const Value& info, const std::string& url, std::string_view source) {
  const std::string_view path = std::string_view(url).substr(0, url.find_first_of("?#"));
  const bool absolute =
      path.starts_with("file://") ? path.find('/', 7) != std::string_view::npos : path.starts_with("file:/");
  if (!absolute) refuse(source, "the URL of a directory must be a `file:` URL with an absolute path");
  const Value* editable = member(info, "editable");
  if (editable && !editable->is_bool()) refuse(source, "`editable` must be true or false");
  return {editable != nullptr && editable->as_bool()};
}

std::optional<DirectUrl> read_info(const Value& root, DirectUrl out, std::string_view source) {
  int kinds = 0;
  for (const char* key : {"vcs_info", "archive_info", "dir_info"}) {
    const Value* info = member(root, key);
    if (!info) continue;
    if (!info->is_object()) refuse(source, "`" + std::string(key) + "` must be a mapping");
    ++kinds;
    const char kind = key[0];
    if (kind == 'v') out.info = read_vcs(*info, source);
    if (kind == 'a') out.info = read_archive(*info, source);
    if (kind == 'd') out.info = read_directory(*info, out.url, source);
  }
  return kinds == 1 ? std::optional(std::move(out)) : std::nullopt;
}

}  // namespace

std::string strip_url_credentials(std::string_view url, std::string_view vcs) {
  const size_t scheme = url.find("://");
  if (scheme == std::string_view::npos || url.substr(0, scheme).find_first_of("/?#") != std::string_view::npos) {
    return std::string(url);
  }
  const size_t begin = scheme + 3;
  const size_t end = std::min(url.find_first_of("/?#", begin), url.size());
  const size_t at = url.substr(begin, end - begin).rfind('@');
  if (at == std::string_view::npos || may_stay(url.substr(begin, at), vcs)) return std::string(url);
  return std::string(url.substr(0, begin)) + std::string(url.substr(begin + at + 1));
}

DirectUrl parse_direct_url(std::string_view text, std::string_view source) {
  if (text.size() > kMaxBytes) refuse(source, "it is too large");
  const Document document = parse_json(text, std::string(source));
  if (!document.root.is_object()) refuse(source, "it is no JSON object");
  DirectUrl out;
  out.url = text_member(document.root, "url", source, true);
  if (out.url.starts_with('#')) refuse(source, "`url` is empty");
  out.subdirectory = text_member(document.root, "subdirectory", source);
  auto read = read_info(document.root, std::move(out), source);
  if (!read) refuse(source, "there must be exactly one of `vcs_info`, `archive_info` and `dir_info`");
  return *std::move(read);
}

std::string render_direct_url(const DirectUrl& direct) {
  Value out = Value::object();
  std::string vcs;
  if (const auto* archive = std::get_if<DirectUrl::Archive>(&direct.info)) {
    Value info = Value::object();
    Value hashes = Value::object();
    for (const auto& [algorithm, hex] : archive->hashes) hashes.set(algorithm, hex);
    if (!archive->hashes.empty()) {
      // Both forms, as the specification asks for the sake of older readers.
      const auto sha256 = archive->hashes.find("sha256");
      const auto& shown = sha256 == archive->hashes.end() ? *archive->hashes.begin() : *sha256;
      info.set("hash", shown.first + "=" + shown.second).set("hashes", std::move(hashes));
    }
    out.set("archive_info", std::move(info));
  } else if (const auto* repository = std::get_if<DirectUrl::Vcs>(&direct.info)) {
    vcs = repository->vcs;
    Value info = Value::object();
    info.set("vcs", repository->vcs).set("commit_id", repository->commit_id);
    if (!repository->requested_revision.empty()) info.set("requested_revision", repository->requested_revision);
    out.set("vcs_info", std::move(info));
  } else {
    Value info = Value::object();
    if (std::get<DirectUrl::Directory>(direct.info).editable) info.set("editable", true);
    out.set("dir_info", std::move(info));
  }
  if (!direct.subdirectory.empty()) out.set("subdirectory", direct.subdirectory);
  out.set("url", strip_url_credentials(std::string_view(direct.url).substr(0, direct.url.find('#')), vcs));
  return canonical_json(out);
}

}  // namespace dae::resolver
