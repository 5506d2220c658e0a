#pragma once
// Who may upload: tokens in the catalog, of which only the SHA-256 is kept. Another process may make and revoke them
// while the mirror serves; they are looked up for every upload.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mirror/catalog.h"

namespace dae::mirror {

struct TokenGrant {
  std::string index;
  std::vector<std::string> projects = {};  // normalised, sorted; empty: all of the index
  std::string note = "";                   // for people
  std::optional<int64_t> expires_ms = {};
  std::optional<uint64_t> quota_bytes = {}, quota_files = {};  // of one day (UTC)
};

struct Token {
  std::string id;  // public: in logs and lists
  TokenGrant grant;
  int64_t created_ms = 0;
  std::optional<int64_t> revoked_ms, last_used_ms;
  bool covers(const std::string& project) const;
};

struct NewToken {
  std::string id;
  std::string secret;  // the whole token; not kept anywhere
};
// "dae_<id>_<64 hex digits>", with a row in the audit trail.
NewToken create_token(Catalog& catalog, const TokenGrant& grant, const std::string& who, int64_t now_ms);
// In the order of their making.
std::vector<Token> list_tokens(Catalog& catalog, const std::string& index = "");
// False: it was revoked before. Throws Error not_found.
bool revoke_token(Catalog& catalog, const std::string& id, const std::string& who, int64_t now_ms);

// The token with this secret, unless it is revoked or its time is over.
std::optional<Token> find_token(Catalog& catalog, std::string_view secret, int64_t now_ms);

struct TokenUse {
  uint64_t bytes = 0, files = 0;
};
TokenUse token_use(Database& db, const std::string& id, int64_t now_ms);  // of the day of `now_ms`
// In the caller's transaction.
void count_token_use(Database& db, const std::string& id, const TokenUse& use, int64_t now_ms);

// The secret in an `Authorization` field: Basic with the user `__token__`, or Bearer. nullopt: none, or another form.
std::optional<std::string> secret_in(std::string_view authorization);

}  // namespace dae::mirror
