#include "mirror/upload/tokens.h"

#include <algorithm>

#include "base/clock.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/strings.h"
#include "base/value.h"
#include "mirror/policy/allowances.h"

namespace dae::mirror {
namespace {

constexpr std::string_view kPrefix = "dae_";
constexpr size_t kIdDigits = 16, kSecretBytes = 32;
constexpr int64_t kDayMs = 24 * 3'600'000;
constexpr const char* kColumns =
    "SELECT id, index_name, projects, note, created_ms, expires_ms, revoked_ms, last_used_ms, quota_bytes, "
    "quota_files, "
    "secret_sha256 FROM tokens";
constexpr int kHashColumn = 10;

std::optional<int64_t> number(const Statement& row, int column) {
  return row.is_null(column) ? std::nullopt : std::optional(row.integer(column));
}

std::optional<uint64_t> amount(const Statement& row, int column) {
  return row.is_null(column) ? std::nullopt : std::optional(static_cast<uint64_t>(row.integer(column)));
}

Token read_token(const Statement& row) {
  Token token;
  token.id = row.text(0);
  token.grant.index = row.text(1);
  const Document projects = parse_json(row.text(2), "catalog");
  for (const Value& project : projects.root.as_array()) token.grant.projects.push_back(project.as_string());
  token.grant.note = row.text(3);
  token.created_ms = row.integer(4);
  token.grant.expires_ms = number(row, 5);
  token.revoked_ms = number(row, 6);
  token.last_used_ms = number(row, 7);
  token.grant.quota_bytes = amount(row, 8);
  token.grant.quota_files = amount(row, 9);
  return token;
}

void bind_optional(Statement& statement, int at, const std::optional<uint64_t>& value) {
  if (value) {
    statement.bind(at, static_cast<int64_t>(*value));
  } else {
    statement.bind_null(at);
  }
}

// How long it takes says nothing of where the two differ.
bool equal_in_constant_time(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned difference = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    difference |= static_cast<unsigned>(static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i]));
  }
  return difference == 0;
}

}  // namespace

bool Token::covers(const std::string& project) const {
  return grant.projects.empty() || std::ranges::binary_search(grant.projects, project);
}

NewToken create_token(Catalog& catalog, const TokenGrant& grant, const std::string& who, int64_t now_ms) {
  NewToken made;
  made.id = random_hex(kIdDigits / 2);
  made.secret = std::string(kPrefix) + made.id + "_" + random_hex(kSecretBytes);
  std::vector<std::string> projects = grant.projects;
  std::ranges::sort(projects);
  projects.erase(std::unique(projects.begin(), projects.end()), projects.end());
  catalog.write([&](Database& db) {
    Statement insert = db.prepare(
        "INSERT INTO tokens(id, secret_sha256, index_name, projects, note, created_ms, expires_ms, quota_bytes, "
        "quota_files) VALUES(?,?,?,?,?,?,?,?,?)");
    insert.bind(1, made.id).bind(2, Digest::of(made.secret).hex()).bind(3, grant.index);
    insert.bind(4, canonical_json(Value::strings(projects))).bind(5, grant.note).bind(6, now_ms);
    if (grant.expires_ms) {
      insert.bind(7, *grant.expires_ms);
    } else {
      insert.bind_null(7);
    }
    bind_optional(insert, 8, grant.quota_bytes);
    bind_optional(insert, 9, grant.quota_files);
    insert.run();
    write_audit(db, {.at_ms = now_ms,
                     .who = who,
                     .action = "token create",
                     .index = grant.index,
                     .subject = made.id,
                     .reason = grant.note,
                     .details = Value::object({{"projects", Value::strings(projects)}})});
  });
  return made;
}

std::vector<Token> list_tokens(Catalog& catalog, const std::string& index) {
  return catalog.read([&](Database& db) {
    std::vector<Token> tokens;
    Statement rows = db.prepare(std::string(kColumns) + " WHERE ? = '' OR index_name = ? ORDER BY created_ms, id");
    rows.bind(1, index).bind(2, index);
    while (rows.step()) tokens.push_back(read_token(rows));
    return tokens;
  });
}

bool revoke_token(Catalog& catalog, const std::string& id, const std::string& who, int64_t now_ms) {
  bool revoked = false;
  catalog.write([&](Database& db) {
    Statement row = db.prepare(std::string(kColumns) + " WHERE id = ?");
    row.bind(1, id);
    if (!row.step()) throw Error(ErrorKind::not_found, "no such token", id, "`dae mirror token list` names them");
    if (row.is_null(6)) revoked = true;
    if (!revoked) return;
    db.prepare("UPDATE tokens SET revoked_ms = ? WHERE id = ?").bind(1, now_ms).bind(2, id).run();
    write_audit(db, {.at_ms = now_ms,
                     .who = who,
                     .action = "token revoke",
                     .index = row.text(1),
                     .subject = id,
                     .reason = "",
                     .details = Value::object()});
  });
  return revoked;
}

// The row is found by the public part, so that the secret one meets nothing but a comparison of fixed time.
std::optional<Token> find_token(Catalog& catalog, std::string_view secret, int64_t now_ms) {
  if (secret.size() != kPrefix.size() + kIdDigits + 1 + 2 * kSecretBytes || !secret.starts_with(kPrefix)) {
    return std::nullopt;
  }
  return catalog.read_newest([&](Database& db) -> std::optional<Token> {
    Statement row = db.prepare(std::string(kColumns) + " WHERE id = ?");
    row.bind(1, secret.substr(kPrefix.size(), kIdDigits));
    if (!row.step() || !equal_in_constant_time(row.text(kHashColumn), Digest::of(secret).hex())) return std::nullopt;
    Token token = read_token(row);
    if (token.revoked_ms || (token.grant.expires_ms && *token.grant.expires_ms <= now_ms)) return std::nullopt;
    return token;
  });
}

TokenUse token_use(Database& db, const std::string& id, int64_t now_ms) {
  Statement row = db.prepare("SELECT bytes, files FROM token_use WHERE token = ? AND day = ?");
  row.bind(1, id).bind(2, now_ms / kDayMs);
  if (!row.step()) return {};
  return {static_cast<uint64_t>(row.integer(0)), static_cast<uint64_t>(row.integer(1))};
}

void count_token_use(Database& db, const std::string& id, const TokenUse& use, int64_t now_ms) {
  Statement count = db.prepare(
      "INSERT INTO token_use(token, day, bytes, files) VALUES(?,?,?,?) ON CONFLICT(token, day) DO UPDATE SET "
      "bytes = bytes + excluded.bytes, files = files + excluded.files");
  count.bind(1, id).bind(2, now_ms / kDayMs).bind(3, static_cast<int64_t>(use.bytes));
  count.bind(4, static_cast<int64_t>(use.files)).run();
  db.prepare("UPDATE tokens SET last_used_ms = ? WHERE id = ?").bind(1, now_ms).bind(2, id).run();
}

std::optional<std::string> secret_in(std::string_view authorization) {
  const size_t blank = authorization.find(' ');
  if (blank == std::string_view::npos) return std::nullopt;
  const std::string_view scheme = authorization.substr(0, blank), rest = trim(authorization.substr(blank));
  if (iequals(scheme, "Bearer")) return std::string(rest);
  if (!iequals(scheme, "Basic")) return std::nullopt;
  const auto pair = decode_base64(rest);
  const std::string_view user = "__token__:";
  if (!pair || !pair->starts_with(user)) return std::nullopt;
  return pair->substr(user.size());
}

}  // namespace dae::mirror
