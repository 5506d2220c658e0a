#include <gtest/gtest.h>

#include "mirror/policy/allowances.h"
#include "mirror/upload/tokens.h"
#include "upload_fixture.h"

namespace dae::mirror {
namespace {

using testing::basic;

class Tokens : public ::testing::Test {
 protected:
  std::string all_bytes() {
    catalog.read([](Database& db) { db.execute("PRAGMA wal_checkpoint(TRUNCATE)"); });
    return read_file(dir.path() / "catalog.db");
  }
  TempDir dir;
  Catalog catalog{dir.path() / "catalog.db"};
};

TEST_F(Tokens, AreFoundByTheirSecretUntilTheirTimeIsOver) {
  const NewToken made =
      create_token(catalog, {.index = "team", .projects = {"b", "a", "a"}, .expires_ms = 2000}, "me", 1000);
  const auto found = find_token(catalog, made.secret, 1999);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->id, made.id);
  EXPECT_EQ(found->grant.index, "team");
  EXPECT_EQ(found->grant.projects, (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(found->covers("b"));
  EXPECT_FALSE(found->covers("c"));
  EXPECT_FALSE(find_token(catalog, made.secret, 2000));
}

TEST_F(Tokens, OfNoProjectAreForAll) {
  const NewToken made = create_token(catalog, {.index = "team"}, "me", 1000);
  EXPECT_TRUE(find_token(catalog, made.secret, 5000)->covers("anything"));
}

TEST_F(Tokens, AreNotFoundByWhatOnlyLooksLikeTheirSecret) {
  const NewToken made = create_token(catalog, {.index = "team"}, "me", 1000);
  std::string other = made.secret;
  other.back() = other.back() == '0' ? '1' : '0';
  for (const std::string& secret : {other, made.secret + "0", made.secret.substr(1), made.id, std::string()}) {
    EXPECT_FALSE(find_token(catalog, secret, 1001)) << secret;
  }
}

TEST_F(Tokens, AreNotInTheCatalog) {
  const NewToken made = create_token(catalog, {.index = "team"}, "me", 1000);
  const std::string bytes = all_bytes();
  EXPECT_NE(bytes.find(made.id), std::string::npos);
  EXPECT_EQ(bytes.find(made.secret.substr(made.secret.rfind('_') + 1)), std::string::npos);
}

TEST_F(Tokens, RevokedOnesAreListedButOpenNothing) {
  const NewToken made = create_token(catalog, {.index = "team", .note = "ci"}, "me", 1000);
  EXPECT_TRUE(revoke_token(catalog, made.id, "me", 1500));
  EXPECT_FALSE(revoke_token(catalog, made.id, "me", 1600));
  EXPECT_FALSE(find_token(catalog, made.secret, 1501));
  const auto all = list_tokens(catalog);
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].revoked_ms, 1500);
  EXPECT_EQ(all[0].grant.note, "ci");
  EXPECT_TRUE(list_tokens(catalog, "other").empty());
  EXPECT_THROW(revoke_token(catalog, "0123456789abcdef", "me", 1600), Error);
  const auto audit = read_audit(catalog, "team", 10);
  ASSERT_EQ(audit.size(), 2u);
  EXPECT_EQ(audit[0].action, "token create");
  EXPECT_EQ(audit[1].action, "token revoke");
  EXPECT_EQ(audit[1].subject, made.id);
}

TEST_F(Tokens, WhatTheyWereUsedForCountsForOneDay) {
  constexpr int64_t day_ms = 24 * 3'600'000;
  const NewToken made = create_token(catalog, {.index = "team"}, "me", 0);
  catalog.write([&](Database& db) {
    count_token_use(db, made.id, {100, 1}, day_ms);
    count_token_use(db, made.id, {50, 1}, day_ms + 5);
    count_token_use(db, made.id, {7, 1}, 2 * day_ms);
    EXPECT_EQ(token_use(db, made.id, 2 * day_ms - 1).bytes, 150u);
    EXPECT_EQ(token_use(db, made.id, 2 * day_ms - 1).files, 2u);
    EXPECT_EQ(token_use(db, made.id, 2 * day_ms).bytes, 7u);
    EXPECT_EQ(token_use(db, made.id, 3 * day_ms).bytes, 0u);
  });
  EXPECT_EQ(list_tokens(catalog).at(0).last_used_ms, 2 * day_ms);
}

TEST(TokenSecret, ComesAsBasicOfTheTokenUserOrAsBearer) {
  EXPECT_EQ(secret_in(basic("dae_1_2")), "dae_1_2");
  EXPECT_EQ(secret_in("basic " + basic("dae:1").substr(6)), "dae:1");
  EXPECT_EQ(secret_in("Bearer dae_1_2"), "dae_1_2");
  EXPECT_FALSE(secret_in(basic("dae_1_2", "bob")));
  EXPECT_FALSE(secret_in("Basic !!!"));
  EXPECT_FALSE(secret_in("Digest x"));
  EXPECT_FALSE(secret_in(""));
}

}  // namespace
}  // namespace dae::mirror
