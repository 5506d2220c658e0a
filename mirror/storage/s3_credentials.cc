#include "mirror/storage/s3_credentials.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/env.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/strings.h"

namespace dae::mirror {
namespace {

constexpr uint64_t kMaxFileBytes = 1 << 20;
// A session token has up to about 2,000 characters.
constexpr size_t kMaxLine = 16 << 10;

constexpr const char* kHint =
    "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or write a profile into ~/.aws/credentials (AWS_PROFILE names "
    "another than `default`)";

// As they go into header fields; nothing of them is ever shown.
bool is_credential(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

Error unusable(const std::string& name, size_t line, std::string why) {
  Error error(ErrorKind::bad_input, "the file of credentials cannot be read", fmt::format("{}:{}", name, line));
  error.because(std::move(why));
  return error;
}

std::string* place_of(S3Credentials& credentials, std::string_view key) {
  if (key == "aws_access_key_id") return &credentials.access_key;
  if (key == "aws_secret_access_key") return &credentials.secret_key;
  if (key == "aws_session_token") return &credentials.session_token;
  return nullptr;
}

std::optional<S3Credentials> from_environment() {
  const auto access = env_var("AWS_ACCESS_KEY_ID"), secret = env_var("AWS_SECRET_ACCESS_KEY");
  if (!access && !secret) return std::nullopt;
  if (!access || !secret) {
    throw Error(ErrorKind::refused,
                fmt::format("`{}` is not set", access ? "AWS_SECRET_ACCESS_KEY" : "AWS_ACCESS_KEY_ID"))
        .because(fmt::format("`{}` is, and one is no use without the other",
                             access ? "AWS_ACCESS_KEY_ID" : "AWS_SECRET_ACCESS_KEY"))
        .with_hint(kHint);
  }
  S3Credentials out{*access, *secret, env_var("AWS_SESSION_TOKEN").value_or("")};
  if (!is_credential(out.access_key + out.secret_key + out.session_token)) {
    throw Error(ErrorKind::refused, "the credentials in the environment cannot be used")
        .because("a space, line break or other character that credentials do not have")
        .with_hint(kHint);
  }
  return out;
}

}  // namespace

std::optional<S3Credentials> parse_s3_profile(std::string_view ini, const std::string& profile,
                                              const std::string& name) {
  S3Credentials out;
  bool ours = false;
  size_t number = 0;
  for (const std::string& line : split_lines(ini)) {
    ++number;
    if (line.size() > kMaxLine) throw unusable(name, number, "the line is too long");
    const std::string_view text = trim(line);
    if (text.empty() || text.front() == '#' || text.front() == ';') continue;
    // A setting below another one, as `s3 =` has them.
    if (line.front() == ' ' || line.front() == '\t') continue;
    if (text.front() == '[') {
      if (text.back() != ']') throw unusable(name, number, "a `[` without its `]`");
      ours = trim(text.substr(1, text.size() - 2)) == profile;
      continue;
    }
    const size_t equals = text.find('=');
    if (equals == std::string_view::npos) throw unusable(name, number, "neither `[profile]` nor `key = value`");
    std::string* place = ours ? place_of(out, lower(trim(text.substr(0, equals)))) : nullptr;
    if (place == nullptr) continue;
    const std::string_view value = trim(text.substr(equals + 1));
    if (!is_credential(value)) throw unusable(name, number, "a character that credentials do not have");
    *place = value;
  }
  if (out.access_key.empty() || out.secret_key.empty()) return std::nullopt;
  return out;
}

S3Credentials find_s3_credentials() {
  if (auto found = from_environment()) return *found;
  const std::string profile = env_var("AWS_PROFILE").value_or("default");
  const auto named = env_var("AWS_SHARED_CREDENTIALS_FILE");
  const Path file = named ? Path(*named) : home_dir() / ".aws" / "credentials";
  const auto text = read_file_if_exists(file, kMaxFileBytes);
  if (text) {
    if (auto found = parse_s3_profile(*text, profile, file)) return *found;
  }
  throw Error(ErrorKind::refused, "no credentials for the S3 storage")
      .because(text ? fmt::format("{} has no keys of the profile `{}`", file.string(), html_escape(profile))
                    : fmt::format("the environment has none, and there is no {}", file.string()))
      .with_hint(kHint);
}

}  // namespace dae::mirror
