#include "base/hash.h"

#include <fcntl.h>
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "base/error.h"
#include "base/strings.h"

namespace dae {
namespace {

constexpr std::string_view kOciPrefix = "sha256:";
constexpr size_t kHexDigits = 64;

std::string_view without_prefix(std::string_view text) {
  if (text.size() > kOciPrefix.size() && iequals(text.substr(0, kOciPrefix.size()), kOciPrefix)) {
    text.remove_prefix(kOciPrefix.size());
  }
  return text;
}

bool is_hex(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

std::string encode64(std::string_view bytes, std::string_view alphabet, bool pad) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t left = std::min<size_t>(3, bytes.size() - i);
    uint32_t group = 0;
    for (size_t k = 0; k < 3; ++k) group = group << 8 | (k < left ? static_cast<unsigned char>(bytes[i + k]) : 0u);
    for (size_t k = 0; k < 4; ++k) {
      if (k <= left) {
        out += alphabet[group >> (18 - 6 * k) & 63];
      } else if (pad) {
        out += '=';
      }
    }
  }
  return out;
}

}  // namespace

bool Digest::is_valid(std::string_view text) {
  text = without_prefix(text);
  return text.size() == kHexDigits && std::all_of(text.begin(), text.end(), is_hex);
}

Digest Digest::parse(std::string_view text) {
  if (!is_valid(text)) {
    throw Error(ErrorKind::bad_input, "`" + std::string(text.substr(0, 100)) + "` is no sha256 digest", "",
                "expected 64 hex digits, with or without `sha256:` before them");
  }
  Digest digest;
  digest.hex_ = lower(without_prefix(text));
  return digest;
}

Digest Digest::of(std::string_view bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.finish();
}

// The low-level functions: the first digest through EVP loads OpenSSL's configuration and providers, 0.6 ms of a
// process that may have 3 in all.
struct Sha256::State {
  SHA256_CTX context;
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
  DAE_CHECK(SHA256_Init(&state_->context) == 1);
}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(std::string_view bytes) {
  DAE_CHECK(SHA256_Update(&state_->context, bytes.data(), bytes.size()) == 1);
}

std::string Sha256::finish_bytes() {
  unsigned char out[SHA256_DIGEST_LENGTH];
  DAE_CHECK(SHA256_Final(out, &state_->context) == 1);
  return std::string(reinterpret_cast<const char*>(out), sizeof out);
}

Digest Sha256::finish() {
  return Digest::parse(to_hex(finish_bytes()));
}

struct Sha512::State {
  SHA512_CTX context;
};

Sha512::Sha512(Length length) : state_(std::make_unique<State>()) {
  const bool is_long = length == Length::bits_512;
  DAE_CHECK((is_long ? SHA512_Init(&state_->context) : SHA384_Init(&state_->context)) == 1);
}
Sha512::~Sha512() = default;
Sha512::Sha512(Sha512&&) noexcept = default;
Sha512& Sha512::operator=(Sha512&&) noexcept = default;

void Sha512::update(std::string_view bytes) {
  DAE_CHECK(SHA512_Update(&state_->context, bytes.data(), bytes.size()) == 1);
}

std::string Sha512::finish_bytes() {
  unsigned char out[SHA512_DIGEST_LENGTH];
  const size_t length = state_->context.md_len;
  DAE_CHECK(SHA512_Final(out, &state_->context) == 1);
  return std::string(reinterpret_cast<const char*>(out), length);
}

Digest sha256_file(const Path& path) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) throw os_error("cannot open `" + path.string() + "`", path.string(), errno);
  Sha256 hash;
  std::vector<char> buffer(256 * 1024);
  for (;;) {
    const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw os_error("cannot read `" + path.string() + "`", path.string(), errno);
    if (got == 0) return hash.finish();
    hash.update({buffer.data(), static_cast<size_t>(got)});
  }
}

std::string to_hex(std::string_view bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out += digits[byte >> 4];
    out += digits[byte & 15];
  }
  return out;
}

std::string base64url_nopad(std::string_view bytes) {
  return encode64(bytes, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", false);
}

std::string base64(std::string_view bytes) {
  return encode64(bytes, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", true);
}

std::optional<std::string> decode_base64(std::string_view text) {
  while (text.ends_with('=')) text.remove_suffix(1);
  std::string out;
  uint32_t bits = 0;
  int held = 0;
  for (const char c : text) {
    static constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const size_t digit = alphabet.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    bits = (bits << 6 | static_cast<uint32_t>(digit)) & 0xffffff;
    held += 6;
    if (held < 8) continue;
    held -= 8;
    out += static_cast<char>(bits >> held & 0xff);
  }
  return out;
}

std::string random_hex(size_t bytes) {
  std::string raw(bytes, '\0');
  for (size_t done = 0; done < bytes;) {
    const ssize_t got = ::getrandom(raw.data() + done, bytes - done, 0);
    if (got < 0 && errno != EINTR) throw os_error("cannot get random bytes", "", errno);
    if (got > 0) done += static_cast<size_t>(got);
  }
  return to_hex(raw);
}

}  // namespace dae
