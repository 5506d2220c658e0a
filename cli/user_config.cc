#include "cli/user_config.h"

#include "base/error.h"
#include "base/strings.h"
#include "base/value.h"
#include "cli/local_state.h"

namespace dae::cli {
namespace {

constexpr const char* kOrigin = "config.yaml";
constexpr int kMaxConcurrentDownloads = 256;

resolver::IndexSource index_entry(const Reader& parent, const Value& node) {
  if (node.is_string()) return {node.as_string(), "", false, kOrigin};
  Reader reader(parent.file(), node, "index");
  resolver::IndexSource index(reader.required_string("url"), reader.required_string("name"),
                              reader.boolean("pinned_only", false), kOrigin);
  reader.finish();
  return index;
}

void read_build(Reader& parent, UserConfig& config) {
  auto reader = parent.object("build");
  if (!reader) return;
  config.build_sandbox = reader->string("sandbox", "auto");
  if (config.build_sandbox != "auto" && config.build_sandbox != "require" && config.build_sandbox != "off") {
    throw reader->error_at(*reader->optional("sandbox"), "`sandbox` is `auto`, `require` or `off`");
  }
  config.build_timeout_ms = reader->duration_ms("timeout", 0);
  config.build_pass_env = reader->strings("pass_env");
  reader->finish();
}

}  // namespace

Path user_config_file() {
  return config_dir() / "config.yaml";
}

UserConfig read_user_config() {
  UserConfig config;
  if (!exists(user_config_file())) return config;
  const Document document = read_yaml_file(user_config_file());
  Reader reader(document);
  if (const Value* index = reader.optional("index")) {
    if (index->is_array()) {
      for (const Value& node : index->as_array()) config.indexes.push_back(index_entry(reader, node));
    } else {
      config.indexes.push_back(index_entry(reader, *index));
    }
  }
  config.mirror = reader.string("mirror");
  config.control = reader.string("control");
  if (const Value* keyring = reader.optional("keyring")) {
    if (!keyring->is_string() || (keyring->as_string() != "subprocess" && keyring->as_string() != "disabled")) {
      throw reader.error_at(*keyring, "`keyring` is `subprocess` or `disabled`");
    }
    config.keyring = keyring->as_string() == "subprocess" ? "1" : "";
  }
  config.bytecode = reader.boolean("bytecode", true);
  config.link_mode = reader.string("link_mode");
  config.concurrent_downloads = static_cast<int>(reader.integer("concurrent_downloads", 0, 1, kMaxConcurrentDownloads));
  if (auto audit = reader.object("audit")) {
    config.audit_feeds = audit->strings("feeds");
    audit->finish();
  }
  read_build(reader, config);
  reader.finish();
  return config;
}

resolver::LinkMode chosen_link_mode(const std::string& flag) {
  std::string text = flag;
  if (text.empty()) text = env_var("DAE_LINK_MODE").value_or("");
  if (text.empty()) text = read_user_config().link_mode;
  return text.empty() ? resolver::LinkMode::automatic : resolver::parse_link_mode(text);
}

bool compiles_bytecode() {
  const auto text = env_var("DAE_BYTECODE");
  if (!text) return read_user_config().bytecode;
  if (*text != "0" && *text != "1") throw Error(ErrorKind::usage, "`DAE_BYTECODE` is 0 or 1", *text);
  return *text == "1";
}

int concurrent_downloads() {
  const auto text = env_var("DAE_CONCURRENT_DOWNLOADS");
  if (!text) return read_user_config().concurrent_downloads;
  const auto count = parse_int(*text);
  if (!count || *count < 1 || *count > kMaxConcurrentDownloads)
    throw Error(ErrorKind::usage,
                "`DAE_CONCURRENT_DOWNLOADS` is a number from 1 to " + std::to_string(kMaxConcurrentDownloads), *text);
  return static_cast<int>(*count);
}

std::string without_end_slash(std::string url) {
  while (!url.empty() && url.back() == '/') url.pop_back();
  return url;
}

std::string find_mirror_url(const std::string& flag) {
  std::string url = flag;
  if (url.empty()) url = env_var("DAE_MIRROR").value_or("");
  if (url.empty()) url = read_user_config().mirror;
  if (url.empty())
    if (auto local = read_local_state(default_local_root())) url = local->mirror_url;
  return without_end_slash(url);
}

}  // namespace dae::cli
