#include "mirror/registry/content_digest.h"

#include <algorithm>

#include "mirror/registry/protocol.h"

namespace dae::mirror {
namespace {

constexpr std::string_view kSha512Prefix = "sha512:";

bool is_lower_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_lower_alnum(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

}  // namespace

bool is_known_algorithm(std::string_view algorithm) {
  return algorithm == "sha256" || algorithm == "sha512";
}

bool is_digest_form(std::string_view text) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos || colon == 0 || text.size() > 512) return false;
  const std::string_view algorithm = text.substr(0, colon), encoded = text.substr(colon + 1);
  if (algorithm == "sha256") return encoded.size() == 64 && is_lower_hex(encoded);
  if (algorithm == "sha512") return encoded.size() == 128 && is_lower_hex(encoded);
  return !encoded.empty() && is_lower_alnum(algorithm[0]) &&
         std::all_of(algorithm.begin(), algorithm.end(),
                     [](char c) { return is_lower_alnum(c) || c == '+' || c == '.' || c == '_' || c == '-'; }) &&
         std::all_of(encoded.begin(), encoded.end(), [](char c) {
           return is_lower_alnum(c) || (c >= 'A' && c <= 'Z') || c == '=' || c == '_' || c == '-';
         });
}

ContentDigest ContentDigest::parse(const std::string& text) {
  if (!is_digest_form(text)) throw OciRefusal(400, "DIGEST_INVALID", "not a digest");
  if (!is_known_algorithm(std::string_view(text).substr(0, text.find(':')))) {
    throw OciRefusal(400, "UNSUPPORTED", "this registry knows sha256 and sha512 only");
  }
  return ContentDigest(text);
}

ContentDigest ContentDigest::from_row(const std::string& row) {
  return ContentDigest(row.find(':') == std::string::npos ? std::string(kSha256) + row : row);
}

DigestCheck::DigestCheck(const ContentDigest& expected) : expected_(expected) {
  if (!expected.is_sha256()) hash_.emplace(Sha512::Length::bits_512);
}

void DigestCheck::finish() {
  if (!hash_) return;
  if (std::string(kSha512Prefix) + to_hex(hash_->finish_bytes()) != expected_.oci()) {
    throw OciRefusal(400, "DIGEST_INVALID", "the bytes received do not have this digest");
  }
}

}  // namespace dae::mirror
