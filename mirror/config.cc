#include <algorithm>
#include <array>
#include <set>

#include "base/strings.h"
#include "mirror/config_values.h"
#include "mirror/mirror.h"
#include "mirror/policy/config.h"
#include "mirror/storage/config.h"
#include "mirror/sync/settings.h"
#include "mirror/upload/config.h"

namespace dae::mirror {
namespace {

bool is_index_name(std::string_view name) {
  static const std::set<std::string, std::less<>> reserved = {"v2",      "packages", "snapshots", "healthz",
                                                              "metrics", "ui",       "artifacts"};
  if (name.empty() || name.size() > 64 || reserved.count(name) > 0) return false;
  for (size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    const bool letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (!letter && (i == 0 || (c != '-' && c != '_' && c != '.'))) return false;
  }
  return true;
}

std::string parse_upstream(const Reader& reader, const Value& value) {
  const std::string& text = value.as_string();
  if (text == "pip") return text;
  std::string url = text;
  try {
    const Url parsed = parse_url(url);
    if (!parsed.query.empty() || !parsed.fragment.empty()) throw Error(ErrorKind::bad_input, "query in the URL");
  } catch (const Error&) {
    throw reader.error_at(value, "`" + text + "` is neither `pip` nor the http(s) URL of a simple index");
  }
  if (url.back() != '/') url += '/';
  return url;
}

IndexConfig parse_index(const Reader& parent, const std::string& name, const Value& value) {
  if (!is_index_name(name)) {
    throw parent.error_at(value, "`" + name + "` cannot be the name of an index",
                          "lower-case letters, digits, `-`, `_`, `.`; `v2`, `packages`, `snapshots`, `healthz`, "
                          "`metrics`, `ui` and `artifacts` are paths of the mirror itself");
  }
  Reader reader(parent.file(), value, "indexes." + name);
  IndexConfig index;
  index.name = name;
  if (const Value* mode = reader.optional("mode")) {
    index.mode = mode->as_string();
    static const std::set<std::string, std::less<>> modes = {"pull-through", "sync", "private", "overlay"};
    if (modes.count(index.mode) == 0) {
      throw reader.error_at(*mode, "unknown mode `" + index.mode + "`",
                            "the modes: `pull-through`, `sync`, `private`, `overlay`");
    }
  }
  parse_policy(reader, index);
  parse_upload_settings(reader, index);
  if (const Value* upstream = reader.optional("upstream")) index.upstream = parse_upstream(reader, *upstream);
  if (const Value* frozen = reader.optional("frozen")) index.frozen = index.frozen || frozen->as_bool();
  if (index.mode == "sync") {
    index.sync = std::make_shared<sync::SyncSettings>(sync::parse_sync_settings(reader));
  } else {
    sync::refuse_sync_settings(reader);
  }
  reader.finish();
  return index;
}

void parse_limits(MirrorConfig& config, Reader limits) {
  if (const Value* page = limits.optional("page")) config.page_limit_bytes = parse_size(limits, *page);
  if (const Value* file = limits.optional("file")) config.file_limit_bytes = parse_size(limits, *file);
  if (const Value* upload = limits.optional("upload")) config.upload_limit_bytes = parse_size(limits, *upload);
  parse_serving_limits(limits, config.serving);
  limits.finish();
}

// "127.0.0.1:8400", "[::1]:8400".
void parse_listen(MirrorConfig& config, const Reader& reader, const Value& value) {
  const std::string& text = value.as_string();
  const size_t colon = std::min(text.rfind(':'), text.size());
  const int64_t port = parse_int(std::string_view(text).substr(std::min(colon + 1, text.size()))).value_or(-1);
  std::string address = text.substr(0, colon);
  if (address.size() > 2 && address.front() == '[' && address.back() == ']') {
    address = address.substr(1, address.size() - 2);
  }
  if (port < 0 || port > 65535 || address.empty()) {
    throw reader.error_at(value, "an address like `127.0.0.1:8400` is wanted here");
  }
  config.address = address;
  config.port = static_cast<uint16_t>(port);
}

}  // namespace

uint64_t parse_size(const Reader& reader, const Value& value) {
  static constexpr std::array<std::pair<std::string_view, uint64_t>, 7> units = {{{"KiB", 1ull << 10},
                                                                                  {"MiB", 1ull << 20},
                                                                                  {"GiB", 1ull << 30},
                                                                                  {"KB", 1'000},
                                                                                  {"MB", 1'000'000},
                                                                                  {"GB", 1'000'000'000},
                                                                                  {"B", 1}}};
  std::string_view text;
  uint64_t unit = 1;
  std::optional<int64_t> number;
  if (value.is_integer()) {
    number = value.as_integer();
  } else {
    text = trim(value.as_string());
    for (const auto& [suffix, factor] : units) {
      if (text.size() <= suffix.size() || text.substr(text.size() - suffix.size()) != suffix) continue;
      unit = factor;
      text = trim(text.substr(0, text.size() - suffix.size()));
      break;
    }
    number = parse_int(text);
  }
  if (!number || *number <= 0 || static_cast<uint64_t>(*number) > (1ull << 50) / unit) {
    throw reader.error_at(value, "a size like `64MiB` is wanted here");
  }
  return static_cast<uint64_t>(*number) * unit;
}

MirrorConfig parse_mirror_config(const Document& document) {
  Reader reader(document);
  MirrorConfig config;
  parse_storage(reader, config);
  if (const Value* listen = reader.optional("listen")) parse_listen(config, reader, *listen);
  if (const Value* indexes = reader.optional("indexes")) {
    if (!indexes->is_object()) throw reader.error_at(*indexes, "`indexes` must be a mapping of names to indexes");
    for (const auto& [name, value] : indexes->as_object()) config.indexes.push_back(parse_index(reader, name, value));
  }
  check_overlays(reader, config.indexes);
  if (config.indexes.empty()) config.indexes.push_back(IndexConfig{.name = "pypi"});
  parse_serving(reader, config.serving);
  parse_tree(reader, config.tree);
  if (auto limits = reader.object("limits")) parse_limits(config, *limits);
  if (auto care = reader.object("care")) config.care = parse_care_config(std::move(*care));
  if (auto registry = reader.object("registry")) {
    if (const Value* sparse = registry->optional("sparse")) config.sparse_manifests = sparse->as_bool();
    registry->finish();
  }
  reader.finish();
  return config;
}

MirrorConfig default_mirror_config(const Path& storage) {
  MirrorConfig config;
  config.storage = storage;
  config.indexes.push_back(IndexConfig{.name = "pypi"});
  return config;
}

}  // namespace dae::mirror
