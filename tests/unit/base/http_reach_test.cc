// Requests that must not lead into one's own network.
#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/inward_address.h"
#include "http_server_fixture.h"

namespace dae::test {
namespace {

bool is_inward(const char* text) {
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) return is_inward_address(reinterpret_cast<const sockaddr&>(v4));
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  EXPECT_EQ(inet_pton(AF_INET6, text, &v6.sin6_addr), 1) << text;
  return is_inward_address(reinterpret_cast<const sockaddr&>(v6));
}

TEST(InwardAddress, IsEveryoneThatIsNotOutside) {
  for (const char* inward : {"127.0.0.1", "127.9.9.9", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1",
                             "169.254.169.254", "0.0.0.0", "100.64.0.1", "224.0.0.1", "255.255.255.255", "::1",
                             "::", "fe80::1", "fd00::1", "ff02::1", "::ffff:10.0.0.1"}) {
    EXPECT_TRUE(is_inward(inward)) << inward;
  }
  for (const char* outward : {"8.8.8.8", "172.32.0.1", "11.0.0.1", "100.128.0.1", "2001:4860::1", "::ffff:8.8.8.8"}) {
    EXPECT_FALSE(is_inward(outward)) << outward;
  }
}

TEST(InwardAddress, IsKnownInEveryWayToWriteIt) {
  for (const char* inward :
       {"localhost", "LOCALHOST.", "a.localhost", "127.1", "2130706433", "0x7f.1", "[::1]", "10.0.0.1"}) {
    EXPECT_TRUE(is_inward_host(inward)) << inward;
  }
  for (const char* other : {"example.org", "localhost.example.org", "8.8.8.8", "[2001:4860::1]"}) {
    EXPECT_FALSE(is_inward_host(other)) << other;
  }
}

class HttpReach : public HttpServerTest {
 protected:
  HttpResponse ask(const std::string& host, const std::string& inward_host) {
    HttpRequest request;
    request.url = "http://" + host + ":" + std::to_string(server_->port()) + "/hello";
    request.reach = {.outward_only = true, .inward_host = inward_host};
    return client_->send(std::move(request));
  }
};

TEST_F(HttpReach, EndsWhereANameResolvesToAnInwardAddress) {
  try {
    ask("localhost", "elsewhere.example");
    FAIL() << "it was asked";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::refused);
  }
}

TEST_F(HttpReach, IncludesTheHostThatWasNamed) {
  EXPECT_EQ(ask("127.0.0.1", "127.0.0.1").status, 200);
  EXPECT_EQ(ask("localhost", "LocalHost").status, 200);
}

}  // namespace
}  // namespace dae::test
