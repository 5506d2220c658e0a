// A lease whose etcd answers what it should not. What it should: tests/conformance/test_mirror_storage.py.
#include <gtest/gtest.h>

#include <atomic>

#include "mirror/storage/etcd_lease.h"
#include "mirror/storage/lease.h"
#include "scripted_transport.h"
#include "support/error_of.h"

namespace dae::mirror {
namespace {

using dae::testing::error_of;
using testing::answer;
using testing::ScriptedTransport;

constexpr const char* kGranted = R"({"ID":"7","TTL":"10"})";

bool is_call(const HttpRequest& request, std::string_view path) {
  return request.url.ends_with(path);
}

std::unique_ptr<HeldLease> acquire(ScriptedTransport& transport, Clock& clock) {
  return make_etcd_lease(parse_etcd_url("etcd://a,b/k"), "me", transport, clock)->acquire(0);
}

TEST(EtcdLeaseAnswers, ThatAreNoneAreANetworkError) {
  ManualClock clock;
  for (const char* text : {"", "no json", "[]", "{}", R"({"ID":"x","TTL":"10"})", R"({"ID":"7"})",
                           R"({"ID":"99999999999999999999","TTL":"1"})", R"({"error":"broken"})"}) {
    ScriptedTransport transport([&](const HttpRequest&) { return answer(200, text); });
    EXPECT_EQ(error_of([&] { acquire(transport, clock); }).kind(), ErrorKind::network) << text;
  }
}

TEST(EtcdLeaseAnswers, ToACreationAreReadWithCare) {
  ManualClock clock;
  for (const char* text : {"{}", R"({"succeeded":true})", R"({"succeeded":true,"header":{"revision":"-1"}})",
                           R"({"responses":[{"response_range":{"kvs":[{"create_revision":"x"}]}}]})"}) {
    ScriptedTransport transport([&](const HttpRequest& request) {
      return answer(200, is_call(request, "/v3/lease/grant") ? kGranted : is_call(request, "/v3/kv/txn") ? text : "{}");
    });
    const ErrorKind kind = error_of([&] { acquire(transport, clock); }).kind();
    EXPECT_TRUE(kind == ErrorKind::network || kind == ErrorKind::refused) << text;
    EXPECT_TRUE(is_call(transport.requests().back(), "/v3/lease/revoke")) << "what was granted is given back";
  }
}

TEST(EtcdLeaseAnswers, NameTheHolderWithoutItsMarkup) {
  ManualClock clock;
  ScriptedTransport transport([&](const HttpRequest& request) {
    if (!is_call(request, "/v3/kv/txn")) return answer(200, is_call(request, "/v3/lease/grant") ? kGranted : "{}");
    const std::string holder = base64("<b>\x1b[31mred");
    return answer(
        200, R"({"header":{"revision":"5"},"responses":[{"response_range":{"kvs":[{"create_revision":"3","value":")" +
                 holder + R"(","lease":"8"}]}}]})");
  });
  const Error error = error_of([&] { acquire(transport, clock); });
  EXPECT_EQ(error.kind(), ErrorKind::refused);
  EXPECT_EQ(error.cause(), "`&lt;b&gt; [31mred` has the lease");
}

TEST(EtcdLeaseAnswers, OfACreationThatWasSentTwiceAreOurs) {
  ManualClock clock;
  ScriptedTransport transport([&](const HttpRequest& request) {
    if (!is_call(request, "/v3/kv/txn")) return answer(200, is_call(request, "/v3/lease/grant") ? kGranted : "{}");
    return answer(
        200,
        R"({"header":{"revision":"5"},"responses":[{"response_range":{"kvs":[{"create_revision":"4","lease":"7"}]}}]})");
  });
  const auto held = acquire(transport, clock);
  EXPECT_EQ(held->fence(), 4);
  EXPECT_TRUE(held->holds_for(8000));
  EXPECT_FALSE(held->holds_for(9000)) << "a tenth less than etcd says";
  clock.advance_ms(9000);
  EXPECT_FALSE(held->holds_for(0));
}

TEST(EtcdLeaseAnswers, OfTheNextMemberCountWhenOneGivesNone) {
  ManualClock clock;
  std::atomic<int> dead = 0;
  ScriptedTransport transport([&](const HttpRequest& request) -> HttpResponse {
    if (request.url.starts_with("http://a:")) {
      ++dead;
      if (dead % 2 == 0) return answer(503, R"({"message":"etcdserver: no leader","code":14})");
      throw Error(ErrorKind::network, "nobody there");
    }
    if (is_call(request, "/v3/lease/grant")) return answer(200, kGranted);
    return answer(200, R"({"succeeded":true,"header":{"revision":"9"}})");
  });
  EXPECT_EQ(acquire(transport, clock)->fence(), 9);
  EXPECT_EQ(dead, 1) << "the one that answered is asked first from then on";
}

TEST(FileLease, IsOfOneAtATimeInAProcessToo) {
  TempDir dir;
  const auto lease = make_file_lease(dir.path() / "lease");
  auto first = lease->acquire(0);
  EXPECT_EQ(first->fence(), 1);
  EXPECT_TRUE(first->holds_for(1'000'000));
  EXPECT_EQ(error_of([&] { lease->acquire(30); }).kind(), ErrorKind::refused);
  first.reset();
  EXPECT_EQ(lease->acquire(0)->fence(), 2);
}

TEST(FileLease, IsNotHeldOnAFileThatWasReplaced) {
  TempDir dir;
  const Path file = dir.path() / "lease";
  const auto lease = make_file_lease(file);
  lease->acquire(0);
  write_file_atomic(file, "41 7\n");
  EXPECT_EQ(lease->acquire(0)->fence(), 42);
  write_file_atomic(file, "x");
  EXPECT_EQ(error_of([&] { lease->acquire(0); }).kind(), ErrorKind::bad_input);
}

}  // namespace
}  // namespace dae::mirror
