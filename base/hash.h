#pragma once
// SHA-256 (the only digest we make: indexes, OCI and SLSA all speak it) and the hex and base64 forms it travels in.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/fs.h"

namespace dae {

// 64 lower-case hex digits; the OCI spelling "sha256:<hex>" is `oci()`. Default-constructed: empty.
class Digest {
 public:
  Digest() = default;
  // Accepts "<64 hex>" or "sha256:<64 hex>", any case; throws Error bad_input otherwise.
  static Digest parse(std::string_view text);
  static bool is_valid(std::string_view text);
  static Digest of(std::string_view bytes);

  const std::string& hex() const { return hex_; }
  std::string oci() const { return "sha256:" + hex_; }
  std::string short_hex(size_t digits = 12) const { return hex_.substr(0, digits); }
  bool empty() const { return hex_.empty(); }
  bool operator==(const Digest&) const = default;
  auto operator<=>(const Digest&) const = default;

 private:
  std::string hex_;
};

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  void update(std::string_view bytes);
  Digest finish();             // once
  std::string finish_bytes();  // 32 raw bytes; once

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// SHA-512 and SHA-384, for comparing with what others made.
class Sha512 {
 public:
  enum class Length { bits_384, bits_512 };
  explicit Sha512(Length length);
  ~Sha512();
  Sha512(Sha512&&) noexcept;
  Sha512& operator=(Sha512&&) noexcept;
  void update(std::string_view bytes);
  std::string finish_bytes();  // 48 or 64 raw bytes; once

 private:
  struct State;
  std::unique_ptr<State> state_;
};

Digest sha256_file(const Path& path);
std::string to_hex(std::string_view bytes);
std::string base64url_nopad(std::string_view bytes);  // RECORD's form (PEP 376 / wheel spec)
std::string base64(std::string_view bytes);
std::optional<std::string> decode_base64(std::string_view text);  // nullopt: it has other characters
// 128 random bits as hex, from the kernel: names of temporary files and requests.
std::string random_hex(size_t bytes = 16);

}  // namespace dae
