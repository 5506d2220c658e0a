#pragma once
// The name that a client of the registry gives to content. The blob store knows sha256 only: what is named otherwise is
// kept there under its sha256, and the catalog's table `digests` leads from the one to the other.
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/hash.h"

namespace dae::mirror {

class ContentDigest {
 public:
  ContentDigest() = default;
  ContentDigest(const Digest& digest) : text_(digest.oci()) {}  // NOLINT(google-explicit-constructor): is one
  // Throws OciRefusal: DIGEST_INVALID, or UNSUPPORTED for an algorithm that we cannot compute.
  static ContentDigest parse(const std::string& text);
  // From the catalog's spelling.
  static ContentDigest from_row(const std::string& row);

  const std::string& oci() const { return text_; }
  // The catalog's spelling: bare hex for sha256, else the whole.
  std::string row() const { return is_sha256() ? text_.substr(kSha256.size()) : text_; }
  bool is_sha256() const { return text_.compare(0, kSha256.size(), kSha256) == 0; }
  Digest sha256() const { return Digest::parse(text_); }  // only when is_sha256()
  bool operator==(const ContentDigest&) const = default;

 private:
  static constexpr std::string_view kSha256 = "sha256:";
  explicit ContentDigest(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

// "<algorithm>:<encoded>" of any algorithm, the two registered ones in their exact form (image-spec, "Digests").
bool is_digest_form(std::string_view text);
bool is_known_algorithm(std::string_view algorithm);

// Computes a digest in the algorithm of the one that is expected.
class DigestCheck {
 public:
  explicit DigestCheck(const ContentDigest& expected);
  void update(std::string_view bytes) {
    if (hash_) hash_->update(bytes);
  }
  void finish();  // OciRefusal DIGEST_INVALID when it is another one; always content for sha256, which the store checks

 private:
  ContentDigest expected_;
  std::optional<Sha512> hash_;
};

}  // namespace dae::mirror
